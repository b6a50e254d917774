import asyncio
import base64
import io
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import structlog

from tests.support import workshop
from tests.support.manual_clock import ManualClock
from tests.support.workshop import Workshop
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants, reasons, types
from tfserving_operator.core import actions, snapshot, workloads
from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.reconcile import testing

pytestmark = pytest.mark.cluster

INLINE: dict[str, Any] = {"name": "one", "instances": [[0.5]]}
DIGEST = cases.resolve([INLINE]).digest


def make_request(snap: snapshot.Snapshot, key: str = "k", **changes: Any) -> plans.TestRequest:
    plain = plans.TestRequest(
        key=key,
        purpose=plans.TestPurpose.Candidate,
        namespace=snap.owner.namespace,
        revision="digits-1",
        targets=(plans.Target(pod="p", address="127.0.0.1:1"),),
        control=None,
        control_version=None,
        model_name="digits",
        version=1,
        signature_name="serving_default",
        cases=plans.SpecCases(inline=(INLINE,), config_maps=()),
        checks={},
        load_requests=0,
        load_concurrency=1,
        timeout_seconds=10.0,
    )
    return replace(plain, **changes)


def with_candidate(snap: snapshot.Snapshot, revision: str = "digits-1") -> Any:
    candidate = {"name": revision, "version": 1, "step": "Testing", "since": "2026-01-01T00:00:00Z"}
    return snap.status.model_validate({**snap.status.to_wire(), "candidateRevision": candidate})


def ask_for(**changes: Any) -> workshop.Decide:
    """Ask for one test, again and again."""

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        test = actions.StartTest(request=make_request(snap, **changes))
        return actions.Decision(status=with_candidate(snap), actions=(test,))

    return decide


async def passing(request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
    now = ManualClock().now()
    return plans.TestOutcome(
        verdict=reasons.Verdict.Pass,
        reason="",
        cases_digest=found.digest,
        pinned_cases=found.canonical,
        started_at=now,
        finished_at=now,
    )


def outcome_of(shop: Workshop, key: str = "k") -> plans.TestOutcome | None:
    state = shop.last.tests.get(key) if shop.snapshots else None
    return state.outcome if state is not None else None


async def test_a_test_runs_once_for_its_key_and_its_end_wakes_the_object(shop: Workshop) -> None:
    runs: list[str] = []

    async def run(request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        runs.append(request.key)
        return await passing(request, found)

    shop.test, shop.decide = run, ask_for()
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    await shop.settled()
    assert runs == ["k"]
    assert outcome.verdict is reasons.Verdict.Pass
    assert outcome.cases_digest == DIGEST
    assert shop.sent["GET", "configmaps"] == 0


async def test_cases_in_config_maps_are_read_when_the_test_starts(shop: Workshop) -> None:
    shop.create(resources.CONFIG_MAPS, {"metadata": {"name": "g"}, "data": {"c.json": json.dumps([INLINE])}})
    shop.test = passing
    shop.decide = ask_for(cases=plans.SpecCases(inline=(), config_maps=(("g", "c.json"),)))
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert outcome.cases_digest == DIGEST
    assert shop.sent["GET", "configmaps"] == 1


@pytest.mark.parametrize(
    ("config_map", "reason", "words"),
    [
        (None, "CasesMissing", "configmap g is not there"),
        ({"data": {"other": "[]"}}, "CasesMissing", r"has no key c.json; it has \['other'\]"),
        ({"binaryData": {"c.json": "AAAA"}}, "CasesInvalid", "binary"),
        ({"data": {"c.json": "{{{"}}, "CasesInvalid", "configmap g key c.json"),
    ],
)
async def test_cases_that_cannot_be_used_are_no_verdict_and_named(
    shop: Workshop, config_map: Any, reason: str, words: str
) -> None:
    if config_map is not None:
        shop.create(resources.CONFIG_MAPS, {"metadata": {"name": "g"}, **config_map})
    shop.test = passing
    shop.decide = ask_for(cases=plans.SpecCases(inline=(), config_maps=(("g", "c.json"),)))
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert outcome.verdict is None
    assert outcome.reason == reason
    assert re.search(words, outcome.message)


@pytest.mark.parametrize("fault", [RuntimeError("ours"), KeyError("ours")])
async def test_a_fault_of_the_runner_is_no_verdict(shop: Workshop, fault: Exception) -> None:
    async def run(request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        raise fault

    shop.test, shop.decide = run, ask_for()
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert (outcome.verdict, outcome.reason) == (None, "TestCannotRun")
    assert "ours" in outcome.message


async def test_a_test_that_does_not_end_is_ended(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "GRACE_SECONDS", 0.1)

    async def run(request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        await asyncio.sleep(60)
        raise AssertionError

    shop.test, shop.decide = run, ask_for(timeout_seconds=0.1)
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert (outcome.verdict, outcome.reason) == (None, "TestCannotRun")


class Endless:
    """A test that only ends by being cancelled."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        self.started.append(request.key)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.append(request.key)
            raise
        raise AssertionError


async def test_the_test_of_a_deleted_object_is_cancelled(shop: Workshop) -> None:
    run = Endless()
    shop.test, shop.decide = run, ask_for()
    shop.create_model()
    await shop.until(lambda: run.started)
    shop.delete_model()
    await shop.until(lambda: run.cancelled)


async def test_the_test_of_a_revision_that_is_no_longer_wanted_is_cancelled(shop: Workshop) -> None:
    run = Endless()
    shop.test, shop.decide = run, ask_for()
    shop.create_model()
    await shop.until(lambda: run.started)
    shop.decide = lambda snap: actions.Decision(status=with_candidate(snap, "digits-2"))
    shop.patch_model({"spec": {"replicas": 2}})
    await shop.until(lambda: run.cancelled)
    await shop.settled()
    assert "k" not in shop.last.tests


async def test_only_some_tests_of_a_namespace_run_at_a_time(shop: Workshop) -> None:
    run = Endless()

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        asked = [make_request(snap, f"k{i}") for i in range(testing.CONCURRENT_TESTS + 3)]
        tests = tuple(actions.StartTest(request=request) for request in asked)
        return actions.Decision(status=with_candidate(snap), actions=tests)

    shop.test, shop.decide = run, decide
    shop.create_model()
    await shop.until(lambda: len(run.started) == testing.NAMESPACE_TESTS)
    await shop.settled()
    assert len(run.started) == testing.NAMESPACE_TESTS


async def test_arrays_in_a_config_map_are_cases_too(shop: Workshop) -> None:
    target = io.BytesIO()
    np.savez_compressed(target, x=np.ones((2, 3), np.float32))
    packed = base64.b64encode(target.getvalue()).decode()
    shop.create(resources.CONFIG_MAPS, {"metadata": {"name": "g"}, "binaryData": {"cats.npz": packed}})
    seen: list[cases.ResolvedCases] = []

    async def run(request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        seen.append(found)
        return await passing(request, found)

    shop.test, shop.decide = run, ask_for(cases=plans.SpecCases(inline=(), config_maps=(("g", "cats.npz"),)))
    shop.create_model()
    await shop.until(lambda: outcome_of(shop))
    assert [case.name for case in seen[0].cases] == ["cats"]


def test_a_test_of_each_pod_can_be_remembered() -> None:
    (most,) = [bound.le for bound in types.Spec.model_fields["replicas"].metadata if hasattr(bound, "le")][
        -1:
    ]
    assert most * 1.5 <= testing.REMEMBERED_TESTS


def pin(snap: snapshot.Snapshot, digest: str, canonical: bytes, *, replaces: str = "") -> actions.PinCases:
    data = {"cases.json": canonical.decode()}
    manifest = workshop.make_config_map(
        snap, "digits-1-cases", data, **{constants.ANNOTATION_CASES_DIGEST: digest}
    )
    return actions.PinCases(manifest=manifest, replaces_uid=replaces)


async def test_a_pin_is_made_once_replaced_when_it_differs_and_read_only_after_a_restart(
    shop: Workshop,
) -> None:
    first, second = cases.resolve([INLINE]), cases.resolve([{**INLINE, "instances": [[0.7]]}])
    wanted = first

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        there = snap.config_maps.get("digits-1-cases")
        digest = dict(there.annotations)[constants.ANNOTATION_CASES_DIGEST] if there else ""
        if digest != wanted.digest:
            made = pin(snap, wanted.digest, wanted.canonical, replaces=there.meta.uid if there else "")
            return actions.Decision(status=with_candidate(snap), actions=(made,))
        test = actions.StartTest(
            request=make_request(snap, cases=plans.PinnedCases(config_map="digits-1-cases"))
        )
        return actions.Decision(status=with_candidate(snap), actions=(test,))

    shop.test, shop.decide = passing, decide
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert outcome.cases_digest == first.digest
    await shop.settled()
    assert shop.sent["POST", "configmaps"] == 1
    wanted = second
    shop.patch_model({"spec": {"replicas": 2}})
    await shop.until(lambda: shop.sent["POST", "configmaps"] == 2)
    await shop.settled()
    assert shop.sent["DELETE", "configmaps"] == 1
    await shop.stop()
    shop.snapshots.clear()
    await shop.start()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert outcome.cases_digest == second.digest
    assert shop.sent == {("GET", "configmaps"): 1}


async def test_inputs_that_an_older_operator_made_are_made_again(shop: Workshop) -> None:
    """Their pin holds no cases, and the digest of another generator."""

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if not snap.config_maps:
            return actions.Decision(
                status=with_candidate(snap), actions=(pin(snap, "sha256:" + "0" * 64, b""),)
            )
        request = make_request(snap, cases=plans.PinnedCases(config_map="digits-1-cases"))
        return actions.Decision(status=with_candidate(snap), actions=(actions.StartTest(request=request),))

    shop.test, shop.decide = passing, decide
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert (outcome.verdict, outcome.cases_digest) == ("Pass", cases.MADE.digest)


async def test_a_pin_that_is_there_with_other_cases_is_replaced(shop: Workshop) -> None:
    first, second = cases.resolve([INLINE]), cases.resolve([{**INLINE, "instances": [[0.7]]}])
    shop.create_model()
    await shop.until(lambda: shop.snapshots)
    manifest = dict(pin(shop.last, first.digest, first.canonical).manifest)
    del manifest["metadata"]["labels"]  # so that no cache shows it
    shop.create(resources.CONFIG_MAPS, manifest)

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        made = () if snap.config_maps else (pin(snap, second.digest, second.canonical),)
        return actions.Decision(status=with_candidate(snap), actions=made)

    shop.decide = decide
    shop.patch_model({"spec": {"replicas": 2}})
    await shop.until(lambda: shop.last.config_maps)
    await shop.settled()
    there = shop.read(resources.CONFIG_MAPS, "digits-1-cases")
    assert there["metadata"]["annotations"][constants.ANNOTATION_CASES_DIGEST] == second.digest


async def test_a_long_smoke_input_is_pinned_compressed_and_read_back_after_a_restart(shop: Workshop) -> None:
    rows = np.tile(np.arange(100_000, dtype=np.float32), (8, 1))
    target = io.BytesIO()
    np.savez_compressed(target, x=rows)
    found = cases.resolve([], [("cats.npz", target.getvalue())])
    assert found.size > 1_500_000

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if "digits-1-cases" not in snap.config_maps:
            manifest = workloads.build_pin(
                owner=snap.owner,
                revision="digits-1",
                pinned_cases=found.canonical,
                cases_digest=found.digest,
                model_digest="",
            )
            return actions.Decision(
                status=with_candidate(snap), actions=(actions.PinCases(manifest=manifest, replaces_uid=""),)
            )
        return ask_for(cases=plans.PinnedCases(config_map="digits-1-cases"))(snap)

    shop.test, shop.decide = passing, decide
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert outcome.cases_digest == found.digest


async def test_a_pin_of_somebody_else_is_not_sent_to_a_model(shop: Workshop) -> None:
    found = cases.resolve([INLINE])
    labels = {constants.LABEL_MANAGED_BY: constants.MANAGED_BY, constants.LABEL_NAME: "digits"}
    annotations = {constants.ANNOTATION_CASES_DIGEST: found.digest}
    shop.create(
        resources.CONFIG_MAPS,
        {
            "metadata": {"name": "digits-1-cases", "labels": labels, "annotations": annotations},
            "data": {"cases.json": found.canonical.decode()},
        },
    )
    shop.test, shop.decide = passing, ask_for(cases=plans.PinnedCases(config_map="digits-1-cases"))
    shop.create_model()
    outcome = await shop.until(lambda: outcome_of(shop))
    assert (outcome.verdict, outcome.reason) == (None, "CasesMissing")


@pytest.mark.parametrize(
    ("verdict", "event"), [("Fail", "smoke test: ended"), ("Pass", "smoke test: evidence")]
)
async def test_the_log_holds_all_that_a_test_has_seen(shop: Workshop, verdict: str, event: str) -> None:
    check = plans.CheckResult(
        name="goldens", verdict=reasons.Verdict(verdict), enforced=True, message="m", evidence="e" * 3000
    )

    async def run(request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        outcome = await passing(request, found)
        return replace(
            outcome, verdict=reasons.Verdict(verdict), checks=(check,), recorded={"inputs": {"one": "0123"}}
        )

    with structlog.testing.capture_logs() as lines:
        shop.test, shop.decide = run, ask_for()
        shop.create_model()
        await shop.until(lambda: outcome_of(shop))
        await shop.settled()
    (line,) = [line for line in lines if line["event"] == event]
    assert line["checks"][0]["evidence"] == "e" * 3000
    assert line["recorded"] == {"inputs": {"one": "0123"}}
    assert line["cases"] == DIGEST
