"""Signatures of classify and regress calls: what they must look like, and answers from what they return."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import text_format

from local.modelserver import dtypes, errors, tensors

CLASSIFY: Final = "tensorflow/serving/classify"
"""The method name of a signature for classify calls."""
REGRESS: Final = "tensorflow/serving/regress"
"""The method name of a signature for regress calls."""
_INPUTS: Final = "inputs"
_OUTPUTS: Final = "outputs"
_CLASSES: Final = "classes"
_SCORES: Final = "scores"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a signature feeds and fetches; names are those of tensors in the graph.

    Attributes
    ----------
    input_name
        Takes the serialized examples.
    classes_name, scores_name
        Labels and scores of a classification; at least one is there.
    values_name
        The values of a regression.
    """

    input_name: str
    classes_name: str | None = None
    scores_name: str | None = None
    values_name: str | None = None

    @property
    def output_names(self) -> list[str]:
        """What a run fetches."""
        names = (self.classes_name, self.scores_name, self.values_name)
        return [name for name in names if name is not None]


def plan(signature: Any, method_name: str, *, checks_method_name: bool) -> Plan:
    """Return what a ``SignatureDef`` offers to a method, or raise what the original finds wrong with it."""
    if method_name == CLASSIFY:
        return _plan_classification(signature, checks_method_name=checks_method_name)
    return _plan_regression(signature, checks_method_name=checks_method_name)


def _plan_classification(signature: Any, *, checks_method_name: bool) -> Plan:
    _check_method_name(signature, "classification", CLASSIFY, checks=checks_method_name)
    if len(signature.inputs) != 1:
        raise errors.invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in {1, 2}:
        raise errors.invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if _INPUTS not in signature.inputs:
        raise errors.invalid_argument(f"No classification inputs found in SignatureDef: {_shown(signature)}")
    if _CLASSES not in signature.outputs and _SCORES not in signature.outputs:
        raise errors.invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}".'
            f" Signature was: {_shown(signature)}"
        )
    return Plan(
        input_name=signature.inputs[_INPUTS].name,
        classes_name=_output_name(signature, _CLASSES),
        scores_name=_output_name(signature, _SCORES),
    )


def _plan_regression(signature: Any, *, checks_method_name: bool) -> Plan:
    _check_method_name(signature, "regression", REGRESS, checks=checks_method_name)
    if len(signature.inputs) != 1:
        raise errors.invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise errors.invalid_argument("Expected one output Tensor.")
    if _INPUTS not in signature.inputs:
        raise errors.invalid_argument(f"No regression inputs found in SignatureDef: {_shown(signature)}")
    if _OUTPUTS not in signature.outputs:
        raise errors.invalid_argument(f"No regression outputs found in SignatureDef: {_shown(signature)}")
    return Plan(input_name=signature.inputs[_INPUTS].name, values_name=_output_name(signature, _OUTPUTS))


def _check_method_name(signature: Any, what: str, wanted: str, *, checks: bool) -> None:
    if checks and signature.method_name != wanted:
        raise errors.invalid_argument(
            f"Expected {what} signature method_name to be {wanted}. Was: {signature.method_name}"
        )


def _shown(signature: Any) -> str:
    return text_format.MessageToString(signature)


def _output_name(signature: Any, alias: str) -> str | None:
    return signature.outputs[alias].name if alias in signature.outputs else None


def fill_classifications(result: Any, plan: Plan, results: Mapping[str, tensors.Tensor], count: int) -> None:
    """Write the classes of each example, as labels, scores or both."""
    classes = results.get(plan.classes_name or "")
    # Where both outputs are one tensor, the original takes it for the classes.
    scores = results.get(plan.scores_name or "") if plan.scores_name != plan.classes_name else None
    for tensor, what, dtype in (
        (classes, _CLASSES, dtypes.DType.STRING),
        (scores, _SCORES, dtypes.DType.FLOAT),
    ):
        if tensor is not None:
            _check_classification(tensor, what, dtype, count)
    if classes is not None and scores is not None and classes.array.shape != scores.array.shape:
        raise errors.invalid_argument(
            "Tensors class and score should match in dim_size(1)."
            f" Got {classes.array.shape[1]} vs. {scores.array.shape[1]}"
        )
    labels: list[Any] = [] if classes is None else classes.array.tolist()
    numbers: list[Any] = [] if scores is None else scores.array.tolist()
    for i in range(count):
        classifications = result.classifications.add()
        for label in labels[i] if labels else ():
            classifications.classes.add(label=label.decode("utf-8", "replace"))
        for c, number in enumerate(numbers[i] if numbers else ()):
            (classifications.classes[c] if labels else classifications.classes.add()).score = number


def _check_classification(tensor: tensors.Tensor, what: str, dtype: dtypes.DType, count: int) -> None:
    shape = tensor.array.shape
    if len(shape) != 2:
        raise errors.invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {_shape_text(shape)}"
        )
    if tensor.dtype is not dtype:
        raise errors.invalid_argument(
            f"Expected {what} Tensor of DT_{dtype.name}. Got: DT_{tensor.dtype.name}"
        )
    if shape[0] != count:
        raise errors.invalid_argument(f"Expected {what} output batch size of {count}. Got: {shape[0]}")


def fill_regressions(result: Any, plan: Plan, results: Mapping[str, tensors.Tensor], count: int) -> None:
    """Write the value of each example."""
    tensor = results[plan.values_name or ""]
    shape = tensor.array.shape
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise errors.invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got"
            f" {_shape_text(shape)}"
        )
    if shape[0] != count:
        raise errors.invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {shape[0]}"
        )
    if tensor.dtype is not dtypes.DType.FLOAT:
        raise errors.invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: DT_{tensor.dtype.name}")
    for value in tensor.array.ravel().tolist():
        result.regressions.add(value=value)


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
