"""What TensorFlow says of a broken model is told from what it says of a wrong request, and reaches the rejection."""

import pytest

from tfserving_operator.core.smoke import causes


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Could not find variable dense/kernel", causes.Cause.VariablesMissing),
        (
            "NOT_FOUND: /models/m/2/variables/variables.data-00000-of-00001; No such file or directory",
            causes.Cause.VariablesMissing,
        ),
        ("OUT_OF_RANGE: Read less bytes than requested", causes.Cause.DataTruncated),
        ("NOT_FOUND: Op type not registered 'Foo' in binary", causes.Cause.OpMissing),
        ("/models/m/assets/words.txt; No such file or directory", None),
        ("Matrix size-incompatible: In[0]: [1,2], In[1]: [4,3]", None),
        ("", None),
    ],
)
def test_an_error_tells_its_cause_where_its_words_do(text: str, cause: causes.Cause | None) -> None:
    assert causes.of_error(text) is cause
    assert cause is None or causes.REMEDIES[cause]


def test_every_cause_has_a_remedy() -> None:
    assert set(causes.REMEDIES) == set(causes.Cause)
