"""The operator is killed in each step of each of the demo's rollouts, and started again: the end is the same."""

import pytest

from tests.support import lab as labs
from tfserving_operator.api import reasons

pytestmark = pytest.mark.e2e

ENDS = {
    1: (1, "RevisionReady", None),
    2: (1, "RolledBack", "IdenticalOutputs"),
    3: (1, "RolledBack", "GoldenMismatch"),
    4: (1, "RolledBack", "MemoryBelowFloor"),
    5: (1, "RolledBack", "OOMKilled"),
    6: (6, "RevisionReady", None),
}
"""By version: what serves at the end, why Ready says so, and why the version was rejected."""


def end_of(lab: labs.Lab, namespace: str, version: int) -> tuple[int, str, str | None] | None:
    """Where a version's rollout has ended; None before."""
    status = lab.status(namespace)
    ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
    if ready.get("reason") not in {"RevisionReady", "RolledBack"} or status.get("candidateRevision"):
        return None
    rejected = {r["version"]: r["reason"] for r in status.get("rejectedRevisions", [])}
    return status["activeRevision"]["version"], ready["reason"], rejected.get(version)


REACHED = {
    reasons.Step.Starting: {1, 2, 3, 4, 5, 6},
    reasons.Step.Testing: {1, 2, 3, 5, 6},
    reasons.Step.Baking: {1, 5, 6},
}
"""The versions whose candidates get to a step."""


def crash(lab: labs.Lab) -> None:
    """Kill the operator and start it again."""
    lab.kill()
    lab.start()


def crash_in_test(lab: labs.Lab, tests_before: int) -> None:
    """Kill the operator while a candidate's smoke test runs: it says so, and is done 0.2 s later."""
    labs.wait_for("the test", lambda: lab.candidate_tests() > tests_before, every=0.005)
    crash(lab)


def roll_out(
    lab: labs.Lab, namespace: str, version: int, crash_in: reasons.Step
) -> tuple[int, str, str | None]:
    """Apply a version, kill the operator once when its candidate is in a step, and wait for the end."""
    tests = lab.candidate_tests()
    lab.apply(lab.resource(namespace, version))
    crashed = version not in REACHED[crash_in]
    sent = False
    if crash_in is reasons.Step.Testing and not crashed:
        crash_in_test(lab, tests)
        crashed = True

    def look() -> tuple[int, str, str | None] | None:
        nonlocal crashed, sent
        candidate = lab.status(namespace).get("candidateRevision", {})
        if not crashed and candidate.get("step") == crash_in:
            crash(lab)
            crashed = True
        if version == 5 and not sent and candidate.get("step") == reasons.Step.Baking:
            lab.send_rows(namespace, 8192)
            sent = True
        return end_of(lab, namespace, version)

    try:
        end = labs.wait_for(f"the end of version {version}", look, seconds=120)
    except labs.NotInTimeError as error:
        raise labs.NotInTimeError(f"{error}: {lab.status(namespace)}") from None
    assert crashed, f"version {version} was never seen in step {crash_in}"
    return tuple(end)


@pytest.mark.parametrize("step", REACHED)
def test_a_crash_in_any_step_of_any_rollout_leads_to_the_same_end(running: labs.Lab, step: reasons.Step):
    namespace = f"e2e-crash-{step.lower()}"
    running.make_namespace(namespace)
    assert {version: roll_out(running, namespace, version, step) for version in ENDS} == ENDS
    running.access.kubectl("delete", "namespace", namespace, "--wait=false")
