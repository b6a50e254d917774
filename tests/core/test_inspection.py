import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfserving_operator.core import inspection

SHAPES = st.none() | st.lists(st.integers(-1, 2**31), max_size=5).map(tuple)
WORDS = st.lists(st.text(max_size=24), max_size=8).map(tuple)
TENSORS = st.builds(inspection.Tensor, dtype=st.sampled_from(["DT_FLOAT", "DT_STRING"]), shape=SHAPES)
SIGNATURES = st.builds(
    inspection.Signature,
    method=st.text(max_size=20),
    inputs=st.dictionaries(st.text(max_size=300), TENSORS, max_size=5),
    outputs=st.dictionaries(st.text(max_size=20), TENSORS, max_size=5),
)
ASSETS = st.builds(
    inspection.Asset,
    digest=st.just("sha256:" + "b" * 64),
    size=st.integers(0, 2**40),
    lines=st.integers(0, 2**32),
    first=st.text(max_size=40),
    is_vocabulary=st.booleans(),
    sample=WORDS,
)
FEATURES = st.builds(
    inspection.Feature,
    name=st.text(max_size=64),
    dtype=st.just("DT_INT64"),
    shape=SHAPES,
    has_default=st.booleans(),
)
HINTS = st.builds(
    inspection.Hint, ids=st.integers(0, 2**40), reads=st.sampled_from(inspection.Reads), words=WORDS
)
REPORTS = st.fixed_dictionaries(
    {
        "message": st.text(max_size=5000),
        "findings": st.lists(st.text(max_size=2000), max_size=20).map(tuple),
        "signatures": st.dictionaries(st.text(max_size=30), SIGNATURES, max_size=5),
        "ops": st.dictionaries(st.text(max_size=50), st.integers(0, 10**9), max_size=100),
        "clues": st.dictionaries(st.sampled_from(inspection.Clue), st.text(max_size=300)),
        "assets": st.dictionaries(st.text(max_size=100), ASSETS, max_size=30),
        "features": st.dictionaries(
            st.text(max_size=30), st.lists(FEATURES, max_size=64).map(tuple), max_size=3
        ),
        "hints": st.dictionaries(
            st.text(max_size=30), st.dictionaries(st.text(max_size=300), HINTS, max_size=8), max_size=3
        ),
    }
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(REPORTS)
def test_every_report_fits_and_is_read_back(fields):
    found = inspection.build(
        "ModelInvalid", digest="sha256:" + "a" * 64, weights_digest="sha256:" + "c" * 64, **fields
    )

    body = inspection.render(found)

    assert len(body) <= inspection.MESSAGE_BYTES
    back = inspection.parse_termination_message(body.decode())
    assert back is not None
    assert (back.reason, back.digest, back.weights_digest) == (
        found.reason,
        found.digest,
        found.weights_digest,
    )
    assert back.truncated or back == found


def full() -> inspection.Inspection:
    signature = inspection.Signature(
        method="m", inputs={"x": inspection.Tensor(dtype="DT_FLOAT", shape=(-1,))}, outputs={}
    )
    asset = inspection.Asset(
        digest="sha256:" + "b" * 64, size=1, lines=1, first="a", is_vocabulary=True, sample=("word",) * 8
    )
    feature = inspection.Feature(name="age", dtype="DT_INT64", shape=(1,), has_default=False)
    return inspection.build(
        signatures={"s": signature},
        ops={f"Op{i}" * 10: i for i in range(200)},
        findings=["f"],
        clues=dict.fromkeys(inspection.Clue, "detail"),
        assets={"vocab.txt": asset},
        features={"s": (feature,)},
        hints={"s": {"x": inspection.Hint(ids=3, reads=inspection.Reads.Words, words=("a", "b"))}},
    )


def test_what_matters_least_is_left_out_first():
    found = full()

    back = inspection.parse_termination_message(inspection.render(found).decode())

    assert back is not None
    assert back.truncated
    for kept in ("signatures", "findings", "clues", "assets", "features", "hints"):
        assert getattr(back, kept) == getattr(found, kept)
    assert set(back.ops.values()) == set(range(199, 199 - len(back.ops), -1))


def test_a_hundred_features_fit():
    features = tuple(
        inspection.Feature(
            name=f"a_feature_of_{i}",
            dtype="DT_FLOAT" if i < 60 else "DT_STRING",
            shape=(1,),
            has_default=i < 9,
        )
        for i in range(100)
    )
    found = inspection.build(
        features={"serving_default": features}, clues=dict.fromkeys(inspection.Clue, "d" * 60)
    )

    back = inspection.parse_termination_message(inspection.render(found).decode())

    assert back == found


def test_the_clues_are_kept_when_nearly_nothing_is():
    wide = {f"input-{i}" * 20: inspection.Tensor(dtype="DT_FLOAT", shape=(-1,)) for i in range(200)}
    found = inspection.build(
        "ModelChanged",
        "m" * 600,
        signatures={"s": inspection.Signature(method="m", inputs=wide, outputs=wide)},
        findings=["f" * 600] * 9,
        clues=dict.fromkeys(inspection.Clue, "d" * 160),
    )

    back = inspection.parse_termination_message(inspection.render(found).decode())

    assert back is not None
    assert list(back.clues) == list(inspection.Clue)
    assert (back.signatures, len(back.findings)) == ({}, 1)


def test_a_newer_inspectors_clues_are_passed_over():
    back = inspection.parse_termination_message(
        '{"inspection": 1, "clues": {"Sunspots": "x", "TimeOps": "y"}, "hints": {"s": {"x": [3, "Runes", []]}}}'
    )

    assert back is not None
    assert back.clues == {inspection.Clue.TimeOps: "y"}
    assert back.hints == {"s": {"x": inspection.Hint(ids=3)}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oops",
        "[]",
        "{}",
        '{"inspection": 2}',
        '{"inspection": 1, "signatures": 3}',
        "[" * 100_000,
        '{"inspection": 1, "ops": {"a": "b"}}',
        '{"inspection": 1, "assets": {"a": [1]}}',
    ],
)
def test_other_last_words_are_no_report(text):
    assert inspection.parse_termination_message(text) is None


def test_every_reason_has_a_code_of_its_own():
    codes = [int(code) for code in inspection.EXIT_CODES.values()]

    assert len(set(codes)) == len(codes) == len(inspection.ExitCode)
    assert not {1, 2, 126, 127, 137} & set(codes)
    assert inspection.build("Else").exit_code is inspection.ExitCode.InternalError


def test_the_message_is_plain_json():
    assert json.loads(inspection.render(inspection.build(version=3)))["version"] == 3
