"""Inputs, good and bad, and what is said about them; Python and the API server are held to the same table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """Changes to the minimal example."""

    title: str
    changes: Mapping[str, Any]
    said: tuple[str, ...] = ()
    """What our validation says; nothing for good input."""
    name: str = "resnet"
    parses: bool = True
    """Whether it gets through the types."""
    server: str | None = ""
    """A part of the API server's message; None: it accepts what only we can refuse."""


def _limits(**limits: Any) -> dict[str, Any]:
    return {"resources": {"limits": limits}}


def _requests(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    return {"resources": {"requests": dict(requests), "limits": dict(limits)}}


def _memory(text: Any, said: str, server: str | None) -> Input:
    return Input(
        title=f"memory {text!r}",
        changes=_limits(memory=text),
        said=(f"spec.resources.limits.memory: {said}",),
        server=server,
    )


def _flag(name: str, value: str, said: str) -> Input:
    return Input(
        title=f"flag {name}={value}",
        changes={"server": {"flags": {name: value}}},
        said=(f"spec.server.flags.{name}: {said}",),
        server=None,
    )


def _small(text: str, count: int, meant: str) -> str:
    return f"{text} of memory is {count} bytes, less than 16Mi, in which no model server starts: did you mean {meant}?"


PATH_REMEDY = "write pvc://CLAIM/PATH, where PATH is the folder that holds the numeric version folders"
NAME_REMEDY = "at most 50 characters of a-z, 0-9 and -, a letter first, a letter or digit last"

GOOD = [
    Input(title="the minimal example", changes={}),
    *(
        Input(title=f"memory {text}", changes=_limits(memory=text))
        for text in ("16Mi", "1e9", "1.5Gi", "1Ti", 2**30)
    ),
    *(Input(title=f"cpu {text}", changes=_limits(cpu=text)) for text in ("1m", "0.5", "256", 4, "+2", "1e0")),
    Input(title="request equal to the limit", changes=_requests({"memory": "1024Mi"}, {"memory": "1Gi"})),
    Input(title="gpu as a limit", changes=_limits(**{"nvidia.com/gpu": 1})),
    Input(title="ephemeral storage", changes=_limits(**{"ephemeral-storage": "10Gi"})),
    Input(title="the largest version", changes={"model": {"version": 2**63 - 1}}),
    Input(title="the root of a claim", changes={"model": {"uri": "pvc://models"}}),
    Input(title="the longest name", changes={}, name="x" * 50),
    Input(title="a flag", changes={"server": {"flags": {"per_process_gpu_memory_fraction": "0.5"}}}),
    Input(
        title="batching",
        changes={"server": {"flags": {"enable_batching": "true", "batching_parameters_file": "/models/b"}}},
    ),
    Input(title="a case by input name", changes={"smoke": {"cases": [{"name": "a", "inputs": {"x": [1]}}]}}),
    Input(title="no user", changes={"template": {"spec": {"securityContext": {"runAsUser": None}}}}),
]

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
        changes=_limits(cpu="500"),
        said=("spec.resources.limits.cpu: 500 is 500 cores: did you mean 500m?",),
        server="did you mean 500m?",
    ),
    Input(
        title="negative cores",
        changes=_limits(cpu="-1"),
        said=("spec.resources.limits.cpu: -1 is negative: write 1",),
        server="cores are not from 0 to 256",
    ),
    Input(
        title="millicores spelt out",
        changes=_limits(cpu="500mc"),
        said=('spec.resources.limits.cpu: "500mc" is not a quantity: write 500m',),
        server="500mc is not a quantity",
    ),
    Input(
        title="request above the limit",
        changes=_requests({"memory": "2Gi"}, {"memory": "1Gi"}),
        said=(
            "spec.resources.requests.memory: the request 2Gi is greater than the limit 1Gi: "
            "write at most 1Gi, or raise limits.memory",
        ),
        server="a request is greater than its limit",
    ),
    Input(
        title="request above the limit in other units",
        changes=_requests({"cpu": "1.5"}, {"cpu": "1200m"}),
        said=(
            "spec.resources.requests.cpu: the request 1.5 is greater than the limit 1200m: "
            "write at most 1200m, or raise limits.cpu",
        ),
        server="a request is greater than its limit",
    ),
    Input(
        title="half a gpu",
        changes=_limits(**{"nvidia.com/gpu": "500m"}),
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
        title="a misspelt resource",
        changes=_limits(memroy="1Gi"),
        said=("spec.resources.limits.memroy: memroy is not a resource: did you mean memory?",),
        server=None,
    ),
    Input(
        title="half a core without quotes",
        changes=_limits(cpu=0.5),
        said=('spec.resources.limits.cpu: 0.5 is a fraction without quotes: write "0.5" or 500m',),
        parses=False,
        server="must be of type integer,string",
    ),
]

FLAGS = [
    _flag("num_request_iteration_for_warmup", "2", "num_request_iteration_for_warmup is not a flag of tensorflow_model_server: did you mean num_request_iterations_for_warmup?"),
    _flag("--enable-batching", "true", "--enable-batching is not a flag of tensorflow_model_server: did you mean enable_batching?"),
    _flag("zzz", "1", "zzz is not a flag of tensorflow_model_server: see tensorflow_model_server --help"),
    _flag("port", "9000", "port is set by the operator: leave it out"),
    _flag("rest_api_port", "0", "rest_api_port is set by the operator: leave it out"),
    _flag("model_name", "x", "model_name is set by the operator: set spec.model.name"),
    _flag("model_base_path", "/x", "model_base_path is set by the operator: set spec.model.uri"),
    _flag("model_config_file", "/x", "model_config_file is set by the operator: set spec.model"),
    _flag("enable_profiler", "true", "enable_profiler is set by the operator: leave it out"),
    _flag("enable_model_warmup", "yes", '"yes" is not what enable_model_warmup takes: write "true" or "false"'),
    _flag("grpc_max_threads", "many", '"many" is not what grpc_max_threads takes: write a whole number of 32 bits, such as "2"'),
    _flag("rest_api_timeout_in_ms", "3000000000", '"3000000000" is not what rest_api_timeout_in_ms takes: write a whole number of 32 bits, such as "2"'),
    _flag("per_process_gpu_memory_fraction", "half", '"half" is not what per_process_gpu_memory_fraction takes: write a number, such as "0.5"'),
    _flag("saved_model_tags", "a\nb", '"a\nb" is not what saved_model_tags takes: write printable characters only'),
    _flag("rest_api_num_threads", "1", "1 is too small: write at least 2"),
    _flag("batching_parameters_file", "/models/b", 'batching_parameters_file needs batching: add enable_batching: "true"'),
]  # fmt: skip

MODEL = [
    Input(
        title="version 0",
        changes={"model": {"version": 0}},
        said=("spec.model.version: 0 is too small: write at least 1",),
        parses=False,
        server="should be greater than or equal to 1",
    ),
    Input(
        title="a source of a later slice",
        changes={"model": {"uri": "s3://bucket/resnet"}},
        said=(
            "spec.model.uri: s3://bucket/resnet cannot be used: "
            f"s3:// sources are not supported by this version: {PATH_REMEDY}",
        ),
        server=PATH_REMEDY,
    ),
    Input(
        title="a path upwards",
        changes={"model": {"uri": "pvc://models/../x"}},
        said=(
            "spec.model.uri: pvc://models/../x cannot be used: "
            "the path may not hold . or .. parts: write it from the claim's root",
        ),
        server="the path may not hold . or .. parts",
    ),
    *(
        Input(
            title=f"the name {name}",
            changes={},
            name=name,
            said=(f"metadata.name: {name} cannot name a Service and its revisions: {NAME_REMEDY}",),
            server="a Service and every revision are named after it",
        )
        for name in ("9lives", "x" * 51, "a.b")
    ),
    Input(
        title="a model name with a slash",
        changes={"model": {"name": "a/b"}},
        said=('spec.model.name: "a/b" does not have the form',),
        parses=False,
        server="should match",
    ),
    Input(
        title="a label of ours",
        changes={"template": {"metadata": {"labels": {"tfserving.dev/revision": "x"}}}},
        said=("spec.template.metadata.labels[tfserving.dev/revision]: tfserving.dev/revision is the operator's own: leave it out",),
        server=None,
    ),
    Input(
        title="a label that is no key",
        changes={"template": {"metadata": {"labels": {"a b": "x"}}}},
        said=("spec.template.metadata.labels[a b]: a b is not a key: write NAME or DOMAIN/NAME",),
        server=None,
    ),
    Input(
        title="an annotation that unconfines",
        changes={"template": {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/server": "unconfined"}}}},
        said=(
            "spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/server]: "
            "container.apparmor.security.beta.kubernetes.io/server would loosen the pods' confinement: leave it out",
        ),
        server=None,
    ),
]  # fmt: skip

CASES = [
    Input(
        title="a case with both forms",
        changes={"smoke": {"cases": [{"name": "a", "instances": [1], "inputs": {"x": [1]}}]}},
        said=(
            "spec.smoke.cases[0]: case a has both instances and inputs, or neither: write exactly one of them",
        ),
        server="oneOf",
    ),
    Input(
        title="a case with neither form",
        changes={"smoke": {"cases": [{"name": "a"}]}},
        said=(
            "spec.smoke.cases[0]: case a has both instances and inputs, or neither: write exactly one of them",
        ),
        server="oneOf",
    ),
    Input(
        title="two cases of one name",
        changes={"smoke": {"cases": [{"name": "a", "instances": [1]}, {"name": "a", "instances": [2]}]}},
        said=("spec.smoke.cases: a is there more than once: keep one of them",),
        server="Duplicate value",
    ),
    Input(
        title="an expectation of nothing",
        changes={"smoke": {"cases": [{"name": "a", "instances": [1], "expect": {"rtol": 1}}]}},
        said=(
            "spec.smoke.cases[0].expect: case a expects nothing: write outputs or topK, or leave expect out",
        ),
        server="anyOf",
    ),
    Input(
        title="an unknown check",
        changes={"smoke": {"checks": {"latency": {"mode": "Off"}}}},
        said=("spec.smoke.checks.latency is not a field",),
        parses=False,
        server='unknown field "spec.smoke.checks.latency"',
    ),
    Input(
        title="an unknown field",
        changes={"batching": {"maxBatchSize": 2}},
        said=("spec.batching is not a field",),
        parses=False,
        server='unknown field "spec.batching"',
    ),
]

INPUTS = [*GOOD, *MEMORY, *RESOURCES, *FLAGS, *MODEL, *CASES]
