"""Inputs, good and bad, and what is said about them; Python and the API server are held to the same table."""

from tests.support import batching_inputs, disruption_inputs, flag_inputs, further_inputs
from tests.support.judged import Input, limits, requests
from tests.support.resource_inputs import MEMORY, RESOURCES

__all__ = ["INPUTS", "Input"]


def _flag(name: str, value: str, said: str) -> Input:
    return Input(
        title=f"flag {name}={value}",
        changes={"server": {"flags": {name: value}}},
        said=(f"spec.server.flags.{name}: {said}",),
        server=None,
    )


PATH_REMEDY = "write pvc://CLAIM/PATH, where PATH is the folder that holds the numeric version folders"
NAME_REMEDY = "at most 50 characters of a-z, 0-9 and -, a letter first, a letter or digit last"

GOOD = [
    Input(title="the minimal example", changes={}),
    *(
        Input(title=f"memory {text}", changes=limits(memory=text))
        for text in ("16Mi", "1e9", "1.5Gi", "1Ti", 2**30)
    ),
    *(Input(title=f"cpu {text}", changes=limits(cpu=text)) for text in ("1m", "0.5", "256", 4, "+2", "1e0")),
    Input(title="request equal to the limit", changes=requests({"memory": "1024Mi"}, {"memory": "1Gi"})),
    Input(title="gpu as a limit", changes=limits(**{"nvidia.com/gpu": 1})),
    Input(title="ephemeral storage", changes=limits(**{"ephemeral-storage": "10Gi"})),
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
            "spec.smoke.cases[0]: case a has more than one of instances, inputs and images, or none of them: write exactly one of them",
        ),
        server="oneOf",
    ),
    Input(
        title="a case with neither form",
        changes={"smoke": {"cases": [{"name": "a"}]}},
        said=(
            "spec.smoke.cases[0]: case a has more than one of instances, inputs and images, or none of them: write exactly one of them",
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
        changes={"smoke": {"checks": {"speed": {"mode": "Off"}}}},
        said=("spec.smoke.checks.speed is not a field",),
        parses=False,
        server='unknown field "spec.smoke.checks.speed"',
    ),
    Input(
        title="an unknown field",
        changes={"batching": {"maxBatchSize": 2}},
        said=("spec.batching is not a field",),
        parses=False,
        server='unknown field "spec.batching"',
    ),
]

INPUTS = [
    *GOOD,
    *further_inputs.GOOD,
    *MEMORY,
    *RESOURCES,
    *FLAGS,
    *MODEL,
    *CASES,
    *batching_inputs.GOOD,
    *batching_inputs.WARNINGS,
    *batching_inputs.BAD,
    *disruption_inputs.GOOD,
    *disruption_inputs.WARNINGS,
    *disruption_inputs.BAD,
    *flag_inputs.GOOD,
    *flag_inputs.WARNINGS,
    *flag_inputs.BAD,
    *further_inputs.WARNINGS,
    *further_inputs.BAD,
]
