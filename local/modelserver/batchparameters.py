"""How requests are batched: the parameters file of the server, or of one version.

The defaults are those of TensorFlow's ``SharedBatchScheduler``; the checks and their words are those of its
``AddQueue`` and of TensorFlow Serving's ``bundle_factory_util``.
"""

import dataclasses
import pathlib
from typing import Any, Final, Self

from local.modelserver import errors, flags, textprotos

VERSION_FILE: Final = "batching_params.pbtxt"
"""The file in a version's folder that says how its requests are batched."""
DEFAULT_SIZE: Final = 1000


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """What a parameters file says.

    Attributes
    ----------
    max_batch_size
        How many rows one request may have, and one batch unless large requests are split.
    max_execution_batch_size
        How many rows one batch may have.
    batch_timeout_micros
        How long a batch that is not full waits for more.
    max_enqueued_batches
        How many batches may wait for a thread, the open one included.
    num_batch_threads, thread_pool_name
        How many batches of all models run at once, and what the threads are called.
    allowed_batch_sizes
        What a batch is filled up to; empty leaves it as it is.
    pad_variable_length_inputs
        Whether the inputs of a batch are brought to one shape.
    splits_large
        Whether a request that does not fit into the open batch is spread over several.
    """

    max_batch_size: int
    max_execution_batch_size: int
    batch_timeout_micros: int
    max_enqueued_batches: int
    num_batch_threads: int
    thread_pool_name: str
    allowed_batch_sizes: tuple[int, ...]
    pad_variable_length_inputs: bool
    splits_large: bool

    @classmethod
    def from_proto(cls, proto: Any) -> Self:
        """Return what a message says, with defaults for the rest."""

        def value(name: str, default: int) -> int:
            return int(getattr(proto, name).value) if proto.HasField(name) else default

        largest = value("max_batch_size", DEFAULT_SIZE)
        splits = bool(value("enable_large_batch_splitting", 0))
        most_enqueued = value("max_enqueued_batches", 10)
        return cls(
            max_batch_size=largest,
            max_execution_batch_size=value("max_execution_batch_size", largest) if splits else largest,
            batch_timeout_micros=value("batch_timeout_micros", 0),
            max_enqueued_batches=most_enqueued if splits else max(most_enqueued, 1),
            num_batch_threads=value("num_batch_threads", flags.schedulable_cpus()),
            thread_pool_name=(
                proto.thread_pool_name.value if proto.HasField("thread_pool_name") else "batch_threads"
            ),
            allowed_batch_sizes=tuple(proto.allowed_batch_sizes),
            pad_variable_length_inputs=proto.pad_variable_length_inputs,
            splits_large=splits,
        )

    def check_threads(self) -> None:
        """Raise what is wrong with the pool of threads, which ends the server at its start."""
        if self.num_batch_threads < 1:
            raise errors.invalid_argument(f"num_batch_threads must be positive; was {self.num_batch_threads}")

    def check_queue(self) -> None:
        """Raise what is wrong with everything else, which fails the load of a version."""
        problem = ""
        if self.allowed_batch_sizes and self.allowed_batch_sizes[-1] != self.max_batch_size:
            problem = (
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was"
                f" {self.allowed_batch_sizes[-1]}; expected {self.max_batch_size}"
            )
        elif self.max_batch_size == 0:
            problem = "input_batch_size_limit must be positive; was 0"
        elif self.batch_timeout_micros < 0:
            problem = f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}"
        elif self.max_enqueued_batches == 0:
            problem = "max_enqueued_batches must be positive; was 0"
        elif self.max_batch_size < self.max_execution_batch_size:
            problem = (
                "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to"
                f" max_execution_batch_size.1{self.max_batch_size}{self.max_execution_batch_size}"
            )
        if problem:
            raise errors.invalid_argument(problem)


def read(given: flags.Flags) -> Parameters | None:
    """Return what a command line asks for; nothing without batching."""
    if not given.enable_batching:
        if given.batching_parameters_file:
            raise errors.invalid_argument(
                "server_options.batching_parameters_file is set without setting server_options.enable_batching to"
                " true."
            )
        return None
    if given.batching_parameters_file:
        return Parameters.from_proto(textprotos.read_batching_parameters(given.batching_parameters_file))
    proto = textprotos.no_batching_parameters()
    proto.thread_pool_name.value = "model_server_batch_threads"
    return Parameters.from_proto(proto)


def read_of_version(folder: str) -> Parameters | None:
    """Return the parameters that a version brings along."""
    path = pathlib.Path(folder) / VERSION_FILE
    return Parameters.from_proto(textprotos.read_batching_parameters(str(path))) if path.exists() else None
