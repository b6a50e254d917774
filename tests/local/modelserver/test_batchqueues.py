"""The parts of batching by themselves: tensors of several requests as one's, and queues that take turns."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from local.modelserver import batchparameters, batchqueues, batchtensors, dtypes, errors, tensors, textprotos

SOON_SECONDS = 10


def tensor(values: object, dtype: dtypes.DType = dtypes.DType.FLOAT) -> tensors.Tensor:
    kind = object if dtype is dtypes.DType.STRING else dtypes.NUMPY[dtype]
    return tensors.Tensor(dtype=dtype, array=np.array(values, dtype=kind))


def merged(*values: object, padding: int = 0, pads_lengths: bool = False) -> list:
    requests = [{"x": tensor(each)} for each in values]
    found = batchtensors.merge(requests, padding=padding, pads_lengths=pads_lengths)
    return found["x"].array.tolist()


def test_rows_that_fill_a_batch_up_are_the_last_requests_first() -> None:
    assert merged([1, 2], [3, 4], padding=2) == [1, 2, 3, 4, 3, 3]


def test_every_axis_but_the_first_is_brought_to_the_longest() -> None:
    assert merged([[[1, 2]]], [[[3], [4]]], pads_lengths=True) == [[[1, 2], [1, 1]], [[3, 3], [4, 3]]]


@pytest.mark.parametrize(
    ("values", "pads_lengths", "code", "want"),
    [
        (
            ([[1]], [[1, 2]]),
            False,
            errors.Code.FAILED_PRECONDITION,
            "Tensors with name 'x' from different tasks have different shapes and padding is turned off. Set"
            " pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal dimensions"
            " starting with the first dim.",
        ),
        (
            ([[1]], [[]]),
            True,
            errors.Code.INVALID_ARGUMENT,
            "Got empty tensor in batch of non-empty tensors.",
        ),
        (
            ([[[[[[[1]]]]]]], [[[[[[[1]]]]]]]),
            True,
            errors.Code.INVALID_ARGUMENT,
            "Only tensors with rank from 1 to 6 can be padded.",
        ),
    ],
)
def test_tensors_that_do_not_go_together_are_refused(
    values: tuple, pads_lengths: bool, code: errors.Code, want: str
) -> None:
    with pytest.raises(errors.ServingError) as caught:
        merged(*values, pads_lengths=pads_lengths)
    assert (caught.value.code, caught.value.message) == (code, want)


def test_types_are_not_mixed() -> None:
    requests = [{"x": tensor([1])}, {"x": tensor([1], dtypes.DType.DOUBLE)}]
    with pytest.raises(errors.ServingError) as caught:
        batchtensors.merge(requests, padding=0, pads_lengths=False)
    assert caught.value.status_text == (
        "INTERNAL: Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors that have different"
        " data types. Got float and double."
    )


@pytest.mark.parametrize(("size", "want"), [(0, 2), (1, 2), (2, 2), (3, 8), (8, 8), (9, 9)])
def test_a_batch_is_filled_up_to_the_next_allowed_size(size: int, want: int) -> None:
    assert batchtensors.allowed_size(size, (2, 8)) == want
    assert batchtensors.allowed_size(size, ()) == size


def parameters(text: str) -> batchparameters.Parameters:
    proto = textprotos.no_batching_parameters()
    for name, value in (each.split("=") for each in text.split()):
        getattr(proto, name).value = int(value)
    return batchparameters.Parameters.from_proto(proto)


class Batches:
    """Notes the batches that threads process, and holds the threads until it is told otherwise."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[int]]] = []
        self.gate = threading.Event()
        self._changed = threading.Condition()

    def queue(self, name: str, text: str) -> batchqueues.Queue:
        def process(tasks: Sequence[batchqueues.Task]) -> None:
            with self._changed:
                self.seen.append((name, [task.size for task in tasks]))
                self._changed.notify_all()
            assert self.gate.wait(SOON_SECONDS)

        return batchqueues.Queue(parameters(text), process)

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= count, SOON_SECONDS), self.seen


def task(size: int) -> batchqueues.Task:
    now = time.monotonic()
    feeds = {"x": tensor([0] * size)}
    return batchqueues.Task(feeds=feeds, size=size, enqueued=now, deadline=now + 60, finish=lambda _: None)


def test_queues_take_turns_and_a_full_one_blocks_no_other() -> None:
    batches = Batches()
    scheduler = batchqueues.Scheduler(1, "test")
    first, second = (batches.queue(name, "max_batch_size=2 max_enqueued_batches=3") for name in "ab")
    for queue in (first, second):
        scheduler.add_queue(queue)
    scheduler.schedule(first, task(1))
    batches.wait_for(1)  # the only thread is busy now
    for _ in range(3):
        scheduler.schedule(first, task(2))
    with pytest.raises(errors.ServingError) as caught:
        scheduler.schedule(first, task(1))
    assert caught.value.code is errors.Code.UNAVAILABLE
    for _ in range(2):
        scheduler.schedule(second, task(1))
    batches.gate.set()
    batches.wait_for(5)
    assert batches.seen == [("a", [1]), ("b", [1, 1]), ("a", [2]), ("a", [2]), ("a", [2])]


def test_as_many_batches_run_at_once_as_there_are_threads() -> None:
    batches = Batches()
    scheduler = batchqueues.Scheduler(2, "test")
    queue = batches.queue("a", "max_batch_size=1 max_enqueued_batches=5")
    scheduler.add_queue(queue)
    for _ in range(4):
        scheduler.schedule(queue, task(1))
    batches.wait_for(2)
    time.sleep(0.1)
    assert len(batches.seen) == 2
    batches.gate.set()
    batches.wait_for(4)


def test_a_thread_that_works_leaves_the_wait_for_other_batches_to_the_next() -> None:
    batches = Batches()
    scheduler = batchqueues.Scheduler(2, "test")
    quick = batches.queue("quick", "max_batch_size=1")
    patient = batches.queue("patient", "max_batch_size=9 batch_timeout_micros=200000")
    for queue in (quick, patient):
        scheduler.add_queue(queue)
    scheduler.schedule(patient, task(1))
    scheduler.schedule(quick, task(1))
    batches.wait_for(2)
    assert batches.seen == [("quick", [1]), ("patient", [1])]
    batches.gate.set()


def test_defaults_are_those_of_the_originals_scheduler() -> None:
    found = parameters("")
    assert (found.max_batch_size, found.max_execution_batch_size, found.max_enqueued_batches) == (
        1000,
        1000,
        10,
    )
    assert (found.batch_timeout_micros, found.allowed_batch_sizes, found.splits_large) == (0, (), False)
    assert parameters("max_enqueued_batches=0").max_enqueued_batches == 1
