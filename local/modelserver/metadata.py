"""The answers about models: their states and their signatures, as JSON."""

from typing import Any

from google.protobuf import json_format

from local.modelserver import errors, manager, protos


def status_response(servables: manager.Servables, name: str, number: int | None) -> Any:
    """Return the states of a model's versions, or of one of them, as a ``GetModelStatusResponse``."""
    response = protos.get_model_status_pb2.GetModelStatusResponse()
    for version in servables.statuses(name, number):
        status = response.model_version_status.add(version=version.number, state=int(version.state))
        error = version.error
        status.status.error_code = errors.Code.OK if error is None else error.code
        status.status.error_message = "" if error is None else error.message
    return response


def status_body(servables: manager.Servables, name: str, number: int | None) -> bytes:
    """Return the states of a model's versions."""
    return f"{_json(status_response(servables, name, number))}\n".encode()


def metadata_body(servables: manager.Servables, name: str, number: int | None, label: str | None) -> bytes:
    """Return the signatures of an available version."""
    signatures = protos.get_model_metadata_pb2.SignatureDefMap()
    with servables.lease(name, number, label) as (version, model):
        for signature_name, proto in model.signature_defs.items():
            signatures.signature_def[signature_name].CopyFrom(proto)
    spec = protos.get_model_metadata_pb2.GetModelMetadataResponse().model_spec
    spec.name = name
    spec.version.value = version.number
    return (
        f'{{\n"model_spec":{_json(spec)}\n,\n"metadata": {{"signature_def": {_json(signatures)}\n}}\n}}\n'
    ).encode()


def _json(message: Any) -> str:
    text: str = json_format.MessageToJson(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True, indent=1
    )
    return text
