"""Where models are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfserving_operator.core import sources


@pytest.mark.parametrize(
    ("uri", "claim", "path"),
    [
        ("pvc://models/resnet", "models", "resnet"),
        ("pvc://models/a/b/c", "models", "a/b/c"),
        ("pvc://models/a//b/", "models", "a/b"),
        ("pvc://models/a b", "models", "a b"),
        ("pvc://models/", "models", ""),
        ("pvc://models", "models", ""),
        ("pvc://my.models-2/..hidden/x..y", "my.models-2", "..hidden/x..y"),
    ],
)
def test_a_claim_and_a_folder_on_it_are_read(uri: str, claim: str, path: str) -> None:
    assert sources.parse(uri) == sources.Source(claim=claim, path=path)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://bucket/resnet", "s3:// sources are not supported by this version: write pvc://CLAIM/PATH"),
        ("/models/resnet", "write pvc://CLAIM/PATH"),
        ("PVC://models/resnet", "write pvc://CLAIM/PATH"),
        ("pvc:/models/resnet", "write pvc://CLAIM/PATH"),
        ("pvc:///resnet", "'' cannot be the name of a PersistentVolumeClaim"),
        ("pvc://Models/resnet", "'Models' cannot be the name of a PersistentVolumeClaim"),
        ("pvc://../resnet", "'..' cannot be the name"),
        ("pvc://models/../secrets", "may not hold . or .. parts"),
        ("pvc://models/a/./b", "may not hold . or .. parts"),
        ("pvc://models/a\nb", "may only hold printable characters"),
        ("pvc://models\n/a", "cannot be the name"),
    ],
)
def test_what_names_no_folder_on_a_claim_is_refused_with_a_remedy(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"pvc://|path") as refused:
        sources.parse(uri)
    assert message in str(refused.value)


@given(st.text(max_size=40))
def test_a_path_never_leaves_the_claim(path: str) -> None:
    try:
        source = sources.parse(f"pvc://models/{path}")
    except ValueError:
        return
    parts = source.path.split("/")
    assert ".." not in parts
    assert "" not in parts or parts == [""]
    assert not source.path.startswith("/")
