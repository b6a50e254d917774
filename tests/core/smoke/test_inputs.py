import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import encoding, inputs, signatures, spread

TYPES = [
    "DT_FLOAT",
    "DT_DOUBLE",
    "DT_INT8",
    "DT_UINT8",
    "DT_INT16",
    "DT_UINT16",
    "DT_INT32",
    "DT_UINT32",
    "DT_INT64",
    "DT_UINT64",
    "DT_BOOL",
]


def signature(**tensors: tuple[str, tuple[int, ...] | None]) -> inspection.Signature:
    found = {name: inspection.Tensor(dtype=dtype, shape=shape) for name, (dtype, shape) in tensors.items()}
    return inspection.Signature(method="", inputs=found, outputs={})


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_that_the_api_takes_gets_varied_inputs_that_fit(dtype):
    wanted = signature(x=(dtype, (-1, 6)))

    made = inputs.make(wanted)

    assert (len(made.made), made.problem) == (inputs.COUNT, "")
    assert len({spread.input_keys(case) for case in made.made}) >= 8
    assert [signatures.misfit(case, wanted) for case in made.made] == [""] * inputs.COUNT


def test_made_inputs_are_the_same_on_every_machine():
    made = inputs.make(
        signature(x=("DT_FLOAT", (-1, 3, 2)), ids=("DT_INT64", (-1, 4)), mask=("DT_BOOL", (-1,)))
    )

    values = b"".join(case.inputs[name].tobytes() for case in made.made for name in sorted(case.inputs))

    assert (
        hashlib.sha256(values).hexdigest()
        == "198fe4eb2b2f78164094506e9f9d95782f89a3a7e459f328973d12ff7b3230d7"
    )


def test_the_scales_reach_from_small_to_pixels():
    made = inputs.make(signature(x=("DT_FLOAT", (-1, 100))))

    largest = [float(np.abs(case.inputs["x"]).max()) for case in made.made]

    assert min(largest) < 0.1
    assert max(largest) > 200
    assert any((case.inputs["x"] < 0).any() for case in made.made)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((-1, 28, 28, 1), (1, 28, 28, 1)),
        ((-1, -1, -1, 3), (1, 96, 96, 3)),
        ((-1, -1), (1, 16)),
        ((8, 4), (8, 4)),
        ((), ()),
        (None, (1,)),
    ],
)
def test_unknown_sizes_are_chosen(shape, expected):
    made = inputs.make(signature(x=("DT_FLOAT", shape)))

    assert {case.inputs["x"].shape for case in made.made} == {expected}


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (signature(), "the signature has no inputs"),
        (signature(text=("DT_STRING", (-1,))), "input text takes strings"),
        (
            signature(x=("DT_HALF", (-1,))),
            "input x is of type DT_HALF, which TensorFlow Serving's REST API does not take",
        ),
        (
            signature(x=("DT_FLOAT", (-1, 4000, 4000, 3))),
            "one input holds 48000000 values, too many to make several",
        ),
    ],
)
def test_what_cannot_be_made_is_said_with_what_to_add(wanted, problem):
    made = inputs.make(wanted)

    assert made.made == ()
    assert problem in made.problem


def test_large_inputs_are_fewer():
    assert len(inputs.make(signature(x=("DT_FLOAT", (-1, 300, 300, 3)))).made) == 7


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.tuples(
            st.sampled_from(TYPES), st.one_of(st.none(), st.lists(st.integers(-1, 6), max_size=5).map(tuple))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_signature_of_numbers_gets_inputs(tensors):
    made = inputs.make(signature(**tensors))

    assert len(made.made) == inputs.COUNT
    assert all(encoding.body(case, "s").startswith(b"{") for case in made.made)
