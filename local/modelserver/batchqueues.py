"""Queues of requests that become batches, and the threads that all queues share.

The rules are those of TensorFlow's ``SharedBatchScheduler``: a batch is open until the next request does not fit, it
is full, or it has waited long enough; batches that wait are bounded; the queues take turns.
"""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from local.modelserver import batchparameters, batchtensors, errors

_FULL: Final = "The batch scheduling queue to which this task was submitted is full"
Outcome = batchtensors.Tensors | errors.ServingError
"""What becomes of a request: its outputs by their names in the graph, or an error."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A request in a queue, or a part of one.

    Attributes
    ----------
    enqueued, deadline
        When it came and when its answer is of no use any more, on the monotonic clock.
    finish
        Takes what has become of it.
    """

    feeds: batchtensors.Tensors
    size: int
    enqueued: float
    deadline: float
    finish: Callable[[Outcome], None]


class _Batch:
    __slots__ = ("size", "tasks")

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.size = 0


class Queue:
    """The batches of one signature of one version; its scheduler's lock guards it."""

    def __init__(self, parameters: batchparameters.Parameters, process: Callable[[list[Task]], None]) -> None:
        self.process = process
        self._parameters = parameters
        self._batches = collections.deque([_Batch()])
        self._open_since = 0.0

    def add(self, task: Task) -> None:
        """Add a request to the open batch, to a new one, or in parts to several."""
        self._check_capacity(task.size)
        largest = self._parameters.max_execution_batch_size
        free = largest - self._batches[-1].size
        is_whole = task.size <= free or not self._parameters.splits_large
        for part in [task] if is_whole else _parts(task, free, largest):
            if self._batches[-1].size + part.size > largest:
                self._batches.append(_Batch())
            batch = self._batches[-1]
            if not batch.tasks:
                self._open_since = time.monotonic()
            batch.tasks.append(part)
            batch.size += part.size

    def _check_capacity(self, size: int) -> None:
        limit, most = self._parameters.max_batch_size, self._parameters.max_enqueued_batches
        if size > limit:
            raise errors.invalid_argument(f"Task size {size} is larger than maximum input batch size {limit}")
        open_size, enqueued = self._batches[-1].size, len(self._batches)
        largest = self._parameters.max_execution_batch_size
        capacity = (most - enqueued) * largest + largest - open_size
        if self._parameters.splits_large:
            if size > capacity:
                raise errors.ServingError(
                    errors.Code.UNAVAILABLE,
                    f"{_FULL}; task size is {size} but scheduling capacity is only {capacity}"
                    f" (num_enqueued_batches={enqueued}, max_enqueued_batches={most}, open_batch_size={open_size},"
                    f" max_execution_batch_size={largest})",
                )
        elif open_size + size > limit and enqueued >= most:
            raise errors.ServingError(
                errors.Code.UNAVAILABLE,
                f"{_FULL}; currently {enqueued} batches enqueued and max_enqueued_batches is {most}",
            )

    def take(self, now: float) -> list[Task] | None:
        """Return the tasks of the oldest batch if it is closed or should be."""
        if len(self._batches) == 1:
            if now < self.due():
                return None
            self._batches.append(_Batch())
        return self._batches.popleft().tasks

    def due(self) -> float:
        """Return when there is a batch to process; the past if there is, never without a task."""
        batch = self._batches[0]
        if not batch.tasks:
            return float("inf")
        if len(self._batches) > 1 or batch.size >= self._parameters.max_execution_batch_size:
            return 0.0
        return self._open_since + self._parameters.batch_timeout_micros / 1e6


def _parts(task: Task, free: int, largest: int) -> list[Task]:
    sizes = [free] if free else []
    while sum(sizes) < task.size:
        sizes.append(min(largest, task.size - sum(sizes)))
    joined = _Joined(task, len(sizes))
    return [
        dataclasses.replace(task, feeds=feeds, size=size, finish=joined.finisher(place))
        for place, (size, feeds) in enumerate(zip(sizes, batchtensors.cut(task.feeds, sizes), strict=True))
    ]


class _Joined:
    """Waits for all parts of a request."""

    def __init__(self, task: Task, count: int) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._outcomes: list[Outcome | None] = [None] * count
        self._failure: errors.ServingError | None = None
        self._missing = count

    def finisher(self, place: int) -> Callable[[Outcome], None]:
        def finish(outcome: Outcome) -> None:
            with self._lock:
                self._outcomes[place] = outcome
                if isinstance(outcome, errors.ServingError) and self._failure is None:
                    self._failure = outcome
                self._missing -= 1
                is_last = self._missing == 0
            if is_last:
                self._task.finish(self._failure or batchtensors.join(self._outputs()))

        return finish

    def _outputs(self) -> Sequence[batchtensors.Tensors]:
        return [
            each for each in self._outcomes if each is not None and not isinstance(each, errors.ServingError)
        ]


class Scheduler:
    """The threads that process the batches of all queues."""

    def __init__(self, thread_count: int, name: str) -> None:
        self._changed = threading.Condition()
        self._queues: collections.deque[Queue] = collections.deque()
        for number in range(thread_count):
            threading.Thread(target=self._work, name=f"{name}_{number}", daemon=True).start()

    def add_queue(self, queue: Queue) -> None:
        """Let a queue take its turn with the others."""
        with self._changed:
            self._queues.append(queue)

    def remove_queue(self, queue: Queue) -> None:
        """Forget a queue that is empty and stays so."""
        with self._changed:
            self._queues.remove(queue)

    def schedule(self, queue: Queue, task: Task) -> None:
        """Put a request into a queue, or raise why it cannot be."""
        with self._changed:
            queue.add(task)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            queue, tasks = self._next()
            queue.process(tasks)
            del tasks  # its tensors are not kept until the next batch comes

    def _next(self) -> tuple[Queue, list[Task]]:
        with self._changed:
            while True:
                now = time.monotonic()
                for _ in range(len(self._queues)):
                    queue = self._queues[0]
                    self._queues.rotate(-1)
                    tasks = queue.take(now)
                    if tasks is not None:
                        # Another thread takes over the wait for what is left.
                        self._changed.notify()
                        return queue, tasks
                due = min((queue.due() for queue in self._queues), default=float("inf"))
                self._changed.wait(None if due == float("inf") else max(due - now, 0.0))
