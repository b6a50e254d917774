"""Inference on one loaded version: the messages of the prediction API in, its answers or the original's errors out."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from local.modelserver import (
    classifying,
    errors,
    examples,
    metrics,
    protos,
    savedmodel,
    tensorprotos,
    tensors,
)

PREDICT: Final = "tensorflow/serving/predict"
"""The method name of a signature for predict calls."""
_METHOD_NAMES: Final = (PREDICT, classifying.CLASSIFY, classifying.REGRESS)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a call is made with, next to its request.

    Attributes
    ----------
    version
        The version that is asked, which the answer names; a replayed warmup record names none.
    checks_method_names
        Whether a signature must carry the method name of the call.
    timeout_ms
        How long the run may take; without it, what the session was made with; 0 is for ever.
    as_tensor_content
        Whether the tensors of a prediction are written as their memory rather than value by value.
    counted
        Where the run is counted, if anywhere.
    """

    version: int | None = None
    checks_method_names: bool = False
    timeout_ms: int | None = None
    as_tensor_content: bool = False
    counted: metrics.Metrics | None = None


_DEFAULTS: Final = Options()


def predict(model: savedmodel.SavedModel, request: Any, options: Options = _DEFAULTS) -> Any:
    """Answer a ``PredictRequest``."""
    name = request.model_spec.signature_name or savedmodel.DEFAULT_SIGNATURE
    if name not in model.signature_defs:
        raise errors.ServingError(
            errors.Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        )
    signature = model.signature_defs[name]
    check_predict_method_name(signature, options)
    feeds = _feeds(signature, request.inputs)
    aliases = _output_aliases(signature, request.output_filter)
    fetches = [signature.outputs[alias].name for alias in aliases]
    outputs = _run(model, feeds, fetches, options, _Counted(request.model_spec.name, "Predict"))
    if len(outputs) != len(aliases):
        raise errors.ServingError(errors.Code.UNKNOWN, "Predict internal error")
    response = protos.predict_pb2.PredictResponse()
    _fill_spec(response.model_spec, request.model_spec, options)
    for alias, output in zip(aliases, outputs, strict=True):
        tensorprotos.fill(response.outputs[alias], output, as_content=options.as_tensor_content)
    return response


def check_predict_method_name(signature: Any, options: Options) -> None:
    """Refuse a ``SignatureDef`` that is for none of the calls, if that is to be checked."""
    if options.checks_method_names and signature.method_name not in _METHOD_NAMES:
        raise errors.ServingError(
            errors.Code.INTERNAL,
            f"Expected prediction signature method_name to be one of {{{', '.join(_METHOD_NAMES)}}}."
            f" Was: {signature.method_name}",
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Counted:
    model_name: str
    api: str | None
    """``None`` where the original measures no latency."""


def _run(
    model: savedmodel.SavedModel,
    feeds: Mapping[str, tensors.Tensor],
    fetches: Sequence[str],
    options: Options,
    counted: _Counted,
) -> list[tensors.Tensor]:
    began = time.perf_counter()
    outputs = model.run(feeds, fetches, timeout_ms=options.timeout_ms)
    if options.counted is not None and counted.api is not None:
        seconds = time.perf_counter() - began
        options.counted.runtime_done(model=counted.model_name, api=counted.api, seconds=seconds)
    return outputs


def _feeds(signature: Any, inputs: Mapping[str, Any]) -> dict[str, tensors.Tensor]:
    wanted, given = set(signature.inputs), set(inputs)
    if len(given) > len(wanted) or (len(given) < len(wanted) and not signature.defaults):
        raise errors.invalid_argument(
            f"input size does not match signature: {len(given)}!={len(wanted)}"
            f" len({_set(given)}) != len({_set(wanted)})."
            f" Sent extra: {_set(given - wanted)}. Missing but required: {_set(wanted - given)}."
        )
    feeds = {}
    for alias in sorted(wanted):
        feed_name = signature.inputs[alias].name
        if alias not in given and alias not in signature.defaults:
            raise errors.invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed_name}) not found in request and no default value"
                f" provided. Inputs expected to be in the request {_set(given)}, or default input alias set:"
                f" {','.join(sorted(signature.defaults))}"
            )
        proto = inputs[alias] if alias in given else signature.defaults[alias]
        try:
            feeds[feed_name] = tensorprotos.from_proto(proto)
        except tensorprotos.UnreadableError as error:
            raise errors.invalid_argument(f"tensor parsing error: {alias}") from error
    if given - wanted:
        raise errors.invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(given & wanted))},"
            f" request input: {','.join(sorted(given))}"
        )
    return feeds


def _set(names: set[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"


def _output_aliases(signature: Any, wanted: Sequence[str]) -> list[str]:
    aliases: list[str] = []
    for alias in wanted:
        if alias not in signature.outputs:
            raise errors.invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set"
                f" {_set(set(signature.outputs))}."
            )
        if alias in aliases:
            raise errors.invalid_argument(f"duplicate output tensor alias: {alias}")
        aliases.append(alias)
    return aliases or sorted(signature.outputs)


def classify(model: savedmodel.SavedModel, request: Any, options: Options = _DEFAULTS) -> Any:
    """Answer a ``ClassificationRequest``."""
    response = protos.classification_pb2.ClassificationResponse()
    plan, results, count = _run_one(model, request, options, classifying.CLASSIFY, "Classify")
    classifying.fill_classifications(response.result, plan, results, count)
    _fill_spec(response.model_spec, request.model_spec, options)
    return response


def regress(model: savedmodel.SavedModel, request: Any, options: Options = _DEFAULTS) -> Any:
    """Answer a ``RegressionRequest``."""
    response = protos.regression_pb2.RegressionResponse()
    plan, results, count = _run_one(model, request, options, classifying.REGRESS, "Regress")
    classifying.fill_regressions(response.result, plan, results, count)
    _fill_spec(response.model_spec, request.model_spec, options)
    return response


def _run_one(
    model: savedmodel.SavedModel, request: Any, options: Options, method_name: str, api: str
) -> tuple[classifying.Plan, dict[str, tensors.Tensor], int]:
    name = request.model_spec.signature_name or savedmodel.DEFAULT_SIGNATURE
    if name not in model.signature_defs:
        raise errors.invalid_argument(f"No signature was found with the name: {name}")
    plan = classifying.plan(
        model.signature_defs[name], method_name, checks_method_name=options.checks_method_names
    )
    tensor = examples.to_tensor(request.input)
    counted = _Counted(request.model_spec.name, api)
    results = _run_examples(model, {plan.input_name: tensor}, plan.output_names, options, counted)
    return plan, results, tensor.array.size


def _run_examples(
    model: savedmodel.SavedModel,
    feeds: Mapping[str, tensors.Tensor],
    output_names: Sequence[str],
    options: Options,
    counted: _Counted,
) -> dict[str, tensors.Tensor]:
    outputs = _run(model, feeds, output_names, options, counted)
    if options.counted is not None:
        options.counted.examples_read(counted.model_name, next(iter(feeds.values())).array.size)
    return dict(zip(output_names, outputs, strict=True))


def multi_inference(model: savedmodel.SavedModel, request: Any, options: Options = _DEFAULTS) -> Any:
    """Answer a ``MultiInferenceRequest``: several signatures of one model on the same examples in one run."""
    plans = _plan_tasks(model, request.tasks, options)
    output_names = sorted({name for plan in plans for name in plan.output_names})
    tensor = examples.to_tensor(request.input)
    counted = _Counted(request.tasks[0].model_spec.name if plans else "", None)
    # Each signature that TensorFlow 2 writes has an input tensor of its own; all of them get the same examples.
    feeds = dict.fromkeys((plan.input_name for plan in plans), tensor)
    results = _run_examples(model, feeds, output_names, options, counted)
    count = tensor.array.size
    response = protos.inference_pb2.MultiInferenceResponse()
    for task, plan in zip(request.tasks, plans, strict=True):
        result = response.results.add()
        if task.method_name == classifying.CLASSIFY:
            classifying.fill_classifications(result.classification_result, plan, results, count)
        else:
            classifying.fill_regressions(result.regression_result, plan, results, count)
        _fill_spec(result.model_spec, task.model_spec, options)
    return response


def _plan_tasks(
    model: savedmodel.SavedModel, tasks: Sequence[Any], options: Options
) -> list[classifying.Plan]:
    plans: list[classifying.Plan] = []
    seen: set[str] = set()
    for task in tasks:
        if not task.model_spec.name:
            raise errors.invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise errors.invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = task.model_spec.signature_name or savedmodel.DEFAULT_SIGNATURE
        if name in seen:
            raise errors.invalid_argument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        if name not in model.signature_defs:
            raise errors.invalid_argument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in {classifying.CLASSIFY, classifying.REGRESS}:
            raise errors.ServingError(
                errors.Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        plans.append(
            classifying.plan(
                model.signature_defs[name], task.method_name, checks_method_name=options.checks_method_names
            )
        )
    return plans


def _fill_spec(spec: Any, asked: Any, options: Options) -> None:
    """Name what answered: the request's model, its signature and the version that it came to."""
    spec.name = asked.name
    spec.signature_name = asked.signature_name or savedmodel.DEFAULT_SIGNATURE
    if options.version is not None:
        spec.version.value = options.version


def get_model_metadata(
    model: savedmodel.SavedModel, request: Any, *, model_name: str, version: int | None
) -> Any:
    """Answer a ``GetModelMetadataRequest`` that `check_metadata_fields` has accepted."""
    signatures = protos.get_model_metadata_pb2.SignatureDefMap()
    for name, proto in model.signature_defs.items():
        signatures.signature_def[name].CopyFrom(proto)
    response = protos.get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = model_name
    if version is not None:
        response.model_spec.version.value = version
    for field in request.metadata_field:
        response.metadata[field].Pack(signatures)
    return response


def check_metadata_fields(request: Any) -> None:
    """Refuse a request that asks for anything else than ``signature_def``."""
    if not request.metadata_field:
        raise errors.invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != "signature_def":
            # The original never fills the placeholder in.
            raise errors.invalid_argument(f"Metadata field %s is not supported{field}")
