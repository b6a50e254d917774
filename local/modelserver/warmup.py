"""The replay of recorded requests before a version may answer real ones."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from google.protobuf import message

from local.modelserver import errors, inference, logs, metrics, protos, savedmodel, tfrecords

RECORDS_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
"""Where a version keeps its records: a TFRecord file of ``PredictionLog`` messages."""
MAX_RECORDS: Final = 1000
_WHERE: Final = "servables/tensorflow/saved_model_warmup_util.cc"


def run(model: savedmodel.SavedModel, path: str, counted: metrics.Metrics, *, iterations: int = 0) -> None:
    """Send every record of a version to the model, each as often as `iterations` says if that is above 0.

    Raises
    ------
    ServingError
        A record cannot be read or answered: the version must not be loaded.
    """
    file = f"{path}/{RECORDS_FILE}"
    if not Path(file).exists():
        logs.log(_WHERE, f"No warmup data file found at {file}")
        return
    begin = time.monotonic()
    shown = f"num_request_iterations {{\n  value: {iterations}\n}}\n" if iterations > 0 else ""
    logs.log(_WHERE, f"Starting to read warmup data for model at {file} with model-warmup-options {shown}")
    try:
        count = _replay(model, file, max(iterations, 1), inference.Options(counted=counted, timeout_ms=0))
    except _UnreadableError as unreadable:
        error = unreadable.error
        counted.warmup_done(path, error.status_text, time.monotonic() - begin)
        if error.code is not errors.Code.DATA_LOSS:
            raise error from unreadable
        raise errors.ServingError(
            error.code, f"{error.message}. Please verify your warmup data is in TFRecord format."
        ) from unreadable
    seconds = time.monotonic() - begin
    counted.warmup_done(path, "OK", seconds)
    logs.log(
        _WHERE,
        f"Finished reading warmup data for model at {file}. Number of warmup records read: {count}."
        f" Elapsed time (microseconds): {int(seconds * metrics.MICROSECONDS)}.",
    )


class _UnreadableError(Exception):
    """The file cannot be read on; other than a record that fails, it is counted."""

    def __init__(self, error: errors.ServingError) -> None:
        super().__init__(error.message)
        self.error = error


def _replay(model: savedmodel.SavedModel, file: str, iterations: int, options: inference.Options) -> int:
    count = 0
    with contextlib.closing(tfrecords.read(file)) as records:
        while (record := _next(records)) is not None:
            parsed = _parse(record, file)
            for _ in range(iterations):
                _answer(model, parsed, options)
            count += 1
            if count > MAX_RECORDS:
                raise errors.invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}"
                )
    return count


def _next(records: Iterator[bytes]) -> bytes | None:
    try:
        return next(records, None)
    except errors.ServingError as error:
        raise _UnreadableError(error) from error


def _parse(record: bytes, file: str) -> Any:
    try:
        return protos.prediction_log_pb2.PredictionLog.FromString(record)
    except message.DecodeError as error:
        shown = record.decode("utf-8", "replace")  # A status is text: it could not be told otherwise.
        raise errors.invalid_argument(f"Failed to parse warmup record: {shown} from {file}") from error


def _answer(model: savedmodel.SavedModel, record: Any, options: inference.Options) -> None:
    match record.WhichOneof("log_type"):
        case "predict_log":
            inference.predict(model, record.predict_log.request, options)
        case "classify_log":
            inference.classify(model, record.classify_log.request, options)
        case "regress_log":
            inference.regress(model, record.regress_log.request, options)
        case "multi_inference_log":
            inference.multi_inference(model, record.multi_inference_log.request, options)
        case "session_run_log":
            number = protos.prediction_log_pb2.PredictionLog.SESSION_RUN_LOG_FIELD_NUMBER
            raise errors.ServingError(errors.Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")
        case _:
            pass  # A record of nothing, or of a kind that the original passes over in silence.
