"""The REST API: which call a request is, and its answer."""

import dataclasses
import re
import urllib.parse
from typing import Final

from local.modelserver import errors, jsondocs, jsoninput, jsonoutput, manager, metadata

_TARGET: Final = (
    r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?:(classify|regress|predict)"
)
_PREDICTION: Final = re.compile(_TARGET, re.IGNORECASE | re.ASCII)
_STATUS: Final = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:/(metadata))?",
    re.IGNORECASE | re.ASCII,
)
_API: Final = re.compile(r"/v1/.*", re.IGNORECASE)
_INT64_MAX: Final = (1 << 63) - 1
JSON: Final = "application/json"
"""The content type of every answer of the API, errors included."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What goes back to the client."""

    status: int = 200
    content_type: str = JSON
    body: bytes


NOT_FOUND: Final = Response(
    status=404,
    content_type="text/html",
    body=(b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"),
)
"""The answer to every path outside of the API, which the HTTP library of the original writes."""


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


class VersionTooLargeError(Exception):
    """A version beyond int64, which the original answers with an empty body."""


def is_api(path: str) -> bool:
    """Return whether a path belongs to the API at all."""
    return _API.fullmatch(path) is not None


def parse_call(verb: str, path: str) -> Call:
    """Return what a request asks for; a query string is a part of the path."""
    pattern = {"POST": _PREDICTION, "GET": _STATUS}.get(verb)
    matched = pattern.fullmatch(path) if pattern else None
    if matched is None:
        raise errors.invalid_argument(f"Malformed request: {verb} {path}")
    name, version, label, method = matched.groups()
    if version is not None and int(version) > _INT64_MAX:
        raise VersionTooLargeError
    if name is None:
        raise errors.invalid_argument("Missing model name in request.")
    return Call(
        model=_unquote(name),
        version=None if version is None else int(version),
        label=None if label is None else _unquote(label),
        method=(method or "").lower(),
    )


def _unquote(text: str) -> str:
    return urllib.parse.unquote(text, errors="surrogateescape")


class Api:
    """Answers calls about a set of models."""

    def __init__(self, servables: manager.Servables) -> None:
        self._servables = servables

    def answer(self, call: Call, body: bytes) -> Response:
        """Carry out one call."""
        try:
            return Response(body=self._body(call, body))
        except errors.ServingError as error:
            return error_response(error)

    def _body(self, call: Call, body: bytes) -> bytes:
        match call.method:
            case "":
                return metadata.status_body(self._servables, call.model, call.version)
            case "metadata":
                return metadata.metadata_body(self._servables, call.model, call.version, call.label)
            case "predict":
                return self._predict(call, body)
            case method:
                raise errors.ServingError(
                    errors.Code.UNIMPLEMENTED, f"The development model server has no {method} API yet"
                )

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
            outputs = model.predict(signature, inputs)
        return (
            jsonoutput.row_body(outputs)
            if layout is jsoninput.Format.ROW
            else jsonoutput.column_body(outputs)
        )


def error_response(error: errors.ServingError) -> Response:
    """Return the answer to a failed call."""
    return Response(status=errors.HTTP_STATUS[error.code], body=jsonoutput.error_body(error.message))
