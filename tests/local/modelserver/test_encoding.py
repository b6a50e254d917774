"""REST predict: every type in and out, and the borders of each."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.modelserver import errors, jsondocs
from tests.local.modelserver import servers

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")


@pytest.fixture(scope="module")
def casting(batching_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    flags = ("--model_name=m", f"--model_base_path={batching_models / 'casting'}")
    with servers.running(tmp_path_factory.mktemp("casting"), *flags) as process:
        yield process


def out(server: servers.Server, dtype: str, *values: float) -> servers.Answer:
    return server.predict("m", {"signature_name": f"cast_{dtype}", "instances": list(values)})


@pytest.mark.parametrize(
    ("dtype", "want"),
    [
        *((dtype, "[3, 100") for dtype in INTEGERS),
        ("float64", "[3.0, 100.0"),
        ("bool", "[true, true"),
        ("string", '["3.000000", "100.000000"'),
    ],
)
def test_each_type_is_written_in_its_own_way(casting: servers.Server, dtype: str, want: str) -> None:
    answer = out(casting, dtype, 3, 100)
    assert answer.body == f'{{\n    "predictions": {want}\n    ]\n}}'


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("float16", "half"),
        ("bfloat16", "bfloat16"),
        ("complex64", "complex64"),
        ("complex128", "complex128"),
        ("uint16", "uint16"),
    ],
)
@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_some_types_cannot_be_written(casting: servers.Server, dtype: str, name: str, key: str) -> None:
    answer = casting.predict("m", {"signature_name": f"cast_{dtype}", key: [1]})
    assert (answer.status, answer.error) == (400, f"Failed to write JSON value for tensor type: {name}")


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        *((dtype, -(2**31), 2**31 - 1) for dtype in ("int8", "int16", "int32", "uint8")),
        ("int64", -(2**63), 2**63 - 1),
        ("uint32", 0, 2**32 - 1),
        ("uint64", 0, 2**64 - 1),
    ],
)
def test_integers_are_taken_up_to_their_borders(
    server: servers.Server, dtype: str, low: int, high: int
) -> None:
    assert server.predict("zoo", {"signature_name": dtype, "inputs": [low, high]}).status == 200
    for beyond in (low - 1, high + 1):
        answer = server.predict("zoo", {"signature_name": dtype, "inputs": [beyond]})
        assert answer.status == 400
        assert answer.error.endswith(f" Type: Number is not of expected type: {dtype}")


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        (2**64 - 1, str(2**64 - 1)),
        (2**64, "1.84467441e+19"),
        (-(2**63) - 1, "-9.22337204e+18"),
        (10**40, "1e+40"),
    ],
)
def test_an_integer_beyond_64_bits_is_a_decimal_number(
    server: servers.Server, value: int, quoted: str
) -> None:
    answer = server.predict("zoo", {"signature_name": "int64", "inputs": value})
    assert answer.error == f"JSON Value: {quoted} Type: Number is not of expected type: int64"


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(
    ("value", "quoted", "kind"),
    [("1.0", "1.0", "Number"), ("1e0", "1.0", "Number"), ("true", "true", "True"), ('"1"', '"1"', "String")],
)
def test_only_integers_are_integers(
    server: servers.Server, dtype: str, value: str, quoted: str, kind: str
) -> None:
    body = f'{{"signature_name": "{dtype}", "inputs": {value}}}'
    answer = server.predict("zoo", body.encode())
    want = f"JSON Value: {quoted} Type: {kind} is not of expected type: {dtype}"
    assert (answer.status, answer.error) == (400, want)


@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        ("bool", 1, "Number"),
        ("bool", "true", "String"),
        ("bool", None, "Null"),
        ("string", True, "True"),
        ("string", None, "Null"),
        ("float32", "1", "String"),
        ("float64", False, "False"),
    ],
)
def test_no_type_is_taken_for_another(server: servers.Server, dtype: str, value: object, kind: str) -> None:
    answer = server.predict("zoo", {"signature_name": dtype, "inputs": value})
    name = {"float32": "float", "float64": "double"}.get(dtype, dtype)
    want = f"JSON Value: {json.dumps(value)} Type: {kind} is not of expected type: {name}"
    assert (answer.status, answer.error) == (400, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_take_integers_that_they_hold_exactly(server: servers.Server, dtype: str) -> None:
    bits = {"float32": 24, "float64": 53}[dtype]
    largest = 2**bits - 1
    answer = server.predict("zoo", {"signature_name": dtype, "inputs": [largest, -largest, 0]})
    assert answer.json == {"outputs": [float(largest), float(-largest), 0.0]}
    refused = server.predict("zoo", {"signature_name": dtype, "inputs": [-largest - 1]})
    name = {"float32": "float", "float64": "double"}[dtype]
    want = f"Cannot convert JSON value: {-largest - 1} to {name} without loss of precision."
    assert (refused.status, refused.error) == (400, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_the_infinities_go_both_ways(server: servers.Server, dtype: str) -> None:
    body = f'{{"signature_name": "{dtype}", "inputs": [NaN, Infinity, -Infinity, Inf, -Inf]}}'
    answer = server.predict("zoo", body.encode())
    assert [line.strip(" ,") for line in answer.body.splitlines()[2:-2]] == [
        *("NaN", "Infinity", "-Infinity", "Infinity", "-Infinity")
    ]


@pytest.mark.parametrize(
    "value", [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e16, 123456.7]
)
def test_doubles_come_back_bit_for_bit(server: servers.Server, value: float) -> None:
    answer = server.predict("zoo", {"signature_name": "float64", "inputs": value})
    assert float(answer.json["outputs"]).hex() == value.hex()


@pytest.mark.parametrize("text", ["1e400", "-1e400"])
def test_numbers_beyond_doubles_are_a_parse_error(server: servers.Server, text: str) -> None:
    answer = server.predict("line", f'{{"inputs": {text}}}'.encode())
    want = "JSON Parse error: Number too big to be stored in double. at offset: 11"
    assert (answer.status, answer.error) == (400, want)


def test_an_answer_of_no_rows_has_no_row_format(casting: servers.Server) -> None:
    answer = casting.predict("m", {"signature_name": "none", "instances": [1]})
    assert (answer.status, answer.error) == (400, "Tensor name: y has invalid batch size: 0")
    assert casting.predict("m", {"signature_name": "none", "inputs": [1]}).json == {"outputs": []}


def test_a_lone_base64_object_is_no_row_of_two_inputs(casting: servers.Server) -> None:
    answer = casting.predict("m", {"signature_name": "pair", "instances": [{"b64": "AA=="}]})
    want = "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}."
    assert (answer.status, answer.error) == (400, want)


@pytest.mark.parametrize("text", ["AP8=", "AP8", "AP8.", " A\nP8 = ", "AP+/", ""])
def test_base64_may_lack_its_padding_and_have_spaces(server: servers.Server, text: str) -> None:
    answer = server.predict("zoo", {"signature_name": "raw", "instances": [{"b64": text}]})
    want = {"": "", "AP+/": "AP+/"}.get(text, "AP8=")
    assert answer.json == {"predictions": [{"b64": want}]}


@pytest.mark.parametrize("text", ["A", "AP8==", "AP+/=", "AP-_", "=AP8", "\u00fc"])
def test_base64_of_another_alphabet_or_padding_is_refused(server: servers.Server, text: str) -> None:
    answer = server.predict("zoo", {"signature_name": "raw", "inputs": {"b64": text}})
    assert (answer.status, answer.error) == (400, "Unable to base64 decode")


def test_base64_and_text_may_be_mixed_in_named_rows(casting: servers.Server) -> None:
    rows = [{"a": {"b64": "YQ=="}, "b": "b"}, {"a": "c", "b": {"b64": "ZA=="}}]
    answer = casting.predict("m", {"signature_name": "pair", "instances": rows})
    assert answer.json == {"predictions": ["ab", "cd"]}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (b" ", "The document is empty. at offset: 1"),
        (b"nul", "Invalid value. at offset: 3"),
        (b'{"inputs" 1}', "Missing a colon after a name of object member. at offset: 10"),
        (b'{"inputs": 1', "Missing a comma or '}' after an object member. at offset: 12"),
        (b'{"inputs": "x', "Missing a closing quotation mark in string. at offset: 13"),
        (b'{"inputs": "\\x"}', "Invalid escape character in string. at offset: 12"),
        (b'{"inputs": "\x01"}', "Invalid encoding in string. at offset: 12"),
        (b'{"inputs": 1.}', "Miss fraction part in number. at offset: 13"),
        (b'{"inputs": 1e}', "Miss exponent in number. at offset: 13"),
    ],
)
def test_what_is_no_json_is_told_as_rapidjson_tells_it(text: bytes, want: str) -> None:
    with pytest.raises(errors.ServingError) as caught:
        jsondocs.parse_object(text)
    assert caught.value.status_text == f"INVALID_ARGUMENT: JSON Parse error: {want}"


def test_a_byte_order_mark_and_what_follows_the_document_are_ignored() -> None:
    assert jsondocs.parse_object(b'\xef\xbb\xbf{"inputs": 1}}]') == {"inputs": 1}
    assert math.isnan(jsondocs.parse_object(b'{"inputs": NaN} {')["inputs"])


@pytest.mark.parametrize("key", ["instances", "inputs"])
@pytest.mark.parametrize(
    ("depth", "want"), [(62, ""), (500, "tensor parsing error: "), (100_000, "JSON Parse error: ")]
)
def test_nesting_has_an_end(server: servers.Server, key: str, depth: int, want: str) -> None:
    body = f'{{"signature_name": "float32", "{key}": {"[" * depth}1{"]" * depth}}}'
    answer = server.predict("zoo", body.encode())
    if want:
        assert (answer.status, want in answer.error) == (400, True)
    else:
        assert answer.status == 200


STATUSES = {
    200: {"OK"},
    400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"},
    401: {"UNAUTHENTICATED"},
    403: {"PERMISSION_DENIED"},
    404: {"NOT_FOUND"},
    409: {"ALREADY_EXISTS", "ABORTED"},
    429: {"RESOURCE_EXHAUSTED"},
    499: {"CANCELLED"},
    500: {"UNKNOWN", "INTERNAL", "DATA_LOSS"},
    501: {"UNIMPLEMENTED"},
    503: {"UNAVAILABLE"},
    504: {"DEADLINE_EXCEEDED"},
}


def test_every_code_has_its_http_status() -> None:
    found = {
        status: {code.name for code, own in errors.HTTP_STATUS.items() if own == status}
        for status in STATUSES
    }
    assert found == STATUSES
    assert set(errors.HTTP_STATUS) == set(errors.Code)
