"""The REST calls on examples, classify and regress: their requests out of JSON and their answers as JSON."""

from typing import Any, Final

from local.modelserver import examples, inference, jsondocs, jsoninput, jsonoutput, protos, savedmodel

_INDENT: Final = "    "


def read_request(method: str, name: str, body: bytes) -> Any:
    """Return the request that a body holds; `method` is ``classify`` or ``regress``, `name` the model's."""
    request = (
        protos.classification_pb2.ClassificationRequest()
        if method == "classify"
        else protos.regression_pb2.RegressionRequest()
    )
    document = jsondocs.parse_object(body)
    request.model_spec.name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    request.model_spec.signature_name = jsoninput.read_signature_name(document)
    request.input.CopyFrom(examples.from_document(document))
    return request


def answer(method: str, model: savedmodel.SavedModel, request: Any, options: inference.Options) -> bytes:
    """Return the body of a call's answer."""
    if method == "classify":
        return _body(_rows(inference.classify(model, request, options).result.classifications))
    regressions = inference.regress(model, request, options).result.regressions
    return _body(f"[{', '.join(_decimal(each.value) for each in regressions)}]")


def _rows(classifications: Any) -> str:
    rows = [
        f"[{', '.join(f'[{jsonoutput.quote(each.label)}, {_decimal(each.score)}]' for each in row.classes)}]"
        for row in classifications
    ]
    return f"[{', '.join(rows)}\n{_INDENT}]"


def _decimal(value: float) -> str:
    return jsonoutput.decimal_text(value, is_single=True)


def _body(results: str) -> bytes:
    return jsonoutput.encode(f'{{\n{_INDENT}"results": {results}\n}}')
