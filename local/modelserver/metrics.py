"""Counters and histograms by their original names, and the page that Prometheus reads.

Names, labels and buckets are those of TensorFlow Serving's ``servables/tensorflow/util.cc``, ``saved_model_warmup_util.cc``
and ``batching/``, and of TensorFlow's ``saved_model/loader.cc``; the page is laid out as ``util/prometheus_exporter.cc``
does: metrics in the order of their names, each with its type even while nothing was recorded.
"""

import bisect
import dataclasses
import threading
from collections.abc import Sequence
from typing import Final

from local.modelserver import errors

RUNTIME: Final = "TF1"
"""How the original labels a run of a session."""
MICROSECONDS: Final = 1e6


def _exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    limits = [scale]
    while len(limits) < count:
        limits.append(limits[-1] * growth)
    return tuple(limits)


LATENCIES: Final = _exponential(10, 1.8, 33)
"""From 10 microseconds to about 20 minutes."""
QUEUEING: Final = _exponential(100, 1.2, 52)
"""From 100 microseconds to about one second."""
EXAMPLES: Final = _exponential(1, 2, 15)
BATCH_SIZES: Final = _exponential(1, 2, 14)


@dataclasses.dataclass(slots=True)
class _Histogram:
    counts: list[int]
    total: float = 0.0


class _Metric:
    """One metric: its values by the values of its labels."""

    def __init__(self, name: str, labels: Sequence[str], limits: tuple[float, ...] = ()) -> None:
        self.name = f":tensorflow:{name}"
        self._labels = labels
        self._limits = limits
        self._counters: dict[tuple[str, ...], int] = {}
        self._histograms: dict[tuple[str, ...], _Histogram] = {}

    def count(self, values: tuple[str, ...], more: int = 1) -> None:
        self._counters[values] = self._counters.get(values, 0) + more

    def observe(self, values: tuple[str, ...], value: float) -> None:
        found = self._histograms.get(values)
        if found is None:
            found = self._histograms[values] = _Histogram([0] * (len(self._limits) + 1))
        found.counts[bisect.bisect_right(self._limits, value)] += 1
        found.total += value

    def lines(self) -> list[str]:
        kind = "histogram" if self._limits else "counter"
        lines = [f"# TYPE {self.name} {kind}"]
        lines.extend(
            f"{self.name}{{{self._shown(values)}}} {self._counters[values]}"
            for values in sorted(self._counters)
        )
        for values in sorted(self._histograms):
            lines.extend(self._histogram_lines(self._shown(values), self._histograms[values]))
        return lines

    def _histogram_lines(self, shown: str, histogram: _Histogram) -> list[str]:
        prefix = f"{self.name}_bucket{{{shown}{',' if shown else ''}le="
        lines = []
        cumulative = 0
        for limit, count in zip(
            (*(f"{each:.6g}" for each in self._limits), "+Inf"), histogram.counts, strict=True
        ):
            cumulative += count
            lines.append(f'{prefix}"{limit}"}} {cumulative}')
        lines.append(f"{self.name}_sum{{{shown}}} {histogram.total:.6g}")
        lines.append(f"{self.name}_count{{{shown}}} {cumulative}")
        return lines

    def _shown(self, values: tuple[str, ...]) -> str:
        return ",".join(
            f'{name}="{_escaped(value)}"' for name, value in zip(self._labels, values, strict=True)
        )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


class Metrics:
    """Everything that the server counts; safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = _Metric("serving:request_count", ("model_name", "status"))
        latency_labels = ("model_name", "API", "entrypoint")
        self._request_latency = _Metric("serving:request_latency", latency_labels, LATENCIES)
        self._runtime_latency = _Metric(
            "serving:runtime_latency", ("model_name", "API", "runtime"), LATENCIES
        )
        self._warmup_latency = _Metric("serving:model_warmup_latency", ("model_path", "status"), LATENCIES)
        self._example_counts = _Metric("serving:request_example_counts", ("model",), EXAMPLES)
        self._example_total = _Metric("serving:request_example_count_total", ("model",))
        self._loads = _Metric("cc:saved_model:load_attempt_count", ("model_path", "status"))
        self._load_latency = _Metric("cc:saved_model:load_latency", ("model_path",))
        batching = "serving:batching_session"
        self._queuing = _Metric(f"{batching}:queuing_latency", ("thread_pool_name",), QUEUEING)
        self._wrapped_runs = _Metric(f"{batching}:wrapped_run_count", ())
        self._input_sizes = _Metric(f"{batching}:input_batch_size", (), BATCH_SIZES)
        self._processed_sizes = _Metric(f"{batching}:processed_batch_size", (), BATCH_SIZES)
        self._padding_sizes = _Metric(f"{batching}:padding_size", ("execution_batch_size",), BATCH_SIZES)

    def request_done(
        self, *, model: str, api: str, entrypoint: str, code: errors.Code, seconds: float
    ) -> None:
        """Count a request; how long it took counts only if it went well.

        Parameters
        ----------
        model
            The model's name as the client wrote it; empty where the request named none.
        api
            Over REST the method in the path (``predict``, empty for status and metadata), over gRPC the name of
            the call (``Predict``).
        entrypoint
            ``REST`` or ``GRPC``.
        """
        with self._lock:
            self._requests.count((model, code.name))
            if code is errors.Code.OK:
                self._request_latency.observe((model, api, entrypoint), int(seconds * MICROSECONDS))

    def runtime_done(self, *, model: str, api: str, seconds: float, runtime: str = RUNTIME) -> None:
        """Count how long the runtime worked on a request; `api` is ``Predict``, ``Classify`` or ``Regress``."""
        with self._lock:
            self._runtime_latency.observe((model, api, runtime), int(seconds * MICROSECONDS))

    def examples_read(self, model: str, count: int) -> None:
        """Count the examples of a classify or regress request."""
        with self._lock:
            self._example_counts.observe((model,), count)
            self._example_total.count((model,), count)

    def load_attempt(self, model_path: str, status: str, seconds: float) -> None:
        """Count a load of a version's folder; `status` is ``success`` or ``fail``."""
        with self._lock:
            self._loads.count((model_path, status))
            self._load_latency.count((model_path,), int(seconds * MICROSECONDS))

    def warmup_done(self, model_path: str, status: str, seconds: float) -> None:
        """Count a warmup; `status` is its status as the C++ side prints it, ``OK`` if it went well."""
        with self._lock:
            self._warmup_latency.observe((model_path, status), int(seconds * MICROSECONDS))

    def task_enqueued(self, input_sizes: Sequence[int]) -> None:
        """Count the batch size of each input tensor of a request that is to be batched."""
        with self._lock:
            for size in input_sizes:
                self._input_sizes.observe((), size)

    def queued(self, seconds: Sequence[float], thread_pool_name: str = "") -> None:
        """Count how long requests waited for their batch; the original leaves the name of the pool empty."""
        with self._lock:
            for each in seconds:
                self._queuing.observe((thread_pool_name,), int(each * MICROSECONDS))

    def batch_merged(self, *, size: int, padding: int) -> None:
        """Count a batch: its size with padding, and how much of that is padding."""
        with self._lock:
            self._processed_sizes.observe((), size)
            self._padding_sizes.observe((str(size),), padding)

    def batch_run(self) -> None:
        """Count a run of the session below a batch."""
        with self._lock:
            self._wrapped_runs.count(())

    def page(self) -> str:
        """Return the text that Prometheus reads."""
        with self._lock:
            found = [each for each in vars(self).values() if isinstance(each, _Metric)]
            return "".join(
                f"{line}\n" for metric in sorted(found, key=lambda each: each.name) for line in metric.lines()
            )
