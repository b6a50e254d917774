"""The input of classify and regress calls: ``tf.Example`` records, from the wire or from JSON."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from local.modelserver import dtypes, errors, jsonarrays, jsondocs, jsonoutput, protos, tensors

CONTEXT_KEY: Final = "context"
EXAMPLES_KEY: Final = "examples"
_INT64_MAX: Final = (1 << 63) - 1
_UINT64_MAX: Final = (1 << 64) - 1
_INT64_MIN: Final = -(1 << 63)
_KIND_NAMES: Final = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def to_tensor(given: Any) -> tensors.Tensor:
    """Return the serialized examples of an ``Input``; a context comes before each of them."""
    match given.WhichOneof("kind"):
        case "example_list":
            context = b""
            listed = given.example_list.examples
        case "example_list_with_context":
            # Two records in a row are one record with the fields of both.
            context = given.example_list_with_context.context.SerializeToString()
            listed = given.example_list_with_context.examples
        case _:
            listed = ()
    if not listed:
        raise errors.invalid_argument("Input is empty.")
    array = np.empty(len(listed), dtype=np.object_)
    array[:] = [context + example.SerializeToString() for example in listed]
    return tensors.Tensor(dtype=dtypes.DType.STRING, array=array)


def from_document(document: Mapping[str, Any]) -> Any:
    """Return the ``Input`` that a REST request's document describes."""
    read = protos.input_pb2.Input()
    if CONTEXT_KEY in document:
        context = read.example_list_with_context.context
        context.SetInParent()
        _fill_example(context, document[CONTEXT_KEY])
    problem = None
    if EXAMPLES_KEY not in document:
        problem = f"When method is classify, key '{EXAMPLES_KEY}' is expected and was not found"
    elif not isinstance(document[EXAMPLES_KEY], list):
        problem = f"Expecting '{EXAMPLES_KEY}' value to be an list/array"
    elif not document[EXAMPLES_KEY]:
        problem = f"'{EXAMPLES_KEY}' value is an empty array"
    if problem:
        raise errors.invalid_argument(f"JSON Value: {jsondocs.quoted(document)} {problem}")
    examples = (read.example_list_with_context if CONTEXT_KEY in document else read.example_list).examples
    for value in document[EXAMPLES_KEY]:
        _fill_example(examples.add(), value)
    return read


def _fill_example(example: Any, value: Any) -> None:
    if not isinstance(value, dict):
        raise errors.invalid_argument(f"Example must be JSON object but got JSON {jsondocs.type_name(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for element in content if isinstance(content, list) else [content]:
            _add_value(feature, name, element)


def _add_value(feature: Any, name: str, value: Any) -> None:
    """Append to the one list of a feature; its first value decides of which kind that is."""
    element: Any
    match value:
        case bool():
            kind, element = "int64_list", int(value)
        case str():
            kind, element = "bytes_list", value.encode("utf-8", "surrogateescape")
        case dict() if jsonarrays.is_base64(value):
            kind, element = "bytes_list", value
        case int() if _INT64_MIN <= value <= _UINT64_MAX:
            kind, element = "int64_list", value
        case int() | float():
            kind, element = "float_list", float(value)
        case _:
            raise errors.invalid_argument(
                f"Feature: {name} has element with unexpected JSON type: {jsondocs.type_name(value)}"
            )
    taken = feature.WhichOneof("kind")
    if taken not in {None, kind}:
        raise errors.invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {_KIND_NAMES[taken]}"
        )
    getattr(feature, kind).value.append(_checked(element, name))


def _checked(element: Any, name: str) -> Any:
    if isinstance(element, dict):
        return jsonarrays.from_base64(element)
    if isinstance(element, int) and element > _INT64_MAX:
        raise errors.invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
    if isinstance(element, float) and np.isfinite(element) and abs(element) > jsonoutput.FLOAT_MAX:
        raise errors.invalid_argument(
            f"Cannot convert JSON value: {jsondocs.quoted(element)} to float without loss of precision."
        )
    return element
