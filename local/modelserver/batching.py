"""Sessions whose runs are batched: one run of the graph answers several requests.

As in TensorFlow Serving's ``BatchingSession``, requests meet in a batch if they feed and fetch the same tensors of the
same version; every failure of a batch is one of all its requests.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Self

from local.modelserver import (
    batchparameters,
    batchqueues,
    batchtensors,
    errors,
    flags,
    logs,
    metrics,
    savedmodel,
    tensors,
)

_WITHOUT_TIMEOUT_SECONDS: Final = (2**31 - 1) / 1e6
"""What the original takes for ever to be: the largest ``int``, in microseconds."""
_Names = tuple[tuple[str, ...], tuple[str, ...]]


class _Waiter:
    """Holds a request's thread until its batch has been processed."""

    __slots__ = ("_gate", "_outcome")

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()
        self._outcome: batchqueues.Outcome = {}

    def finish(self, outcome: batchqueues.Outcome) -> None:
        self._outcome = outcome
        self._gate.release()

    def outputs(self) -> batchtensors.Tensors:
        self._gate.acquire()
        if isinstance(self._outcome, errors.ServingError):
            # An error is one object for all requests of a batch, a traceback belongs to one thread.
            raise errors.ServingError(self._outcome.code, self._outcome.message)
        return self._outcome


class BatchedSession:
    """A session that waits for more requests before it runs."""

    def __init__(
        self,
        wrapped: savedmodel.Session,
        *,
        scheduler: batchqueues.Scheduler,
        parameters: batchparameters.Parameters,
        default_timeout_ms: int,
        counted: metrics.Metrics,
    ) -> None:
        self._wrapped = wrapped
        self._scheduler = scheduler
        self._parameters = parameters
        self._default_timeout_ms = default_timeout_ms
        self._metrics = counted
        self._lock = threading.Lock()
        self._queues: dict[_Names, batchqueues.Queue] = {}

    def run(
        self, feeds: Mapping[str, tensors.Tensor], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[tensors.Tensor]:
        """Run the graph together with other requests."""
        queue = self._queue((tuple(sorted(feeds)), tuple(sorted(set(fetches)))))
        size = batchtensors.size_of(feeds)
        self._metrics.task_enqueued([size] * len(feeds))
        timeout = self._default_timeout_ms if timeout_ms is None else timeout_ms
        now, waiter = time.monotonic(), _Waiter()
        task = batchqueues.Task(
            feeds=feeds,
            size=size,
            enqueued=now,
            deadline=now + (timeout / 1e3 if timeout > 0 else _WITHOUT_TIMEOUT_SECONDS),
            finish=waiter.finish,
        )
        self._scheduler.schedule(queue, task)
        outputs = waiter.outputs()
        return [outputs[name] for name in fetches]

    def _queue(self, names: _Names) -> batchqueues.Queue:
        with self._lock:
            queue = self._queues.get(names)
            if queue is None:
                queue = batchqueues.Queue(self._parameters, lambda tasks: self._process(tasks, names[1]))
                self._queues[names] = queue
                self._scheduler.add_queue(queue)
        return queue

    def _process(self, tasks: Sequence[batchqueues.Task], fetches: Sequence[str]) -> None:
        outcomes: Iterable[batchqueues.Outcome]
        try:
            outcomes = self._run_batch(tasks, fetches)
        except errors.ServingError as error:
            outcomes = [error] * len(tasks)
        except Exception as error:  # noqa: BLE001 - whoever waits for the batch would wait for ever
            outcomes = [errors.ServingError(errors.Code.INTERNAL, repr(error))] * len(tasks)
        for task, outcome in zip(tasks, outcomes, strict=True):
            task.finish(outcome)

    def _run_batch(
        self, tasks: Sequence[batchqueues.Task], fetches: Sequence[str]
    ) -> list[dict[str, tensors.Tensor]]:
        now = time.monotonic()
        self._metrics.queued([now - task.enqueued for task in tasks])
        deadline = max(task.deadline for task in tasks)
        if deadline <= now:
            raise errors.ServingError(
                errors.Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue"
            )
        sizes = [task.size for task in tasks]
        size = batchtensors.allowed_size(sum(sizes), self._parameters.allowed_batch_sizes)
        padding = size - sum(sizes)
        self._metrics.batch_merged(size=size, padding=padding)
        merged = batchtensors.merge(
            [task.feeds for task in tasks],
            padding=padding,
            pads_lengths=self._parameters.pad_variable_length_inputs,
        )
        outputs = self._wrapped.run(merged, fetches, timeout_ms=int((deadline - now) * 1e3))
        self._metrics.batch_run()
        return batchtensors.split(dict(zip(fetches, outputs, strict=True)), sizes, padding=padding)

    def close(self) -> None:
        """Give the session's memory back; nothing may run any more."""
        for queue in self._queues.values():
            self._scheduler.remove_queue(queue)
        self._wrapped.close()


class Batcher:
    """Makes the sessions of loaded versions batch, on one pool of threads for all."""

    def __init__(
        self, parameters: batchparameters.Parameters, given: flags.Flags, counted: metrics.Metrics
    ) -> None:
        parameters.check_threads()
        self._parameters = parameters
        self._is_per_model = given.enable_per_model_batching_parameters
        self._default_timeout_ms = given.rest_api_timeout_in_ms
        self._metrics = counted
        self._scheduler = batchqueues.Scheduler(parameters.num_batch_threads, parameters.thread_pool_name)

    @classmethod
    def from_flags(cls, given: flags.Flags, counted: metrics.Metrics) -> Self | None:
        """Return what batches for a command line; nothing if it does not ask for it."""
        parameters = batchparameters.read(given)
        return None if parameters is None else cls(parameters, given, counted)

    def wrap(self, model: savedmodel.SavedModel, folder: str) -> None:
        """Make a version that was loaded from a folder batch, unless that folder wants none of it.

        Raises
        ------
        ServingError
            The parameters are wrong: the version cannot be loaded, and has been closed.
        """
        try:
            parameters = batchparameters.read_of_version(folder) if self._is_per_model else self._parameters
            if parameters is None:
                return
            logs.log(
                "servables/tensorflow/bundle_factory_util.cc", "Wrapping session to perform batch processing"
            )
            parameters.check_queue()
        except errors.ServingError:
            model.close()
            raise
        model.wrap_session(lambda session: self._batched(session, parameters))

    def _batched(
        self, session: savedmodel.Session, parameters: batchparameters.Parameters
    ) -> savedmodel.Session:
        return BatchedSession(
            session,
            scheduler=self._scheduler,
            parameters=parameters,
            default_timeout_ms=self._default_timeout_ms,
            counted=self._metrics,
        )
