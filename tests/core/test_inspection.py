import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfserving_operator.core import inspection

TENSORS = st.builds(
    inspection.Tensor,
    dtype=st.sampled_from(["DT_FLOAT", "DT_STRING"]),
    shape=st.none() | st.lists(st.integers(-1, 2**31), max_size=5).map(tuple),
)
SIGNATURES = st.builds(
    inspection.Signature,
    method=st.text(max_size=20),
    inputs=st.dictionaries(st.text(max_size=300), TENSORS, max_size=5),
    outputs=st.dictionaries(st.text(max_size=20), TENSORS, max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(
    message=st.text(max_size=5000),
    findings=st.lists(st.text(max_size=2000), max_size=20).map(tuple),
    signatures=st.dictionaries(st.text(max_size=30), SIGNATURES, max_size=5),
    ops=st.dictionaries(st.text(max_size=50), st.integers(0, 10**9), max_size=100),
)
def test_every_report_fits_and_is_read_back(message, findings, signatures, ops):
    found = inspection.build(
        "ModelInvalid",
        message,
        digest="sha256:" + "a" * 64,
        findings=findings,
        signatures=signatures,
        ops=ops,
    )

    body = inspection.render(found)

    assert len(body) <= inspection.MESSAGE_BYTES
    back = inspection.parse_termination_message(body.decode())
    assert back is not None
    assert (back.reason, back.digest) == (found.reason, found.digest)
    assert back.truncated or back == found


def test_what_matters_least_is_left_out_first():
    signature = inspection.Signature(
        method="m", inputs={"x": inspection.Tensor(dtype="DT_FLOAT", shape=(-1,))}, outputs={}
    )
    found = inspection.build(
        signatures={"s": signature}, ops={f"Op{i}" * 10: i for i in range(200)}, findings=["f"]
    )

    back = inspection.parse_termination_message(inspection.render(found).decode())

    assert back is not None
    assert (back.truncated, back.signatures, back.findings) == (True, found.signatures, ("f",))
    assert set(back.ops.values()) == set(range(199, 199 - len(back.ops), -1))


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
