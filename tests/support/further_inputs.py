"""Further inputs of resources and flags: units, exponents, overflows, threads, what only looks wrong."""

from typing import Any

from tests.support.judged import Input, limits, requests

_NO_SERVER = "in which no model server starts"


def _warned(text: str, count: int, share: str, meant: str) -> Input:
    return Input(
        title=f"memory {text}",
        changes=limits(memory=text),
        said=(
            f"spec.resources.limits.memory: {text} is {count} bytes, {share} less than {meant}: did you mean {meant}?",
        ),
        server=None,
        is_refused=False,
    )


def _memory(text: Any, said: str, server: str | None) -> Input:
    said = f"spec.resources.limits.memory: {said}"
    return Input(title=f"memory {text!r}", changes=limits(memory=text), said=(said,), server=server)


def _cpu(text: Any, said: str, server: str | None) -> Input:
    said = f"spec.resources.limits.cpu: {said}"
    return Input(title=f"cpu {text!r}", changes=limits(cpu=text), said=(said,), server=server)


def _threads(value: str, cpu: str, most: int) -> Input:
    return Input(
        title=f"{value} threads on {cpu} CPUs",
        changes={
            "resources": {"limits": {"cpu": cpu}},
            "server": {"flags": {"tensorflow_intra_op_parallelism": value}},
        },
        said=(
            f"spec.server.flags.tensorflow_intra_op_parallelism: {value} threads compute on the {cpu} CPUs of "
            f"spec.resources.limits.cpu: write at most {most}, or leave it out: the operator sets it from the limit",
        ),
        server=None,
    )


GOOD = [
    *(
        Input(title=f"memory {text}", changes=limits(memory=text))
        for text in ("+1Gi", "64E6", "1024Mi", "1048576Ki", "2147483648", "2.5Gi", ".5Gi", "1.Gi", "1e+9", "0.5Ti", "17179869184m", "9223372036854775808", "1e30", "1024Pi")
    ),
    *(Input(title=f"cpu {text}", changes=limits(cpu=text)) for text in ("100m", "2.", ".25", "250e-3", "1000000u", "0", 255, "0.1k")),
    Input(title="request in another unit", changes=requests({"memory": "1048576Ki"}, {"memory": "1Gi"})),
    Input(title="request and limit of a GPU", changes=requests({"nvidia.com/gpu": "1"}, {"memory": "1Gi", "nvidia.com/gpu": "1"})),
    Input(title="a huge page", changes=requests({"hugepages-2Mi": "4Mi"}, {"memory": "1Gi", "hugepages-2Mi": "4Mi"})),
    Input(title="cpu as a request only", changes=requests({"cpu": "500m"}, {"memory": "1Gi", "cpu": None})),
    Input(title="as many threads as CPUs", changes={"resources": {"limits": {"cpu": "1500m"}}, "server": {"flags": {"tensorflow_intra_op_parallelism": "2"}}}),
    Input(title="threads without a CPU limit", changes={"resources": {"limits": {"cpu": None}}, "server": {"flags": {"tensorflow_intra_op_parallelism": "64"}}}),
    Input(title="an empty list of flags", changes={"server": {"flags": {}}}),
    Input(title="a negative retry interval", changes={"server": {"flags": {"load_retry_interval_micros": "-1"}}}),
]  # fmt: skip

WARNINGS = [
    _warned("1G", 10**9, "7%", "1Gi"),
    _warned("512M", 512 * 10**6, "5%", "512Mi"),
    _warned("2T", 2 * 10**12, "9%", "2Ti"),
]

BAD = [
    _memory("1000m", f"1000m of memory is 1 bytes, less than 16Mi, {_NO_SERVER}: did you mean 1000Mi?", "did you mean 1000Mi?"),
    _memory("1024Ki", f"1024Ki of memory is 1048576 bytes, less than 16Mi, {_NO_SERVER}: did you mean 1024Mi?", "less than 16Mi"),
    _memory("16M", f"16M of memory is 16000000 bytes, less than 16Mi, {_NO_SERVER}: did you mean 16Gi?", "less than 16Mi"),
    _memory("1u", f"1u of memory is 1e-06 bytes, less than 16Mi, {_NO_SERVER}: did you mean 1Gi?", "less than 16Mi"),
    _memory("1e-3", f"1e-3 of memory is 0.001 bytes, less than 16Mi, {_NO_SERVER}: did you mean 512Mi?", "less than 16Mi"),
    _memory("-0", f"-0 of memory is 0 bytes, less than 16Mi, {_NO_SERVER}: did you mean 512Mi?", "less than 16Mi"),
    _memory("512 Mi", '"512 Mi" is not a quantity: write 512Mi', "512 Mi is not a quantity"),
    _memory("512MiB", '"512MiB" is not a quantity: write 512Mi', "512MiB is not a quantity"),
    _memory("1gib", '"1gib" is not a quantity: write 1Gi', "1gib is not a quantity"),
    _memory("1,5Gi", '"1,5Gi" is not a quantity: write 512Mi or 1Gi', "1,5Gi is not a quantity"),
    _memory("1e", '"1e" is not a quantity: write 1Ei', "1e is not a quantity"),
    _memory("0x10Mi", '"0x10Mi" is not a quantity: write 512Mi or 1Gi', "0x10Mi is not a quantity"),
    _memory("1Gi ", '"1Gi " is not a quantity: write 1Gi', "is not a quantity"),
    _memory("NaN", '"NaN" is not a quantity: write 512Mi or 1Gi', "NaN is not a quantity"),
    *(_cpu(text, f'"{text}" is not a quantity: write 500m or 2', f"{text} is not a quantity") for text in ("m", "E", ".", "+")),
    _cpu("257", "257 is 257 cores: did you mean 257m?", "did you mean 257m?"),
    _cpu("1k", "1k is 1000 cores: did you mean 500m or 2?", "did you mean 500m?"),
    _cpu("1Gi", "1Gi is 1073741824 cores: did you mean 500m or 2?", "did you mean 500m?"),
    _cpu("0.5 cores", '"0.5 cores" is not a quantity: write 0.5', "0.5 cores is not a quantity"),
    _cpu("500M", "500M is 500000000 cores: did you mean 500m or 2?", "did you mean 500m?"),
    Input(title="cpu true", changes=limits(cpu=True), said=("spec.resources.limits.cpu: true must be text: write the value in quotes",), parses=False, server="must be of type integer,string"),
    _threads("3", "2", 2),
    _threads("2", "500m", 1),
    _threads("16", "1.5", 2),
    Input(
        title="two GPUs asked for and one allowed",
        changes=requests({"nvidia.com/gpu": "2"}, {"memory": "1Gi", "nvidia.com/gpu": "1"}),
        said=(
            "spec.resources.requests.nvidia.com/gpu: the request 2 is greater than the limit 1: "
            "write at most 1, or raise limits.nvidia.com/gpu",
        ),
        server="is greater than its limit",
    ),
    Input(
        title="one GPU asked for and two allowed",
        changes=requests({"nvidia.com/gpu": "1"}, {"memory": "1Gi", "nvidia.com/gpu": "2"}),
        said=(
            "spec.resources.requests.nvidia.com/gpu: the request 1 is not the limit 2, and nvidia.com/gpu cannot be "
            "overcommitted: write 2, or leave the request out",
        ),
        server=None,
    ),
    Input(
        title="ephemeral storage above its limit",
        changes=requests({"ephemeral-storage": "2Gi"}, {"memory": "1Gi", "ephemeral-storage": "1Gi"}),
        said=(
            "spec.resources.requests.ephemeral-storage: the request 2Gi is greater than the limit 1Gi: "
            "write at most 1Gi, or raise limits.ephemeral-storage",
        ),
        server="is greater than its limit",
    ),
]  # fmt: skip
