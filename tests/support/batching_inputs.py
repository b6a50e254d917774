"""Inputs of `spec.server.batching`, and of what contradicts it."""

from typing import Any

from tests.support.judged import Input

_ONE_CASE = {"cases": [{"name": "a", "instances": [[1.0]] * 9}]}


def _batching(**more: Any) -> dict[str, Any]:
    return {"server": {"batching": {"maxBatchSize": 8, **more}}}


def _bad(title: str, field: str, said: str, server: str | None, **more: Any) -> Input:
    return Input(title=title, changes=_batching(**more), said=(f"{field}: {said}",), server=server)


def _form(title: str, said: str, server: str, **more: Any) -> Input:
    said = f"spec.server.batching.{said}"
    return Input(title=title, changes=_batching(**more), said=(said,), parses=False, server=server)


_SIZES = "spec.server.batching.allowedBatchSizes"

GOOD = [
    Input(
        title="more threads than a batch has rows",
        changes={"server": {"batching": {"maxBatchSize": 32}, "flags": {"rest_api_num_threads": "48"}}},
    ),
    Input(title="batching by its size alone", changes=_batching()),
    Input(title="batches of one", changes=_batching(maxBatchSize=1)),
    Input(title="the sizes that a batch is filled up to", changes=_batching(allowedBatchSizes=[2, 4, 8])),
    Input(title="no sizes", changes=_batching(allowedBatchSizes=[])),
    Input(
        title="all of batching",
        changes=_batching(
            batchTimeoutMicros=0, maxEnqueuedBatches=64, numBatchThreads=2, allowedBatchSizes=[8]
        ),
    ),
    Input(title="a case as large as a batch", changes=_batching(maxBatchSize=9) | {"smoke": _ONE_CASE}),
    Input(title="batching by null is none", changes={"server": {"batching": None}}),
]

BAD = [
    _bad("the last size is not the largest batch", _SIZES, "the last size is 4, and maxBatchSize is 8: write 2, 4, 8", "the last of allowedBatchSizes must be maxBatchSize", allowedBatchSizes=[2, 4]),
    _bad("sizes that do not ascend", _SIZES, "the sizes 4, 2, 8 do not ascend: write 2, 4, 8", "allowedBatchSizes must ascend", allowedBatchSizes=[4, 2, 8]),
    _bad("a size twice", _SIZES, "the sizes 8, 8 do not ascend: write 8", "allowedBatchSizes must ascend", allowedBatchSizes=[8, 8]),
    _form("batching without its size", "maxBatchSize is required", "maxBatchSize: Required value", maxBatchSize=None),
    _form("batches of nothing", "maxBatchSize: 0 is too small: write at least 1", "should be greater than or equal to 1", maxBatchSize=0),
    _form("a size of nothing", "allowedBatchSizes[0]: 0 is too small: write at least 1", "should be greater than or equal to 1", allowedBatchSizes=[0, 8]),
    _form("no threads", "numBatchThreads: 0 is too small: write at least 1", "should be greater than or equal to 1", numBatchThreads=0),
    _form("a timeout backwards", "batchTimeoutMicros: -1 is too small: write at least 0", "should be greater than or equal to 0", batchTimeoutMicros=-1),
    _form("a size in quotes", 'maxBatchSize: "8" must be a whole number without quotes', "must be of type integer", maxBatchSize="8"),
    _form("a misspelt field of batching", "maxBatchsize is not a field: did you mean maxBatchSize?", 'unknown field "spec.server.batching.maxBatchsize"', maxBatchsize=9),
    *(
        Input(
            title=f"batching and the flag {name}",
            changes={"server": {"batching": {"maxBatchSize": 8}, "flags": {name: value}}},
            said=(f"spec.server.flags.{name}: {name} is set by spec.server.batching: leave it out",),
            server=f"flags.{name} is set by spec.server.batching: leave it out",
        )
        for name, value in (
            ("enable_batching", "true"),
            ("batching_parameters_file", "/models/b"),
            ("enable_per_model_batching_parameters", "true"),
        )
    ),
    Input(
        title="a case larger than a batch",
        changes=_batching() | {"smoke": _ONE_CASE},
        said=(
            "spec.smoke.cases[0]: case a has 9 rows, and the server refuses a request with more than maxBatchSize, 8: "
            "split it, or raise spec.server.batching.maxBatchSize",
        ),
        server=None,
    ),
    Input(
        title="batching beside a CPU limit that is no quantity",
        changes={
            "resources": {"limits": {"cpu": "lots"}},
            "server": {"batching": {"maxBatchSize": 8, "numBatchThreads": 9}, "flags": {"rest_api_num_threads": "64"}},
        },
        said=('spec.resources.limits.cpu: "lots" is not a quantity: write 500m or 2',),
        server="lots is not a quantity",
    ),
]  # fmt: skip

WARNINGS = [
    Input(
        title="more batches at once than CPUs take",
        changes={"resources": {"limits": {"cpu": "1500m"}}, **_batching(numBatchThreads=5)},
        said=(
            "spec.server.batching.numBatchThreads: 5 batches at once share the 1500m CPUs of spec.resources.limits.cpu "
            "and all take memory: write at most 4, or leave it out: the operator sets it from the limit",
        ),
        server=None,
        is_refused=False,
    ),
    Input(
        title="fewer threads than a batch has rows",
        changes={
            "resources": {"limits": {"cpu": "1"}},
            "server": {"batching": {"maxBatchSize": 32}, "flags": {"rest_api_num_threads": "32"}},
        },
        said=(
            "spec.server.flags.rest_api_num_threads: 32 threads can all wait for a batch of 32, and the readiness probe "
            "behind them: write at least 64, or leave it out: the operator sets it from the batch",
        ),
        server=None,
        is_refused=False,
    ),
]
