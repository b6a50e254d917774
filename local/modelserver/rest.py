"""The REST API: which call a request is, and its answer."""

import dataclasses
import re
import time
import urllib.parse
from typing import Final

from local.modelserver import (
    errors,
    inference,
    jsondocs,
    jsoninput,
    jsonoutput,
    manager,
    metadata,
    metrics,
    restinference,
)

_TARGET: Final = (
    r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?:(classify|regress|predict)"
)
_PREDICTION: Final = re.compile(_TARGET, re.IGNORECASE | re.ASCII)
_STATUS: Final = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:/(metadata))?",
    re.IGNORECASE | re.ASCII,
)
_API: Final = re.compile(r"/v1/.*", re.IGNORECASE)
_METHODS: Final = frozenset({"classify", "regress", "predict"})
_METADATA: Final = "metadata"
_ENTRYPOINT: Final = "REST"
_INT64_MAX: Final = (1 << 63) - 1
JSON: Final = "application/json"
"""The content type of every answer of the API, errors included."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What goes back to the client."""

    status: int = 200
    content_type: str = JSON
    body: bytes


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request that the API knows.

    Attributes
    ----------
    method
        ``predict``, ``classify`` or ``regress``; ``metadata``, or the empty string for the status.
    """

    model: str
    version: int | None
    label: str | None
    method: str


class _Refusal(errors.ServingError):
    """A request that is no call, and as far as it goes what it asks for."""

    def __init__(self, message: str, *, model: str = "", has_body: bool = True) -> None:
        super().__init__(errors.Code.INVALID_ARGUMENT, message)
        self.model = model
        self.has_body = has_body


def is_api(path: str) -> bool:
    """Return whether a path belongs to the API at all."""
    return _API.fullmatch(path) is not None


def parse_call(verb: str, path: str) -> Call:
    """Return what a request asks for; a query string is a part of the path."""
    pattern = {"POST": _PREDICTION, "GET": _STATUS}.get(verb)
    matched = pattern.fullmatch(path) if pattern else None
    if matched is None:
        raise _Refusal(f"Malformed request: {verb} {path}")
    name, version, label, method = matched.groups()
    model = _unquote(name or "")
    if version is not None and int(version) > _INT64_MAX:
        # The original returns here before it writes its message down.
        raise _Refusal(f"Failed to convert version: {version} to numeric.", model=model, has_body=False)
    if (
        verb == "POST" and method not in _METHODS
    ):  # the pattern lets it be written in capitals, its reader does not
        raise _Refusal(f"Malformed request: {verb} {path}", model=model)
    if not model:
        raise _Refusal("Missing model name in request.")
    return Call(
        model=model,
        version=None if version is None else int(version),
        label=None if label is None else _unquote(label),
        method=method if verb == "POST" or method == _METADATA else "",
    )


def _unquote(text: str) -> str:
    return urllib.parse.unquote(text, errors="surrogateescape")


class Api:
    """Answers calls about a set of models, and counts them."""

    def __init__(
        self,
        servables: manager.Servables,
        counted: metrics.Metrics,
        *,
        checks_method_names: bool = False,
    ) -> None:
        self._servables = servables
        self._metrics = counted
        self._options = inference.Options(checks_method_names=checks_method_names, counted=counted)

    def answer(self, verb: str, path: str, body: bytes) -> Response:
        """Carry out one request."""
        began = time.monotonic()
        model, api, code = "", "", errors.Code.OK
        try:
            call = parse_call(verb, path)
            model, api = call.model, call.method if verb == "POST" else ""
            response = Response(body=self._body(call, body))
        except _Refusal as refusal:
            model, code = refusal.model, refusal.code
            response = error_response(refusal) if refusal.has_body else Response(status=400, body=b"")
        except errors.ServingError as error:
            code = error.code
            response = error_response(error)
        except OverflowError:
            code = errors.Code.INVALID_ARGUMENT
            response = error_response(jsondocs.number_too_big(body))
        self._metrics.request_done(
            model=model, api=api, entrypoint=_ENTRYPOINT, code=code, seconds=time.monotonic() - began
        )
        return response

    def _body(self, call: Call, body: bytes) -> bytes:
        match call.method:
            case "":
                return metadata.status_body(self._servables, call.model, call.version)
            case "metadata":
                return metadata.metadata_body(self._servables, call.model, call.version, call.label)
            case "predict":
                return self._predict(call, body)
            case method:
                request = restinference.read_request(method, call.model, body)
                with self._servables.lease(call.model, call.version, call.label) as (version, model):
                    options = dataclasses.replace(self._options, version=version.number)
                    return restinference.answer(method, model, request, options)

    def _predict(self, call: Call, body: bytes) -> bytes:
        document = jsondocs.parse_object(body)
        signature_name = jsoninput.read_signature_name(document)
        with self._servables.lease(call.model, call.version, call.label) as (_, model):
            signature = model.signature(signature_name)
            if signature is None:
                wanted = signature_name or "serving_default"
                raise errors.invalid_argument(
                    f'Serving signature name: "{wanted}" not found in signature def'
                )
            if not signature.inputs:
                raise errors.invalid_argument(
                    f"Failed to get input map for signature: {signature_name or 'DEFAULT'}"
                )
            layout, inputs = jsoninput.read_tensors(document, signature)
            inference.check_predict_method_name(model.signature_defs[signature.name], self._options)
            began = time.monotonic()
            outputs = model.predict(signature, inputs)
            self._metrics.runtime_done(model=call.model, api="Predict", seconds=time.monotonic() - began)
        return (
            jsonoutput.row_body(outputs)
            if layout is jsoninput.Format.ROW
            else jsonoutput.column_body(outputs)
        )


def error_response(error: errors.ServingError) -> Response:
    """Return the answer to a failed call."""
    return Response(status=errors.HTTP_STATUS[error.code], body=jsonoutput.error_body(error.message))
