"""REST errors: codes and words."""

import pytest

from tests.local.modelserver import servers

ROW = "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
NOT_FLOAT = "is not of expected type: float"
LOSSY = "without loss of precision."


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("{", "JSON Parse error: Missing a name for object member. at offset: 1"),
        ('{"instances": [1,]}', "JSON Parse error: Invalid value. at offset: 17"),
        (
            '{"instances": [1 2]}',
            "JSON Parse error: Missing a comma or ']' after an array element. at offset: 17",
        ),
        ("[1]", "JSON Value: [\n    1\n] Is not object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        (
            '{"instances": 3}',
            "JSON Value: {\n    \"instances\": 3\n} Excepting 'instances' to be an list/array",
        ),
        ('{"instances": []}', "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
        (
            '{"instances": [1], "inputs": 2}',
            'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": 2\n} Not formatted correctly'
            " expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        (
            '{"signature_name": 1}',
            'JSON Value: {\n    "signature_name": 1\n} not formatted correctly.'
            " 'signature_name' key must be a string value.",
        ),
        ('{"signature_name": "s"}', 'Serving signature name: "s" not found in signature def'),
        ('{"instances": ["a"]}', f'{ROW}JSON Value: "a" Type: String {NOT_FLOAT}'),
        ('{"instances": [null]}', f"{ROW}JSON Value: null Type: Null {NOT_FLOAT}"),
        ('{"instances": [true]}', f"{ROW}JSON Value: true Type: True {NOT_FLOAT}"),
        ('{"instances": [16777216]}', f"{ROW}Cannot convert JSON value: 16777216 to float {LOSSY}"),
        ('{"instances": [1e39]}', f"{ROW}Cannot convert JSON value: 1e+39 to float {LOSSY}"),
        (
            '{"instances": [1, [2]]}',
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [] but got: [1]",
        ),
        (
            '{"instances": [[1, 2], [3]]}',
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 2 but"
            " got: 1",
        ),
        ('{"instances": [[1, [2]]]}', f"{ROW}Encountered list at unexpected level: 1 expected < 1"),
        (
            '{"instances": [[[1], 2]]}',
            f"{ROW}JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            '{"instances": [[[1], [2, 3]]]}',
            f"{ROW}Encountered list at unexpected size: 2 at level: 1 expected size: 1",
        ),
        (
            '{"instances": [{"z": 1}]}',
            "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not"
            " have named input: z",
        ),
        (
            '{"instances": [{}]}',
            "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal to: x",
        ),
        ('{"instances": [{"x": 1}, 2]}', "Expecting object but got list at item 1 of input list"),
        ('{"instances": [1, {"x": 2}]}', "Expecting value/list but got object at item 1 of input list"),
        ('{"inputs": {"z": 1}}', "Missing named input: x in 'inputs' object."),
        ('{"inputs": {"x": "a"}}', f'JSON Value: "a" Type: String {NOT_FLOAT}'),
    ],
)
def test_a_bad_request_is_told_what_is_wrong_with_it(server: servers.Server, body: str, want: str) -> None:
    answer = server.predict("line", body.encode())
    assert (answer.status, answer.error) == (400, want)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("document", "status", "want"),
    [
        ({"signature_name": "scalar", "instances": [1]}, 400, "Tensor name: y has no shape information "),
        (
            {"signature_name": "unequal", "instances": [1, 2]},
            400,
            "Tensor name: b has inconsistent batch size: 1 expecting: 2",
        ),
        (
            {"signature_name": "several", "instances": [1]},
            400,
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map",
        ),
        (
            {"signature_name": "several", "inputs": [1]},
            400,
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
            " tensorinfo_map",
        ),
        (
            {"signature_name": "int32", "inputs": [1.0]},
            400,
            "JSON Value: 1.0 Type: Number is not of expected type: int32",
        ),
        (
            {"signature_name": "int32", "inputs": 2**31},
            400,
            "JSON Value: 2147483648 Type: Number is not of expected type: int32",
        ),
        (
            {"signature_name": "string", "inputs": 1},
            400,
            "JSON Value: 1 Type: Number is not of expected type: string",
        ),
        ({"signature_name": "string", "inputs": {"b64": "?"}}, 400, "Unable to base64 decode"),
        (
            {"signature_name": "string", "inputs": [{"b": "?"}]},
            400,
            'JSON Value: {\n    "b": "?"\n} not formatted correctly for base64 data',
        ),
        (
            {"signature_name": "__saved_model_init_op", "instances": [1]},
            400,
            "Failed to get input map for signature: __saved_model_init_op",
        ),
        ({"signature_name": "float16", "inputs": 1}, 501, "Conversion of JSON Value: 1 to type: half"),
        ({"signature_name": "bfloat16", "inputs": 1}, 501, "Conversion of JSON Value: 1 to type: bfloat16"),
        ({"signature_name": "complex64", "inputs": 1}, 501, "Conversion of JSON Value: 1 to type: complex64"),
        ({"signature_name": "uint16", "inputs": 1}, 501, "Conversion of JSON Value: 1 to type: uint16"),
        ({"signature_name": "float16", "inputs": []}, 200, None),
        ({"signature_name": "half", "inputs": [1]}, 400, "Failed to write JSON value for tensor type: half"),
    ],
)
def test_types_and_layouts_that_do_not_fit(
    server: servers.Server, document: dict, status: int, want: str | None
) -> None:
    answer = server.predict("zoo", document)
    assert (answer.status, answer.json.get("error")) == (status, want)


@pytest.mark.parametrize(
    ("verb", "path", "status", "want"),
    [
        ("POST", "/v1/models/none:predict", 404, "Servable not found for request: Latest(none)"),
        (
            "POST",
            "/v1/models/line/versions/9:predict",
            404,
            "Servable not found for request: Specific(line, 9)",
        ),
        ("POST", "/v1/models/line/labels/canary:predict", 400, "Unrecognized servable version label: canary"),
        ("GET", "/v1/models/none/metadata", 404, "Servable not found for request: Latest(none)"),
        (
            "GET",
            "/v1/models/line/versions/9/metadata",
            404,
            "Servable not found for request: Specific(line, 9)",
        ),
        ("GET", "/v1/models/none", 404, "Could not find any versions of model none"),
        ("GET", "/v1/models/line/versions/9", 404, "Could not find version 9 of model line"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/line:predict", 400, "Malformed request: GET /v1/models/line:predict"),
        ("POST", "/v1/models/line", 400, "Malformed request: POST /v1/models/line"),
        ("POST", "/v1/models/line:guess", 400, "Malformed request: POST /v1/models/line:guess"),
        ("PUT", "/v1/models/line", 400, "Malformed request: PUT /v1/models/line"),
        ("GET", "/v1/models/line/", 400, "Malformed request: GET /v1/models/line/"),
        ("GET", "/v1/models/line/metadata?a=b", 400, "Malformed request: GET /v1/models/line/metadata?a=b"),
        ("GET", "/v1/models/line/versions/x", 400, "Malformed request: GET /v1/models/line/versions/x"),
    ],
)
def test_a_request_for_something_else(
    server: servers.Server, verb: str, path: str, status: int, want: str
) -> None:
    answer = server.request(verb, path, b'{"instances": [0]}' if verb == "POST" else None)
    assert (answer.status, answer.error) == (status, want)
    assert answer.body == '{\n    "error": "' + want + '"\n}'


def test_bad_json_is_noticed_before_an_unknown_model(server: servers.Server) -> None:
    assert server.predict("none", b"{").error.startswith("JSON Parse error: ")


def test_a_version_beyond_int64_is_refused_without_words(server: servers.Server) -> None:
    answer = server.get("/v1/models/line/versions/9223372036854775808")
    assert (answer.status, answer.body) == (400, "")
    assert server.get("/v1/models/line/versions/9223372036854775807").status == 404


def test_outside_of_the_api_an_html_page_says_not_found(server: servers.Server) -> None:
    answer = server.get("/healthz")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html")
    assert "<H1>Not Found</H1>" in answer.body


def test_the_runtimes_own_words_reach_the_client(server: servers.Server) -> None:
    answer = server.predict("dense", {"instances": [[1, 2, 3, 4, 5]] * 2})
    assert answer.status == 400
    assert answer.error.startswith("Matrix size-incompatible: In[0]: [2,5], In[1]: [4,3]\n\t [[{{")


def test_a_version_without_its_index_loads_and_fails_when_it_is_asked(server: servers.Server) -> None:
    assert server.states("noindex") == {1: "AVAILABLE"}
    answer = server.predict("noindex", {"instances": [[1, 2, 3, 4]]})
    assert answer.status == 400
    assert answer.error.startswith("Could not find variable ")
