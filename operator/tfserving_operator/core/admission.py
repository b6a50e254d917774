"""The answer to an AdmissionReview: validation's verdict before an object is stored."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tfserving_operator.core import snapshot
from tfserving_operator.core.validation import manifests, violations

Raw = Mapping[str, Any]
_API_VERSION: Final = "admission.k8s.io/v1"
_UNPROCESSABLE: Final = 422
_WARNING_CHARACTERS: Final = 250
"""The API server cuts longer warnings, and drops them all beyond 4096 characters."""
_MAX_CAUSES: Final = 20


class InvalidReviewError(ValueError):
    """It is no AdmissionReview."""


def review(raw: Any, policy: snapshot.Policy) -> dict[str, Any]:
    """Judge the object of a review.

    Raises
    ------
    InvalidReviewError
        When there is no request to answer.
    """
    request = raw.get("request") if isinstance(raw, Mapping) else None
    if not isinstance(request, Mapping) or not isinstance(request.get("uid"), str):
        raise InvalidReviewError("an AdmissionReview has a request with a uid")
    response = {"uid": request["uid"], **_judge(request, policy)}
    return {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}


def _judge(request: Raw, policy: snapshot.Policy) -> dict[str, Any]:
    raw, old = request.get("object"), request.get("oldObject")
    if not isinstance(raw, Mapping) or not manifests.is_ours(raw):
        return {"allowed": True}
    if isinstance(old, Mapping) and old.get("spec") == raw.get("spec"):
        # An object that is stored already can still be labelled, and lose its finalizers
        return {"allowed": True}
    found = manifests.validate(_named(raw, request), policy)
    errors = [v for v in found if v.severity is violations.Severity.Error]
    warned = [v for v in found if v.severity is violations.Severity.Warning]
    answer: dict[str, Any] = {"allowed": not errors}
    if errors:
        answer["status"] = _status(errors)
    if warned:
        answer["warnings"] = [f"{v.field}: {v.message}"[:_WARNING_CHARACTERS] for v in warned]
    return answer


def _named(raw: Raw, request: Raw) -> Raw:
    """The object with the name that it will have: generateName is resolved after admission."""
    name = request.get("name")
    metadata = raw.get("metadata")
    if not name or not isinstance(metadata, Mapping) or metadata.get("name"):
        return raw
    return {**raw, "metadata": {**metadata, "name": name}}


def _status(errors: Sequence[violations.Violation]) -> dict[str, Any]:
    return {
        "code": _UNPROCESSABLE,
        "reason": "Invalid",
        "message": "; ".join(f"{v.field}: {v.message}" for v in errors),
        "details": {
            "causes": [
                {"reason": "FieldValueInvalid", "field": v.field, "message": v.message}
                for v in errors[:_MAX_CAUSES]
            ]
        },
    }
