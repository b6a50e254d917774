"""Objects from the resource definition's own schema: mostly what it allows, with a few values that it does not."""

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from tests.support import specs
from tfserving_operator.api import rules
from tfserving_operator.core.validation import flags

Schema = Mapping[str, Any]
Strategy = st.SearchStrategy[Any]

_UNITS = (
    "",
    "",
    "m",
    "k",
    "K",
    "Ki",
    "M",
    "Mi",
    "G",
    "Gi",
    "T",
    "Ti",
    "P",
    "Pi",
    "E",
    "Ei",
    "u",
    "n",
    "g",
    "MB",
    "GiB",
    " Gi",
    "e3",
    "E6",
    "e-3",
    "e99",
    "e",
)
_NUMBERS = ("0", "1", "2", "15", "16", "17", "63", "64", "255", "256", "257", "500", "512", "1000", "1024", "16777215", "16777216", "9223372036854775807", "9223372036854775808", "0.5", "1.5", ".5", "1.", "00", "007", "1,5", "0x10", "")  # fmt: skip
_SIGNS = ("", "", "", "", "+", "-")
_USUAL_QUANTITIES: Final = st.sampled_from(["1", "2", "1Gi", "1024Mi", "2Gi", "1073741824", "1.5Gi", "1e9"])
_ODD_QUANTITIES: Final[Strategy] = st.one_of(
    st.builds(lambda sign, number, unit: sign + number + unit, st.sampled_from(_SIGNS), st.sampled_from(_NUMBERS), st.sampled_from(_UNITS)),
    st.sampled_from(["512Mi", "500m", "250m", "16Mi", "16M", "lots", ""]),
    st.integers(-1, 2**63).filter(lambda number: number < 2**63),
    st.text(alphabet="0123456789.+-eEinumkKMGTPE ", max_size=12),
    st.text(max_size=6),
)  # fmt: skip

_RESOURCES: Final = st.sampled_from([*["cpu", "memory", "ephemeral-storage"] * 4, "nvidia.com/gpu", "hugepages-2Mi", "memroy", "", "a/b/c"])  # fmt: skip
_ODD_URIS: Final = st.one_of(
    st.sampled_from(["pvc://m/../x", "pvc://m/./x", "pvc://m//x/", "pvc://M/x", "pvc://-m/x", "pvc://a.b/c", "pvc://a..b/c", "pvc://a-/c", "s3://b/x", "gs://b", "pvc:/m", "pvc://", "PVC://m", "/models", "pvc://m/ä b"]),
    st.builds(lambda rest: f"pvc://{rest}", st.text(min_size=1, max_size=12)),
)  # fmt: skip
_USUAL_FLAGS: Final = st.sampled_from([("num_request_iterations_for_warmup", "2"), ("rest_api_timeout_in_ms", "60000"), ("enable_model_warmup", "false"), ("grpc_max_threads", "64"), ("tensorflow_intra_op_parallelism", "1")])  # fmt: skip
_FLAG_NAMES: Final = st.one_of(
    st.sampled_from([*sorted(flags.KNOWN), *rules.BATCHING_FLAGS]), st.text(min_size=1, max_size=12)
)
_FLAG_VALUES: Final = st.one_of(
    st.sampled_from(["true", "false", "0", "1", "2", "+3", "-1", "16", "0.5", "nan", "1e3", "/tmp/s", "bfloat16", ""]), st.text(max_size=8)
)  # fmt: skip
NAMES: Final[Strategy] = st.one_of(
    st.sampled_from([*["resnet", "a", "a-1", "x" * 50] * 5, "9lives", "a.b", "x" * 51, "a-"]),
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?", fullmatch=True),
)
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
_ODD: Final = st.sampled_from(
    [None, True, 0, -1, 1, 2**31 - 1, 2**31, 2**53, 0.5, 1.0, "", "1", "x", "true", [], [1], {}, {"a": 1}]
)


def specs_of(schema: Schema) -> Strategy:
    """Specs of a definition's schema: the least that is valid under what is drawn, so that most get far."""
    drawn = _object(schema, path="spec")
    return st.builds(_over, st.just(specs.make_raw()), drawn)


def _over(least: dict[str, Any], drawn: Any) -> Any:
    """The drawn values over the valid ones, part by part."""
    if not isinstance(drawn, dict):
        return drawn
    merged = dict(least)
    for key, value in drawn.items():
        before = merged.get(key)
        merged[key] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _is_rare(one_in: int) -> st.SearchStrategy[bool]:
    """True once in so many draws: by a number from the middle, as those at the ends are drawn much more often."""
    return st.integers(1, 2 * one_in).map(lambda number: number in (one_in + 1, one_in + 2) or one_in == 1)


def _sometimes(usual: Strategy, rare: Strategy, one_in: int) -> Strategy:
    return _is_rare(one_in).flatmap(lambda is_rare: rare if is_rare else usual)


def _value(schema: Schema, path: str) -> Strategy:
    """A value of a schema; now and then of another type."""
    return _sometimes(_right(schema, path), _ODD, 300)


def _right(schema: Schema, path: str) -> Strategy:
    if schema.get("x-kubernetes-int-or-string"):
        return _sometimes(_USUAL_QUANTITIES, _ODD_QUANTITIES, 4)
    if "enum" in schema:
        return _sometimes(st.sampled_from(schema["enum"]), st.text(max_size=6), 60)
    match schema.get("type"):
        case "object" if "properties" in schema:
            return _object(schema, path)
        case "object" if "additionalProperties" in schema:
            return _map(schema, path)
        case "array":
            return _list(schema, path)
        case "integer":
            return _integer(schema)
        case "number":
            return _number(schema)
        case "boolean":
            return st.booleans()
        case "string":
            return _string(schema, path)
        case _:
            return st.one_of(st.just([[1.0, 2.0]]), st.just({"x": [1, 2, 3]}), _JSON)


def _object(schema: Schema, path: str) -> Strategy:
    """Some properties of an object; those that are required are nearly always there."""
    parts = {name: _value(part, f"{path}.{name}") for name, part in schema["properties"].items()}
    required = set(schema.get("required", ()))

    @st.composite
    def draw(pick: st.DrawFn) -> dict[str, Any]:
        most = min(len(parts), 4)
        chosen = pick(st.sets(st.sampled_from(sorted(parts)), max_size=most))
        left_out = pick(_is_rare(100))
        names = chosen | (set() if left_out else required)
        drawn = {name: pick(parts[name]) for name in sorted(names)}
        if pick(_is_rare(200)):
            drawn[pick(st.text(min_size=1, max_size=8))] = pick(_JSON)
        return drawn

    return draw()


def _map(schema: Schema, path: str) -> Strategy:
    values = schema["additionalProperties"]
    if path.endswith((".requests", ".limits")):
        keys = _RESOURCES
    elif path.endswith(".flags"):
        odd = st.dictionaries(_FLAG_NAMES, _sometimes(_FLAG_VALUES, _ODD, 30), max_size=3)
        return _sometimes(st.lists(_USUAL_FLAGS, max_size=2).map(dict), odd, 3)
    else:
        odd_keys = st.sampled_from(["tfserving.dev/x", "a b", ""]) | st.text(max_size=6)
        keys = _sometimes(st.sampled_from(["team", "example.org/a"]), odd_keys, 10)
    return st.dictionaries(keys, _value(values, f"{path}{{}}"), max_size=3)


def _list(schema: Schema, path: str) -> Strategy:
    most = min(schema.get("maxItems", 3), 3)
    if path.endswith("allowedBatchSizes"):
        return st.lists(st.sampled_from([1, 2, 4, 8, 16]), max_size=4).flatmap(
            lambda sizes: st.sampled_from([sizes, sorted(set(sizes))])
        )
    return st.lists(_value(schema["items"], f"{path}[]"), max_size=most)


def _integer(schema: Schema) -> Strategy:
    largest = 2**63 - 1 if schema.get("format") == "int64" else 2**31 - 1
    low, high = schema.get("minimum", -largest - 1), schema.get("maximum", largest)
    edges = [low, low + 1, high, high - 1, 1, 2, 8]
    beyond = [low - 1, high + 1]
    inside = st.sampled_from([edge for edge in edges if low <= edge <= high]) | st.integers(low, high)
    return _sometimes(inside, st.sampled_from([each for each in beyond if abs(each) < 2**63]), 100)


def _number(schema: Schema) -> Strategy:
    low, high = schema.get("minimum", -1e9), schema.get("maximum", 1e9)
    beyond = st.sampled_from([low - 1, high + 1, 0, 1e-6])
    return _sometimes(st.sampled_from([low, high]) | st.floats(low, high, allow_nan=False), beyond, 30)


def _string(schema: Schema, path: str) -> Strategy:
    most = schema.get("maxLength", 64)
    if path.endswith(".uri"):
        return _sometimes(
            st.sampled_from(["pvc://models/resnet", "pvc://models", "pvc://a.b/c//d/"]), _ODD_URIS, 5
        )
    if path.endswith(".env[].name"):
        return st.sampled_from(
            [*["A", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "b.c-d"] * 5, "1", "a b", ""]
        )
    if "pattern" in schema:
        fitting = st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: len(text) <= most)
        return _sometimes(fitting, st.text(max_size=8), 60)
    long = st.just("x" * (most + 1)) if most <= 1024 else st.nothing()
    least = schema.get("minLength", 0)
    return _sometimes(st.text(min_size=least, max_size=min(most, 12)), long | st.just(""), 100)
