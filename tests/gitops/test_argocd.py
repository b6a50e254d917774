"""Argo CD's view of ModelDeployments: our Lua in the Lua that Argo CD runs, over objects in every phase.

`GOLDEN=write` writes what Argo CD's own tests read (`health_test.yaml`, `action_test.yaml`, `testdata`), and what
teams paste.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.gitops import argocd, judging
from tests.support import phases
from tfserving_operator.api import reasons

HEALTH = argocd.SCRIPTS / "health_test.yaml"
ACTIONS = argocd.SCRIPTS / "actions" / "action_test.yaml"
AFTER = {
    "retry": ("rolledback_by_smoke_test", {"retryToken": "argocd-2"}),
    "pause": ("testing_beside_active", {"paused": True}),
    "resume": ("paused", {"paused": False}),
}
"""By action: the object that it is tried on, and what it changes."""


@pytest.fixture(scope="module")
def known() -> dict[str, phases.Phase]:
    return {phase.name: phase for phase in phases.build()}


def health_of(objects: list[dict[str, Any]]) -> list[dict[str, str]]:
    return judging.lua(argocd.script("health.lua"), objects)


def brief(made: dict[str, Any]) -> dict[str, Any]:
    """An object with what the scripts read of it, so that the files change only when that does."""
    read = ("observedGeneration", "phase", "conditions")
    return made | {"status": {key: made["status"][key] for key in read if key in made["status"]}}


def same_but_for_empty(one: Any, other: Any) -> bool:
    """Whether two values are the same as Argo CD sees them: Lua cannot tell an empty list from an empty object."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_but_for_empty(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_but_for_empty, one, other))
    return one == other or (not one and not other and {type(one), type(other)} <= {list, dict})


def hold(path: Path, text: str) -> None:
    """Compare a file with what it must hold, or write it."""
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"{path} is out of step: GOLDEN=write"


def test_every_phase_has_the_health_as_documented(known):
    found = health_of([phase.made for phase in known.values()])
    assert {name: h["status"] for name, h in zip(known, found, strict=True)} == {
        name: phase.argocd for name, phase in known.items()
    }


def test_health_and_kstatus_never_contradict_each_other(known):
    """Healthy is Current, Degraded is Failed, and what was suspended on request is not finished for kstatus."""
    pairs = {(phase.argocd, phase.kstatus) for phase in known.values()}
    assert pairs == {
        ("Healthy", "Current"),
        ("Degraded", "Failed"),
        ("Progressing", "InProgress"),
        ("Progressing", "Terminating"),
        ("Suspended", "InProgress"),
    }


def test_what_is_degraded_says_reason_cause_and_what_serves(known):
    (said,) = health_of([known["rolledback_by_smoke_test"].made])
    assert said["message"] == (
        "RolledBack: version 2 was rejected: GoldenMismatch (UnscaledInput): 6 of 6 answers differ; version 1 serves"
    )


def test_an_object_that_nobody_has_looked_at_is_progressing(known):
    bare = {key: value for key, value in known["untouched"].made.items() if key != "status"}
    assert [said["status"] for said in health_of([bare])] == ["Progressing"]


@pytest.mark.parametrize("action", argocd.ACTIONS)
def test_an_action_changes_one_field(known, action):
    name, change = AFTER[action]
    before = known[name].made
    (after,) = judging.lua(argocd.script(f"actions/{action}/action.lua"), [before])
    want = before | {"spec": before["spec"] | {"rollout": before["spec"]["rollout"] | change}}
    assert same_but_for_empty(after, want)


@pytest.mark.parametrize("action", argocd.ACTIONS)
def test_an_action_works_on_a_spec_without_rollout(known, action):
    name, change = AFTER[action]
    before = known[name].made
    bare = before | {"spec": {k: v for k, v in before["spec"].items() if k != "rollout"}}
    (after,) = judging.lua(argocd.script(f"actions/{action}/action.lua"), [bare])
    assert after["spec"]["rollout"] == change


@pytest.mark.parametrize(
    ("action", "name", "becomes"),
    [
        ("retry", "rolledback_by_smoke_test", reasons.Phase.Starting),
        ("retry", "rejected_first", reasons.Phase.Starting),
        ("pause", "starting_beside_active", reasons.Phase.Starting),
        ("resume", "paused", reasons.Phase.Starting),
    ],
)
def test_an_action_does_what_it_is_called(action, name, becomes):
    world = phases.build_world(name)
    (after,) = judging.lua(argocd.script(f"actions/{action}/action.lua"), [phases.build_object(world)])
    world.raw_spec, world.generation = after["spec"], world.generation + 1
    world.settle()
    assert world.status.phase is becomes
    world.become_ready(world.status.candidate_revision.name)
    world.answer(reasons.Verdict.Pass)
    wanted = reasons.Phase.Paused if action == "pause" else reasons.Phase.Baking
    assert world.status.phase is wanted


def test_a_second_retry_is_another_token(known):
    made = known["rolledback_by_smoke_test"].made
    for generation in (2, 3, 41_000_000):
        made = made | {"metadata": made["metadata"] | {"generation": generation}}
        (after,) = judging.lua(argocd.script("actions/retry/action.lua"), [made])
        assert after["spec"]["rollout"]["retryToken"] == f"argocd-{generation}"


def test_actions_are_offered_where_they_do_something(known):
    found = judging.lua(argocd.script("actions/discovery.lua"), [p.made for p in known.values()])
    for (name, phase), offered in zip(known.items(), found, strict=True):
        paused = bool(phase.made["spec"].get("rollout", {}).get("paused"))
        assert offered["pause"] == {"disabled": paused}, name
        assert offered["resume"] == {"disabled": not paused}, name
        given_up = name.startswith(("rolledback", "rejected")) or name == "stalled_no_healthy_revision"
        assert offered["retry"] == {"disabled": not given_up}, name


def test_argo_cds_own_health_tests_are_in_step(known):
    found = health_of([phase.made for phase in known.values()])
    tests = []
    for (name, phase), said in zip(known.items(), found, strict=True):
        path = f"testdata/{phase.argocd.lower()}_{name}.yaml"
        hold(argocd.SCRIPTS / path, yaml.safe_dump(brief(phase.made), sort_keys=False))
        tests.append({"healthStatus": said, "inputPath": path})
    hold(HEALTH, yaml.safe_dump({"tests": tests}, sort_keys=False, width=1000))


def test_argo_cds_own_action_tests_are_in_step(known):
    offered, changes = [], []
    for action, (name, change) in AFTER.items():
        before = known[name].made
        (found,) = judging.lua(argocd.script("actions/discovery.lua"), [before])
        path, after = f"testdata/{name}.yaml", f"testdata/{name}_after_{action}.yaml"
        changed = before | {"spec": before["spec"] | {"rollout": before["spec"]["rollout"] | change}}
        for where, made in ((path, before), (after, changed)):
            hold(argocd.SCRIPTS / "actions" / where, yaml.safe_dump(brief(made), sort_keys=False))
        result = [{"name": each, **found[each]} for each in sorted(found)]
        offered.append({"inputPath": path, "result": result})
        changes.append({"action": action, "inputPath": path, "expectedOutputPath": after})
    text = yaml.safe_dump({"discoveryTests": offered, "actionTests": changes}, sort_keys=False)
    hold(ACTIONS, text)


def test_what_teams_paste_holds_the_same_scripts():
    hold(argocd.EXAMPLES / "argocd-cm.yaml", argocd.render_config_map())
    hold(argocd.EXAMPLES / "values.yaml", argocd.render_values())
    pasted = yaml.safe_load((argocd.EXAMPLES / "argocd-cm.yaml").read_text())["data"]
    assert yaml.safe_load((argocd.EXAMPLES / "values.yaml").read_text())["configs"]["cm"] == pasted
    assert pasted["resource.customizations.health.tfserving.dev_ModelDeployment"] == argocd.script(
        "health.lua"
    )
    actions = yaml.safe_load(pasted["resource.customizations.actions.tfserving.dev_ModelDeployment"])
    assert actions["discovery.lua"] == argocd.script("actions/discovery.lua")
    assert {d["name"]: d["action.lua"] for d in actions["definitions"]} == {
        name: argocd.script(f"actions/{name}/action.lua") for name in argocd.ACTIONS
    }


def test_the_scripts_ask_for_no_library_that_argo_cd_does_not_open():
    with pytest.raises(ValueError, match="attempt to index a non-table object"):
        judging.lua("return string.upper('x')", [{}])
