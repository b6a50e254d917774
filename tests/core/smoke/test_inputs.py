import base64
import hashlib
import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import encoding, inputs, signatures, spread, tfexamples

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

EXAMPLE = "0a3b0a110a0166120c120a0a080000003f000000c00a160a016e12111a0f0a0d01ffffffffffffffffff01ac020a0e0a017312090a070a037265640a00"


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
        == "240e36b8c15c3bca99b8362a74945045e61daba4812372276765616c60dbe686"
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
        ((-1, -1, -1, -1, 3), (1, 8, 96, 96, 3)),
        ((8, 4), (8, 4)),
        ((), ()),
    ],
)
def test_unknown_sizes_are_chosen(shape, expected):
    made = inputs.make(signature(x=("DT_FLOAT", shape)))

    assert {case.inputs["x"].shape for case in made.made} == {expected}


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (signature(), "the signature has no inputs"),
        (signature(text=("DT_STRING", (-1,))), 'add smoke.cases, such as [{name: a, inputs: {text: ["…"]}}]'),
        (signature(x=("DT_FLOAT", (-1, 0))), "hold no values"),
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
            st.sampled_from(TYPES),
            st.one_of(st.none(), st.lists(st.integers(-1, 6).filter(bool), max_size=5).map(tuple)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_signature_of_numbers_gets_inputs(tensors):
    made = inputs.make(signature(**tensors))

    assert len(made.made) == inputs.COUNT
    assert all(encoding.body(case, "s").startswith(b"{") for case in made.made)


def test_a_model_of_unknown_rank_may_refuse_one_of_two_shapes():
    made = inputs.make(signature(x=("DT_FLOAT", None)))

    shapes = [case.inputs["x"].shape for case in made.made]

    assert (shapes.count((1,)), shapes.count((1, 16))) == (6, 6)


def test_a_batch_size_that_one_input_fixes_holds_for_all():
    made = inputs.make(
        signature(x=("DT_FLOAT", (8, 4)), y=("DT_INT64", (-1, 2)), threshold=("DT_FLOAT", ()))
    ).made

    assert [made[0].inputs[name].shape for name in ("x", "y", "threshold")] == [(8, 4), (8, 2), ()]
    assert len({tuple(row) for row in made[0].inputs["x"].tolist()}) == 8


def test_masks_hide_nothing_and_lengths_fit():
    made = inputs.make(
        signature(
            ids=("DT_INT32", (-1, 12)),
            attention_mask=("DT_INT32", (-1, 12)),
            visible_mask=("DT_BOOL", (-1, 12)),
            token_type_ids=("DT_INT32", (-1, 12)),
            seq_len=("DT_INT32", (-1,)),
        )
    )

    lengths = {int(case.inputs["seq_len"][0]) for case in made.made}

    assert all(case.inputs["attention_mask"].min() == 1 for case in made.made)
    assert all(case.inputs["visible_mask"].all() for case in made.made)
    assert all(not case.inputs["token_type_ids"].any() for case in made.made)
    assert lengths <= set(range(1, 13))
    assert len(lengths) > 4


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"),
    [("DT_INT8", -128, 127), ("DT_INT16", -32768, 32767), ("DT_UINT8", 0, 255)],
)
def test_narrow_integers_reach_over_their_range(dtype, lowest, highest):
    found = [case.inputs["x"] for case in inputs.make(signature(x=(dtype, (-1, 400)))).made]

    least, most = min(int(x.min()) for x in found), max(int(x.max()) for x in found)

    assert lowest <= least
    assert most <= highest
    assert most - least > 0.9 * (highest - lowest)


def inspected(wanted: inspection.Signature, **fields) -> inspection.Inspection:
    return inspection.build(signatures={"serving_default": wanted}, **fields)


def hinted(wanted: inspection.Signature, **hints: inspection.Hint) -> inspection.Inspection:
    return inspected(wanted, hints={"serving_default": hints})


@pytest.mark.parametrize(
    ("dtype", "shape"), [("DT_INT64", (-1, 9)), ("DT_INT32", (-1,)), ("DT_FLOAT", (-1, 9))]
)
@pytest.mark.parametrize("size", [1, 2, 3, 12, 13, 30_000])
def test_ids_stay_within_their_table(dtype, shape, size):
    wanted = signature(ids=(dtype, shape))

    made = inputs.make(wanted, hinted(wanted, ids=inspection.Hint(ids=size)))

    found = [case.inputs["ids"] for case in made.made]
    assert all(ids.min() >= 0 and ids.max() < size for ids in found)
    if size == 30_000:
        assert max(ids.max() for ids in found) > 20_000
        assert len({ids.tobytes() for ids in found}) == inputs.COUNT


def test_hints_of_another_models_signature_are_not_used():
    wanted = signature(ids=("DT_INT64", (-1, 9)))
    other = signature(ids=("DT_INT64", (-1, 8)))

    assert repr(inputs.make(wanted, hinted(other, ids=inspection.Hint(ids=2)))) == repr(inputs.make(wanted))


WORDS = ("cat", "dog", "mat")


def test_words_of_the_vocabulary_are_sent_one_by_one():
    wanted = signature(word=("DT_STRING", (-1,)))

    made = inputs.make(
        wanted, hinted(wanted, word=inspection.Hint(reads=inspection.Reads.Words, words=WORDS))
    )

    assert {case.inputs["word"][0] for case in made.made} == set(WORDS)


def test_texts_are_sentences_of_the_vocabulary():
    wanted = signature(text=("DT_STRING", (-1, 2)))

    made = inputs.make(wanted, hinted(wanted, text=inspection.Hint(reads=inspection.Reads.Text, words=WORDS)))

    texts = [text for case in made.made for text in case.inputs["text"][0]]
    assert len(texts) == 2 * inputs.COUNT
    assert {word for text in texts for word in text.split()} == set(WORDS)
    assert len(set(texts)) > inputs.COUNT


@pytest.mark.parametrize(
    ("hint", "problem"),
    [
        (
            inspection.Hint(reads=inspection.Reads.Words),
            "words of a vocabulary that the model's files do not show",
        ),
        (inspection.Hint(reads=inspection.Reads.Examples), "files do not show of which features"),
    ],
)
def test_strings_of_which_too_little_is_known_are_not_made(hint, problem):
    wanted = signature(x=("DT_STRING", (-1,)))

    made = inputs.make(wanted, hinted(wanted, x=hint))

    assert made.made == ()
    assert problem in made.problem
    assert "add smoke.cases" in made.problem


@pytest.mark.parametrize("name", ["image_bytes", "content"])
def test_encoded_images_are_pictures_that_differ(name):
    wanted = signature(**{name: ("DT_STRING", (-1,))})

    made = inputs.make(wanted, hinted(wanted, content=inspection.Hint(reads=inspection.Reads.Image)))

    sent = [base64.b64decode(case.inputs[name][0]["b64"]) for case in made.made]
    assert len(set(sent)) >= 8
    for content in sent:
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        start = content.index(b"IDAT")
        length = int.from_bytes(content[start - 4 : start], "big")
        assert len(zlib.decompress(content[start + 4 : start + 4 + length])) == 96 * (96 * 3 + 1)


def feature(name: str, dtype: str, *shape: int) -> inspection.Feature:
    return inspection.Feature(name=name, dtype=dtype, shape=shape, has_default=False)


def test_examples_hold_every_feature_that_the_graph_parses():
    wanted = signature(examples=("DT_STRING", (-1,)))
    features = (
        feature("age", "DT_FLOAT", 1),
        feature("city", "DT_STRING"),
        feature("visits", "DT_INT64", 2, 2),
        inspection.Feature(name="tags", dtype="DT_INT64", shape=None, has_default=True),
    )
    report = inspected(
        wanted,
        hints={"serving_default": {"examples": inspection.Hint(reads=inspection.Reads.Examples)}},
        features={"serving_default": features},
    )

    made = inputs.make(wanted, report)

    sent = [base64.b64decode(case.inputs["examples"][0]["b64"]) for case in made.made]
    assert len(set(sent)) == inputs.COUNT
    assert all(f.name.encode() in content for f in features for content in sent)


def test_an_example_is_written_as_protobuf_writes_it():
    """The bytes of tf.train.Example(...).SerializeToString(deterministic=True)."""
    written = tfexamples.serialise({"n": [1, -1, 300], "f": [0.5, -2.0], "s": [b"red", b""]})

    assert written.hex() == EXAMPLE


def test_made_strings_are_the_same_on_every_machine():
    wanted = signature(
        examples=("DT_STRING", (-1,)), photo_bytes=("DT_STRING", (-1,)), text=("DT_STRING", (-1,))
    )
    report = inspected(
        wanted,
        hints={
            "serving_default": {
                "examples": inspection.Hint(reads=inspection.Reads.Examples),
                "photo_bytes": inspection.Hint(reads=inspection.Reads.Image),
                "text": inspection.Hint(reads=inspection.Reads.Text, words=WORDS),
            }
        },
        features={"serving_default": (feature("age", "DT_FLOAT", 3), feature("visits", "DT_INT64", 12))},
    )

    made = inputs.make(wanted, report)

    text = json.dumps([case.inputs for case in made.made], sort_keys=True)
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "caf053f0132d3cf9c060b4a04ab3f8e906851cbb029bdc7c9cb74fb0e8446937"
    )
