"""`spec.server.batching`: requests that the server answers together, in one run of the model."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tfserving_operator.api import rules
from tfserving_operator.api.bounds import Int32, SpecModel

MAX_BATCH_SIZE = 65536
"""Of one batch. Far above what fits into memory: it only bounds what is written by mistake."""


class Batching(SpecModel):
    """Requests that the server answers together, in one run of the model.

    Without it every request runs alone. A request with more rows than `maxBatchSize` is refused by the server.
    """

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": rules.BATCHING})

    max_batch_size: Annotated[Int32, Field(ge=1, le=MAX_BATCH_SIZE)]
    """Rows of a full batch, and the most that one request may have."""
    batch_timeout_micros: Annotated[Int32, Field(ge=0, le=60_000_000)] | None = None
    """How long a batch that is not full waits for more rows, in microseconds. Default: the server's own, 0."""
    max_enqueued_batches: Annotated[Int32, Field(ge=1, le=65536)] | None = None
    """How many batches may wait for a thread; a request beyond them is answered with 503. Default: the server's own, 10."""
    num_batch_threads: Annotated[Int32, Field(ge=1, le=1024)] | None = None
    """How many batches run at once. Default: the CPU limit, rounded up."""
    allowed_batch_sizes: Annotated[
        tuple[Annotated[Int32, Field(ge=1, le=MAX_BATCH_SIZE)], ...], Field(max_length=32)
    ] = ()
    """Batches are filled up to the next of these sizes: ascending, the last one is `maxBatchSize`. Without them, not at all."""
