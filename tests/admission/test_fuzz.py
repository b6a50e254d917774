"""Objects drawn from the definition's own schema: validation explains each, and the API server agrees.

`EXAMPLES=20000` in the environment draws so many others.
"""

import os
import re
from collections import Counter
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.support import control_plane, fuzzing, processes, webhooks
from tfserving_operator.api import crd
from tfserving_operator.core.validation import manifests, violations

pytestmark = pytest.mark.cluster

EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
"""0: a thousand, always the same ones, so that what passed once does not fail somebody else's change."""
SCHEMA = crd.build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]
_PART = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
MOST_SHOWN = 12
EVERYWHERE = settings(
    max_examples=EXAMPLES or 1000,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

OURS_ALONE = (
    r"spec\.server\.flags\..*(?<!set by spec\.server\.batching: leave it out)",
    r"spec\.model\.uri: .* the path may only hold printable characters",
    r"spec\.server\.env\[\d+\]: .*",
    r"spec\.smoke\.cases\[\d+\]: case .* has \d+ rows.*",
    r"spec\.smoke\.cases: \d+ bytes.*",
    r"spec\.template\.spec\.terminationGracePeriodSeconds: a pod drains.*",
    r"spec\.template\.metadata\.(labels|annotations)\[.*",
    r"spec\.resources\.(requests|limits)\..* (is not a resource|is not a whole number|is requested without a limit|cannot be overcommitted).*",
    r"spec\.resources\.(requests|limits)\.(?!cpu|memory).* is negative: .*",
    r"spec\.resources\.requests\..*: the request .* is not the limit .*",
    r"spec\.resources\.limits\..*: .* is requested without a limit.*",
)
"""What no rule of the definition states; everything else that we refuse, the API server refuses too."""


def _judged(name: str, spec: Any) -> list[violations.Violation]:
    raw = webhooks.manifest(name, spec)
    return [v for v in manifests.validate(raw, None) if v.severity is violations.Severity.Error]


def _told(found: list[violations.Violation]) -> list[str]:
    return [f"{v.field}: {v.message}" for v in found]


def _is_ours_alone(told: str) -> bool:
    return any(re.fullmatch(pattern, told, re.DOTALL) for pattern in OURS_ALONE)


def _names_a_field(field: str, drawn: Any) -> bool:
    """Whether a path leads through the schema, or through the object to a key that the schema does not know."""
    if field == "metadata.name":
        return True
    schema: Any = SCHEMA
    rest = field
    while rest:
        if "properties" in schema:
            name = next(
                (
                    n
                    for n in sorted(schema["properties"], key=len, reverse=True)
                    if re.match(rf"{re.escape(n)}(?=[.\[]|$)", rest)
                ),
                None,
            )
            if name is None:
                return _holds_key(drawn, rest)
            schema, rest = schema["properties"][name], rest[len(name) :].removeprefix(".")
        elif rest.startswith("[") and "items" in schema:
            schema, rest = schema["items"], rest.partition("]")[2].removeprefix(".")
        else:
            return "additionalProperties" in schema or schema.get(
                "x-kubernetes-preserve-unknown-fields", False
            )
    return True


def _holds_key(drawn: Any, rest: str) -> bool:
    """Whether some object in there has the key that a path ends with."""
    if isinstance(drawn, dict):
        return any(rest.endswith((str(key), f"[{key}]")) for key in drawn) or any(
            _holds_key(part, rest) for part in drawn.values()
        )
    return isinstance(drawn, list) and any(_holds_key(part, rest) for part in drawn)


@pytest.fixture(scope="module")
def server(api: control_plane.ControlPlane) -> control_plane.ControlPlane:
    """The API server with our definition."""
    webhooks.make_namespaces(api)
    webhooks.apply_crd(api, crd.build_crd())
    processes.wait_for(lambda: webhooks.ask(api, "GET", webhooks.path(webhooks.TEAM)).code == 200)
    return api


def _disagreement(server: control_plane.ControlPlane, name: str, spec: Any) -> tuple[str, str]:
    """Who refuses an object, and in what the two differ; "" in nothing."""
    where = f"{webhooks.path(webhooks.TEAM)}?dryRun=All"
    answer = webhooks.ask(server, "POST", where, webhooks.manifest(name, spec))
    assert answer.code in (201, 400, 422), answer.message
    found = _judged(name, spec)
    nameless = [v for v in found if not v.problem or not _names_a_field(v.field, spec)]
    told = _told(found)
    stated = [each for each in told if not _is_ours_alone(each)]
    if nameless:
        return "nameless", f"no field: {nameless}"
    if answer.code != HTTPStatus.CREATED:
        return "refused by both", "" if told else f"only the API server refuses it: {answer.message}"
    return (
        "refused by ours alone" if told else "accepted by both",
        f"only we refuse it: {stated}" if stated else "",
    )


def test_validation_explains_each_object_and_the_api_server_agrees(
    server: control_plane.ControlPlane,
) -> None:
    seen: Counter[str] = Counter()
    differences: dict[str, Any] = {}

    @EVERYWHERE
    @given(name=fuzzing.NAMES, spec=fuzzing.specs_of(SPEC))
    def look(name: str, spec: Any) -> None:
        who, difference = _disagreement(server, name, spec)
        seen[who] += 1
        if difference and len(differences) < MOST_SHOWN:
            # All at the end: to shrink each would take minutes
            differences.setdefault(re.sub(r"[^a-zA-Z ]+", "", difference)[:90], (difference, name, spec))

    look()
    print(dict(seen))
    for difference in differences.values():
        print(*difference)
    assert not differences
    enough = EVERYWHERE.max_examples / 10
    assert all(seen[who] > enough for who in ("accepted by both", "refused by both")), seen
