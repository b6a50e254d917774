"""Resources, written wrongly in the ways that people write them wrongly."""

from typing import Any

from tests.support.judged import Input, limits, requests


def _memory(text: Any, said: str, server: str | None) -> Input:
    return Input(
        title=f"memory {text!r}",
        changes=limits(memory=text),
        said=(f"spec.resources.limits.memory: {said}",),
        server=server,
    )


def _small(text: str, count: int, meant: str) -> str:
    return f"{text} of memory is {count} bytes, less than 16Mi, in which no model server starts: did you mean {meant}?"


MEMORY = [
    _memory(
        "500m", "500m of memory is half a byte: m means a thousandth: write 500Mi", "did you mean 500Mi?"
    ),
    _memory(
        "512m", "512m of memory is less than a byte: m means a thousandth: write 512Mi", "did you mean 512Mi?"
    ),
    _memory("1024", _small("1024", 1024, "1024Mi"), "did you mean 1024Mi?"),
    _memory(1024, _small("1024", 1024, "1024Mi"), "did you mean 1024Mi?"),
    _memory("512k", _small("512k", 512_000, "512Mi"), "did you mean 512Mi?"),
    _memory("8Mi", _small("8Mi", 8 * 2**20, "8Gi"), "less than 16Mi"),
    _memory("15M", _small("15M", 15_000_000, "15Gi"), "less than 16Mi"),
    _memory("1", _small("1", 1, "1Gi"), "less than 16Mi"),
    _memory("1e3", _small("1e3", 1000, "512Mi"), "less than 16Mi"),
    _memory("0", _small("0", 0, "512Mi"), "less than 16Mi"),
    _memory("-1Gi", "-1Gi is negative: write 1Gi", "less than 16Mi"),
    _memory("512mi", '"512mi" is not a quantity: write 512Mi', "512mi is not a quantity"),
    _memory("1g", '"1g" is not a quantity: write 1Gi', "1g is not a quantity"),
    _memory("1GB", '"1GB" is not a quantity: write 1Gi', "1GB is not a quantity"),
    _memory("1.5 Gb", '"1.5 Gb" is not a quantity: write 1.5Gi', "1.5 Gb is not a quantity"),
    _memory("100K", '"100K" is not a quantity: write 100Ki', "100K is not a quantity"),
    _memory("lots", '"lots" is not a quantity: write 512Mi or 1Gi', "lots is not a quantity"),
    _memory("", '"" is not a quantity: write 512Mi or 1Gi', "is not a quantity"),
]

RESOURCES = [
    Input(
        title="no memory limit",
        changes={"resources": {"limits": {"memory": None, "cpu": 1}}},
        said=(
            "spec.resources.limits.memory: is required: without it one model can take the memory of the whole node",
        ),
        server="limits.memory is required",
    ),
    Input(
        title="500 cores",
        changes=limits(cpu="500"),
        said=("spec.resources.limits.cpu: 500 is 500 cores: did you mean 500m?",),
        server="did you mean 500m?",
    ),
    Input(
        title="negative cores",
        changes=limits(cpu="-1"),
        said=("spec.resources.limits.cpu: -1 is negative: write 1",),
        server="cores are not from 0 to 256",
    ),
    Input(
        title="millicores spelt out",
        changes=limits(cpu="500mc"),
        said=('spec.resources.limits.cpu: "500mc" is not a quantity: write 500m',),
        server="500mc is not a quantity",
    ),
    Input(
        title="request above the limit",
        changes=requests({"memory": "2Gi"}, {"memory": "1Gi"}),
        said=(
            "spec.resources.requests.memory: the request 2Gi is greater than the limit 1Gi: "
            "write at most 1Gi, or raise limits.memory",
        ),
        server="is greater than its limit",
    ),
    Input(
        title="request above the limit in other units",
        changes=requests({"cpu": "1.5"}, {"cpu": "1200m"}),
        said=(
            "spec.resources.requests.cpu: the request 1.5 is greater than the limit 1200m: "
            "write at most 1200m, or raise limits.cpu",
        ),
        server="is greater than its limit",
    ),
    Input(
        title="half a gpu",
        changes=limits(**{"nvidia.com/gpu": "500m"}),
        said=(
            "spec.resources.limits.nvidia.com/gpu: 500m of nvidia.com/gpu is not a whole number: write a whole number",
        ),
        server=None,
    ),
    Input(
        title="gpu as a request only",
        changes={"resources": {"requests": {"nvidia.com/gpu": 1}}},
        said=(
            "spec.resources.limits.nvidia.com/gpu: nvidia.com/gpu is requested without a limit, "
            "and cannot be overcommitted: write the limit 1",
        ),
        server=None,
    ),
    Input(
        title="a request of huge pages that is not the limit",
        changes=requests({"hugepages-2Mi": "4Mi"}, {"memory": "1Gi", "hugepages-2Mi": "8Mi"}),
        said=(
            "spec.resources.requests.hugepages-2Mi: the request 4Mi is not the limit 8Mi, and hugepages-2Mi cannot be "
            "overcommitted: write 8Mi, or leave the request out",
        ),
        server=None,
    ),
    Input(
        title="less than no GPU",
        changes=limits(**{"nvidia.com/gpu": "-1"}),
        said=("spec.resources.limits.nvidia.com/gpu: -1 is negative: write 1",),
        server=None,
    ),
    Input(
        title="ephemeral storage that is no quantity",
        changes=limits(**{"ephemeral-storage": "10 GB"}),
        said=('spec.resources.limits.ephemeral-storage: "10 GB" is not a quantity: write 10Gi',),
        server="10 GB is not a quantity",
    ),
    Input(
        title="negative ephemeral storage",
        changes=limits(**{"ephemeral-storage": "-1Gi"}),
        said=("spec.resources.limits.ephemeral-storage: -1Gi is negative: write 1Gi",),
        server=None,
    ),
    Input(
        title="an extended resource without a domain",
        changes=limits(gpu="1"),
        said=("spec.resources.limits.gpu: gpu is not a resource: did you mean cpu?",),
        server=None,
    ),
    Input(
        title="a misspelt resource",
        changes=limits(memroy="1Gi"),
        said=("spec.resources.limits.memroy: memroy is not a resource: did you mean memory?",),
        server=None,
    ),
    Input(
        title="half a core without quotes",
        changes=limits(cpu=0.5),
        said=('spec.resources.limits.cpu: 0.5 is a fraction without quotes: write "0.5" or 500m',),
        parses=False,
        server="must be of type integer,string",
    ),
]
