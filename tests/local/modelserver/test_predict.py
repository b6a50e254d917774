"""REST predict: what goes in, what comes out."""

import gzip
import json
import math
from concurrent import futures

import pytest

from tests.local.modelserver import servers


def test_rows_give_predictions_on_one_line(server: servers.Server) -> None:
    answer = server.predict("line", {"instances": [1.0, 2.0, 5.0]}, version=1)
    assert answer.body == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_columns_give_outputs_one_value_per_line(server: servers.Server) -> None:
    answer = server.predict("line", {"inputs": [1.0, 2.0]}, version=1)
    assert answer.body == '{\n    "outputs": [\n        2.5,\n        3.0\n    ]\n}'


def test_without_a_version_the_highest_answers(server: servers.Server) -> None:
    pinned = [server.predict("line", {"instances": [0]}, version=version).json for version in (1, 2)]
    assert pinned == [{"predictions": [2.0]}, {"predictions": [3.0]}]
    assert server.predict("line", {"instances": [0]}).json == {"predictions": [3.0]}


def test_a_named_input_may_be_given_in_rows_and_in_columns(server: servers.Server) -> None:
    assert server.predict("line", {"instances": [{"x": 1}, {"x": 2}]}).json == {"predictions": [3.5, 4.0]}
    assert server.predict("line", {"inputs": {"x": [1, 2]}}).json == {"outputs": [3.5, 4.0]}


def test_shapes_of_the_signature_are_not_enforced(server: servers.Server) -> None:
    answer = server.predict("line", {"instances": [[[1], [2]], [[3], [4]]]}, version=1)
    assert answer.json == {"predictions": [[[2.5], [3.0]], [[3.5], [4.0]]]}
    assert answer.body == '{\n    "predictions": [[[2.5], [3.0]], [[3.5], [4.0]]\n    ]\n}'


def test_several_outputs_become_objects_in_rows(server: servers.Server) -> None:
    rows = [{"a": 1, "b": [2, 3]}, {"a": 4, "b": [5, 6]}]
    answer = server.predict("zoo", {"signature_name": "several", "instances": rows})
    want = """{
    "predictions": [
        {
            "a": 2.0,
            "b": [2.0, 3.0],
            "name": "1"
        },
        {
            "a": 8.0,
            "b": [5.0, 6.0],
            "name": "4"
        }
    ]
}"""
    assert answer.body == want


def test_several_outputs_become_an_object_in_columns(server: servers.Server) -> None:
    answer = server.predict("zoo", {"signature_name": "several", "inputs": {"a": [1], "b": [[2, 3]]}})
    assert answer.json == {"outputs": {"a": [2.0], "b": [[2.0, 3.0]], "name": ["1"]}}
    assert '        "b": [\n            [\n                2.0,\n' in answer.body


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", [0.1, -1.5, 3, 1e-7, 12345678, 3.4e38]),
        ("float64", [0.1, 1 / 3, 1e300, 2]),
        ("int8", [-128, 127]),
        ("int16", [-32768, 32767]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint8", [0, 255]),
        ("uint32", [0, 2**32 - 1]),
        ("uint64", [0, 2**64 - 1]),
        ("bool", [True, False]),
        ("string", ["a", "ü€😀", 'quote " slash \\ / tab \t bell \a', ""]),
    ],
)
@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_each_type_comes_back_as_it_went_in(
    server: servers.Server, dtype: str, values: list, key: str
) -> None:
    answer = server.predict("zoo", {"signature_name": dtype, key: values})
    assert answer.status == 200, answer.body
    ((_, found),) = answer.json.items()
    assert found == pytest.approx(values, rel=1e-7) if dtype == "float32" else found == values
    assert [type(each) for each in found] == [float if "float" in dtype else type(each) for each in values]


@pytest.mark.parametrize(
    ("dtype", "value", "want"),
    [
        ("float32", 0.2, "0.2"),
        ("float32", 0.123456789, "0.123456791"),
        ("float64", 1 / 3, "0.33333333333333331"),
        ("float32", 9000000, "9e+06"),
        ("float32", 0.00003, "3e-05"),
        ("float64", 1, "1.0"),
        ("float32", -0.0, "-0.0"),
    ],
)
def test_numbers_have_six_digits_where_they_are_enough(
    server: servers.Server, dtype: str, value: float, want: str
) -> None:
    answer = server.predict("zoo", {"signature_name": dtype, "inputs": value})
    assert answer.body == f'{{\n    "outputs": {want}\n}}'


def test_nan_and_infinities_are_bare_words(server: servers.Server) -> None:
    answer = server.predict("line", b'{"instances": [NaN, Infinity, -Infinity]}')
    assert "[NaN, Infinity, -Infinity\n" in answer.body
    assert [math.isnan(each) or each for each in answer.json["predictions"]] == [True, math.inf, -math.inf]


def test_integers_too_long_for_a_small_type_lose_their_upper_bits(server: servers.Server) -> None:
    answer = server.predict("zoo", {"signature_name": "uint8", "instances": [256, 257, -1]})
    assert answer.json == {"predictions": [0, 1, 255]}


def test_base64_strings_go_in_anywhere_and_come_out_of_names_that_end_in_bytes(
    server: servers.Server,
) -> None:
    instances = [{"b64": "AP8="}, "text"]
    answer = server.predict("zoo", {"signature_name": "raw", "instances": instances})
    want = """{
    "predictions": [{
            "b64": "AP8="
        }, {
            "b64": "dGV4dA=="
        }
    ]
}"""
    assert answer.body == want
    assert server.predict("zoo", {"signature_name": "raw", "inputs": {"b64": "AP8"}}).json == {
        "outputs": {"b64": "AP8="}
    }


def test_base64_strings_are_indented_by_their_depth(server: servers.Server) -> None:
    answer = server.predict("zoo", {"signature_name": "raw_columns", "instances": [{"b64": "AP8="}]})
    want = """{
    "predictions": [
        {
            "y_bytes": [{
                    "b64": "AP8="
                }],
            "z": 2
        }
    ]
}"""
    assert answer.body == want


def test_bytes_that_are_no_text_come_back_as_they_are(server: servers.Server) -> None:
    answer = server.predict("zoo", b'{"signature_name": "string", "instances": ["\xff"]}')
    assert answer.body.encode("utf-8", "surrogateescape") == b'{\n    "predictions": ["\xff"\n    ]\n}'


def test_an_output_without_columns_is_a_row_of_empty_lists(server: servers.Server) -> None:
    answer = server.predict("zoo", {"signature_name": "empty", "instances": [1, 2]})
    assert answer.body == '{\n    "predictions": [[], []\n    ]\n}'


def test_a_batch_of_no_rows_may_be_sent_in_columns(server: servers.Server) -> None:
    assert server.predict("line", {"inputs": []}).body == '{\n    "outputs": []\n}'


def test_what_follows_the_document_is_ignored(server: servers.Server) -> None:
    assert server.predict("line", b'{"instances": [0]} and more').json == {"predictions": [3.0]}


def test_extra_columns_are_ignored(server: servers.Server) -> None:
    assert server.predict("line", {"inputs": {"x": [0], "z": ["?"]}}).json == {"outputs": [3.0]}


def test_bodies_may_be_compressed(server: servers.Server) -> None:
    body = gzip.compress(json.dumps({"instances": [0]}).encode())
    answer = server.request("POST", "/v1/models/line:predict", body, {"Content-Encoding": "gzip"})
    assert answer.json == {"predictions": [3.0]}


def test_bodies_may_come_in_chunks_and_be_large(server: servers.Server) -> None:
    rows = 200_000
    body = json.dumps({"instances": [0] * rows}).encode()
    chunks = iter([body[i : i + 100_000] for i in range(0, len(body), 100_000)])
    answer = server.request("POST", "/v1/models/line:predict", chunks, {"Transfer-Encoding": "chunked"})
    assert answer.json == {"predictions": [3.0] * rows}


def test_routes_do_not_care_about_case_but_models_do(server: servers.Server) -> None:
    assert server.request("POST", "/V1/Models/line/Versions/1:predict", b'{"instances": [0]}').status == 200
    assert server.request("POST", "/v1/models/LINE:predict", b'{"instances": [0]}').status == 404


def test_names_in_paths_may_be_percent_encoded(server: servers.Server) -> None:
    assert server.request("POST", "/v1/models/%6cine:predict", b'{"instances": [0]}').status == 200


def test_thirty_two_clients_get_their_own_answers(server: servers.Server) -> None:
    def ask(client: int) -> bool:
        numbers = [float(client * 100 + i) for i in range(100)]
        answers = [server.predict("line", {"instances": [number]}, version=1).json for number in numbers]
        return answers == [{"predictions": [0.5 * number + 2.0]} for number in numbers]

    with futures.ThreadPoolExecutor(32) as clients:
        assert all(clients.map(ask, range(32)))
