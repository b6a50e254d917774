"""CEL rules of the CRD: what the API server can say by itself, in our words.

The same rules, and those that CEL cannot state, are held by `core.validation` in Python. Quantity rules are
guarded with isQuantity: an unguarded quantity() adds a raw parser message to ours. Messages are put together
by concatenation only: number formatting exceeds the cost budget.
"""

from typing import Final

from pydantic.config import JsonDict, JsonValue

Rule = JsonDict

NAME_REMEDY: Final = (
    "metadata.name must be at most 50 characters of a-z, 0-9 and -, start with a letter and end with a letter "
    "or digit: a Service and every revision are named after it"
)
MIN_MEMORY: Final = "16Mi"
"""Below it no tensorflow_model_server starts: such a value is a typo."""
MAX_CPU: Final = 256
"""Above it a value is rather meant as millicores: no server is given more."""

ROOT: Final[list[JsonValue]] = [
    {
        # A name never changes: what is stored already can be labelled, and lose its finalizers
        "rule": (
            "oldSelf.hasValue() || "
            "size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
        ),
        "optionalOldSelf": True,
        "message": NAME_REMEDY,
    }
]


_IS_QUANTITY: Final = "isQuantity(string({0})) && string({0}).matches('[0-9]')"
"""Kubernetes takes a unit alone, such as m, for nothing of it."""


def _quantities(part: str) -> Rule:
    each = f"self.{part}[k]"
    return {
        "rule": f"!has(self.{part}) || self.{part}.all(k, {_IS_QUANTITY.format(each)})",
        "messageExpression": (
            f"'{part}.' + self.{part}.filter(k, !({_IS_QUANTITY.format(each)}))[0] + ': ' + "
            f"string(self.{part}[self.{part}.filter(k, !({_IS_QUANTITY.format(each)}))[0]]) + "
            "' is not a quantity: write one like 500m, 2, 512Mi or 1Gi'"
        ),
        "message": f"{part} holds a value that is not a quantity: write one like 500m, 2, 512Mi or 1Gi",
    }


def _enough_memory(part: str) -> Rule:
    value = f"string(self.{part}['memory'])"
    return {
        "rule": (
            f"!has(self.{part}) || !('memory' in self.{part}) || !isQuantity({value}) || "
            f"quantity({value}).compareTo(quantity('{MIN_MEMORY}')) >= 0"
        ),
        "messageExpression": (
            f"'{part}.memory: ' + {value} + ' is less than {MIN_MEMORY}, in which no model server starts: did you mean ' + "
            f"({value}.matches('^[1-9][0-9]+[mkK]?$') ? {value}.replace('m', '').replace('k', '').replace('K', '') "
            ": '512') + 'Mi?'"
        ),
        "message": f"{part}.memory is less than {MIN_MEMORY}: did you mean Mi or Gi?",
    }


def _sensible_cpu(part: str) -> Rule:
    value = f"string(self.{part}['cpu'])"
    return {
        "rule": (
            f"!has(self.{part}) || !('cpu' in self.{part}) || !isQuantity({value}) || "
            f"quantity({value}).compareTo(quantity('{MAX_CPU}')) <= 0 && quantity({value}).compareTo(quantity('0')) >= 0"
        ),
        "messageExpression": (
            f"'{part}.cpu: ' + {value} + ' cores are not from 0 to {MAX_CPU}: did you mean ' + "
            f"({value}.matches('^[1-9][0-9]*$') ? {value} : '500') + 'm?'"
        ),
        "message": f"{part}.cpu is not from 0 to {MAX_CPU} cores: did you mean millicores?",
    }


_OVER: Final = (
    "k in self.limits && isQuantity(string(self.requests[k])) && isQuantity(string(self.limits[k])) && "
    "quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) > 0"
)
"""Whether a request is greater than its limit."""

RESOURCES: Final[list[JsonValue]] = [
    {
        "rule": "has(self.limits) && 'memory' in self.limits",
        "message": "limits.memory is required: without it one model can take the memory of the whole node",
    },
    _quantities("requests"),
    _quantities("limits"),
    _enough_memory("requests"),
    _enough_memory("limits"),
    _sensible_cpu("requests"),
    _sensible_cpu("limits"),
    {
        "rule": (f"!has(self.requests) || !has(self.limits) || !self.requests.exists(k, {_OVER})"),
        "messageExpression": (
            f"'requests.' + self.requests.filter(k, {_OVER})[0] + "
            "' is greater than its limit: lower the request or raise the limit'"
        ),
        "message": "a request is greater than its limit: lower the request or raise the limit",
    },
]

BATCHING: Final[list[JsonValue]] = [
    {
        "rule": (
            "!has(self.allowedBatchSizes) || size(self.allowedBatchSizes) == 0 || "
            "self.allowedBatchSizes[size(self.allowedBatchSizes) - 1] == self.maxBatchSize"
        ),
        "message": "the last of allowedBatchSizes must be maxBatchSize: the server does not start else",
    },
    {
        "rule": (
            "!has(self.allowedBatchSizes) || self.allowedBatchSizes.isSorted() && "
            "self.allowedBatchSizes.all(x, self.allowedBatchSizes.indexOf(x) == self.allowedBatchSizes.lastIndexOf(x))"
        ),
        "message": "allowedBatchSizes must ascend, each size once",
    },
]

BATCHING_FLAGS: Final = (
    "batching_parameters_file",
    "enable_batching",
    "enable_per_model_batching_parameters",
)
"""What spec.server.batching stands for; both at once would contradict each other."""

_BATCHING_FLAG: Final = f"k, k in {list(BATCHING_FLAGS)}"
SERVER: Final[list[JsonValue]] = [
    {
        "rule": f"!has(self.batching) || !has(self.flags) || !self.flags.exists({_BATCHING_FLAG})",
        "messageExpression": (
            f"'flags.' + self.flags.filter({_BATCHING_FLAG})[0] + ' is set by spec.server.batching: leave it out'"
        ),
        "message": "flags for batching are set by spec.server.batching: leave them out",
    }
]

URI: Final[JsonDict] = {
    "x-kubernetes-validations": [
        {
            "rule": (
                r"self.matches('^pvc://[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(/.*)?$')"
            ),
            "messageExpression": (
                "self + ' is not a source that is known: write pvc://CLAIM/PATH, where PATH is the folder that holds "
                "the numeric version folders'"
            ),
            "message": "write pvc://CLAIM/PATH, where PATH is the folder that holds the numeric version folders",
        },
        {
            "rule": "!self.split('/').exists(part, part == '..' || part == '.')",
            "message": "the path may not hold . or .. parts: write it from the claim's root",
        },
    ]
}
