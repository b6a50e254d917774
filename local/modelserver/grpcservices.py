"""The services of the gRPC API."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc  # type: ignore[import-untyped]

from local.modelserver import configs, errors, inference, logs, manager, metadata, metrics, protos, savedmodel

_MESSAGE_LIMIT_BYTES: Final = 1024
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_NO_DEADLINE_SECONDS: Final = 2_147_483
"""The original counts a run's milliseconds in an int32."""
_WHERE: Final = "model_servers/model_service_impl.cc"


def details_of(message: str) -> str:
    """Return an error's message as the original sends it: of a long one the beginning."""
    data = message.encode("utf-8", "surrogateescape")
    if len(data) > _MESSAGE_LIMIT_BYTES:
        return data[:_MESSAGE_LIMIT_BYTES].decode("utf-8", "replace") + "...TRUNCATED"
    return data.decode("utf-8", "replace")


class Gate:
    """Lets a number of calls in at once and turns the others away.

    The original has a quota of threads. One of them always waits for the next call, so that one call less than there
    are threads can run; whatever comes while they run is refused at once, without a word.
    """

    def __init__(self, thread_count: int) -> None:
        self.size = thread_count - 1
        self._free = threading.Semaphore(self.size)

    @contextlib.contextmanager
    def entered(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Hold one of the places, or end the call."""
        if not self._free.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "")
        try:
            yield
        finally:
            self._free.release()


def _abort(context: grpc.ServicerContext, error: errors.ServingError) -> None:
    context.abort(_CODES[error.code], details_of(error.message))


def _model_spec(request: Any) -> Any:
    if not request.HasField("model_spec"):
        raise errors.invalid_argument("Missing ModelSpec")
    return request.model_spec


@contextlib.contextmanager
def lease(servables: manager.Servables, spec: Any) -> Iterator[tuple[int, savedmodel.SavedModel]]:
    """Hold the version in memory that a ``ModelSpec`` asks for."""
    if not spec.name:
        raise errors.invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    number = spec.version.value if choice == "version" else None
    label = spec.version_label if choice == "version_label" else None
    with servables.lease(spec.name, number, label) as (version, model):
        yield version.number, model


def _timeout_ms(remaining_seconds: float | None) -> int:
    """Return how long a run may take, which is as long as the client waits; 0 is for ever."""
    if remaining_seconds is None or remaining_seconds > _NO_DEADLINE_SECONDS:
        return 0
    return max(1, int(remaining_seconds * 1000))


class PredictionService(protos.prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """Inference and metadata."""

    def __init__(
        self,
        servables: manager.Servables,
        gate: Gate,
        *,
        checks_method_names: bool,
        as_tensor_content: bool,
        counted: metrics.Metrics,
    ) -> None:
        self._servables = servables
        self._gate = gate
        self._checks_method_names = checks_method_names
        self._as_tensor_content = as_tensor_content
        self._metrics = counted

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run a signature on tensors."""
        with self._gate.entered(context), self._counted("Predict", request, context):
            return self._infer(inference.predict, request, _model_spec(request), context)

    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Classify examples."""
        with self._gate.entered(context), self._counted("Classify", request, context):
            return self._infer(inference.classify, request, _model_spec(request), context)

    def Regress(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Regress examples."""
        with self._gate.entered(context), self._counted("Regress", request, context):
            return self._infer(inference.regress, request, _model_spec(request), context)

    def MultiInference(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run several signatures on the same examples."""
        spec = request.tasks[0].model_spec if request.tasks else protos.model_pb2.ModelSpec()
        with self._gate.entered(context), _aborting(context):
            return self._infer(inference.multi_inference, request, spec, context)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Tell the signatures of a version."""
        with self._gate.entered(context), _aborting(context):
            spec = _model_spec(request)
            inference.check_metadata_fields(request)
            with lease(self._servables, spec) as (version, model):
                return inference.get_model_metadata(model, request, model_name=spec.name, version=version)

    def _infer(
        self,
        work: Callable[[savedmodel.SavedModel, Any, inference.Options], Any],
        request: Any,
        spec: Any,
        context: grpc.ServicerContext,
    ) -> Any:
        with lease(self._servables, spec) as (version, model):
            options = inference.Options(
                version=version,
                checks_method_names=self._checks_method_names,
                timeout_ms=_timeout_ms(context.time_remaining()),
                as_tensor_content=self._as_tensor_content,
                counted=self._metrics,
            )
            return work(model, request, options)

    @contextlib.contextmanager
    def _counted(self, api: str, request: Any, context: grpc.ServicerContext) -> Iterator[None]:
        began = time.perf_counter()
        failure = None
        try:
            yield
        except errors.ServingError as error:
            failure = error
        self._metrics.request_done(
            model=request.model_spec.name,
            api=api,
            entrypoint="GRPC",
            code=errors.Code.OK if failure is None else failure.code,
            seconds=time.perf_counter() - began,
        )
        if failure is not None:
            _abort(context, failure)


@contextlib.contextmanager
def _aborting(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except errors.ServingError as error:
        _abort(context, error)


class ModelService(protos.model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    """The states of versions, and which models are served."""

    def __init__(self, servables: manager.Servables, gate: Gate) -> None:
        self._servables = servables
        self._gate = gate

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Tell the states of a model's versions; a label counts for nothing."""
        with self._gate.entered(context), _aborting(context):
            spec = _model_spec(request)
            number = spec.version.value if spec.HasField("version") else None
            return metadata.status_response(self._servables, spec.name, number)

    def HandleReloadConfigRequest(  # noqa: N802
        self, request: Any, context: grpc.ServicerContext
    ) -> Any:
        """Serve other models; the answer waits until those that are new have loaded."""
        with self._gate.entered(context), _aborting(context):
            try:
                self._reload(request.config)
            except errors.ServingError as error:
                logs.log(_WHERE, f"ReloadConfig failed: {error.message}", severity=logs.Severity.ERROR)
                raise
            response = protos.model_management_pb2.ReloadConfigResponse()
            response.status.SetInParent()
            return response

    def _reload(self, config: Any) -> None:
        if config.WhichOneof("config") != "model_config_list":
            raise errors.invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently"
                " supported"
            )
        for index, model in enumerate(config.model_config_list.config):
            logs.log(
                _WHERE,
                f"\nConfig entry\n\tindex : {index}\n\tpath : {model.base_path}\n\tname : {model.name}"
                f"\n\tplatform : {model.model_platform}",
            )
        self._servables.reload(configs.from_proto(config))
