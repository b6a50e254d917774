"""Random walks through a simulated cluster: whatever happens in whatever order, some things hold."""

from dataclasses import replace
from datetime import timedelta

import hypothesis
from hypothesis import stateful, strategies

from tests.support import worlds
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import actions, rollout, workloads

MEMORY = ("512Mi", "256Mi")
CASES = (0.0, 1.0)
BAD_MEMORY = "500m"
VERDICTS = (
    (reasons.Verdict.Pass, "Passed"),
    (reasons.Verdict.Pass, "Passed"),
    (reasons.Verdict.Fail, "GoldenMismatch"),
    (reasons.Verdict.Inconclusive, "Inconclusive"),
    (None, "PodUnreachable"),
)


def build_spec(version: int, memory: str, cases: float, **rest: object) -> dict[str, object]:
    """A spec out of few values, so that walks come back to what they left."""
    replicas, token, paused, repeat, bake = (
        rest[k] for k in ("replicas", "token", "paused", "repeat", "bake")
    )
    return worlds.make_spec(
        version,
        resources={"limits": {"memory": memory}},
        replicas=replicas,
        smoke={"cases": [{"name": "one", "instances": [[cases]]}], "repeatSeconds": repeat},
        rollout={
            "bakeSeconds": bake,
            "retryToken": token,
            "paused": paused,
            "progressDeadlineSeconds": 300,
            "revisionHistoryLimit": 1,
        },
    )


class Walk(stateful.RuleBasedStateMachine):
    """A user, a kernel, a kubelet, models and a clock, all at random."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: dict[str, object] = {
            "version": 1,
            "memory": MEMORY[0],
            "cases": 0.0,
            "replicas": 1,
            "token": "",
            "paused": False,
            "repeat": 100,
            "bake": 60,
        }
        self.world = worlds.World(build_spec(**self.raw))
        self.steps_back: dict[tuple[object, ...], int] = {}
        self.asks = 0
        self.seen_steps: set[object] = set()
        self.settle()
        for version, memory in ((1, MEMORY[0]), (2, MEMORY[1])):
            self.roll_out(version, memory)
            self.wait(61)

    def settle(self) -> None:
        """Decide until nothing moves, looking at every state on the way."""
        for _ in range(30):
            before = self.world.status
            moved = self.world.step()
            self.look(before)
            if not moved:
                return
        raise AssertionError(f"never settles: {self.world.done[-4:]}")

    def look(self, before: object) -> None:
        """What holds in every state, also between two writes."""
        world, state = self.world, self.world.status
        selected = world.selected() if world.service is not None else workloads.NO_REVISION
        if selected != workloads.NO_REVISION:
            assert workloads.pin_name(selected) in world.config_maps, "untested traffic"
        quarantined = {r.name for r in state.rejected_revisions}
        active = state.active_revision
        if active is not None:
            assert active.name not in quarantined, "a quarantined revision serves"
        used = state.step_back
        if used is not None and used.to_revision and (used.time, used.to_revision) not in self.seen_steps:
            self.seen_steps.add((used.time, used.to_revision))
            asked = tuple(v for k, v in self.raw.items() if k not in {"replicas", "paused"})
            key = (*asked, self.asks)
            self.steps_back[key] = self.steps_back.get(key, 0) + 1
            assert self.steps_back[key] == 1, "two steps back for one spec"

    @stateful.rule(
        version=strategies.integers(1, 3),
        memory=strategies.sampled_from([*MEMORY, *MEMORY, BAD_MEMORY]),
        cases=strategies.sampled_from(CASES),
        bake=strategies.sampled_from([60, 0]),
        repeat=strategies.sampled_from([100, 0]),
    )
    def apply(self, version: int, memory: str, cases: float, bake: int, repeat: int) -> None:
        """The user applies a spec."""
        self.change(version=version, memory=memory, cases=cases, bake=bake, repeat=repeat)

    @stateful.rule(replicas=strategies.sampled_from([0, 1, 2, 3]))
    def scale(self, replicas: int) -> None:
        """An autoscaler, or a person."""
        self.change(replicas=replicas)

    @stateful.rule(paused=strategies.booleans())
    def pause(self, paused: bool) -> None:
        """Pause or go on."""
        self.change(paused=paused)

    @stateful.rule(token=strategies.sampled_from(["a", "b"]))
    def retry(self, token: str) -> None:
        """Try a rejected revision again."""
        self.change(token=token)

    def change(self, **changes: object) -> None:
        """Another generation, where it is another spec."""
        after = {**self.raw, **changes}
        if after == self.raw:
            return
        if any(after[k] != self.raw[k] for k in after if k not in {"replicas", "paused"}):
            self.asks += 1
        self.raw = after
        self.world.raw_spec = build_spec(**after)
        self.world.generation += 1
        self.settle()

    @stateful.rule(seconds=strategies.sampled_from([1, 5, 31, 61, 101, 601]))
    def wait(self, seconds: int) -> None:
        """Time passes, and decisions are made when they asked to be, and at no other time."""
        end = self.world.now + timedelta(seconds=seconds)
        for _ in range(2000):
            wake = self.world.wake
            # A look for a deadline comes 0.1 s after it
            if wake is None or self.world.now + timedelta(seconds=wake - 0.2) > end:
                break
            self.world.now += timedelta(seconds=max(wake, 0.001))
            self.settle()
        else:
            raise AssertionError("asks again and again")
        status, wake = self.world.status, self.world.wake
        self.world.now = max(end, self.world.now)
        # Nothing that only time brings may have been missed
        late = rollout.decide(self.world.snapshot(), self.world.now)
        assert late.status.to_wire() == status.to_wire(), (wake, "a wake-up was missed")

    @stateful.rule()
    def become_ready(self) -> None:
        """Every pod's server answers."""
        for name, pods in self.world.pods.items():
            self.world.pods[name] = tuple(
                p
                if p.phase == "Failed"
                else replace(
                    p,
                    ready=True,
                    containers=(p.containers[0], replace(p.containers[1], running=True, ready=True)),
                )
                for p in pods
            )
        self.settle()

    @stateful.rule()
    def go_on(self) -> None:
        """All is well for once: pods come up, and tests pass."""
        self.become_ready()
        self.finish(reasons.Verdict.Pass, "Passed")
        self.settle()

    @stateful.rule(version=strategies.integers(1, 3), memory=strategies.sampled_from(MEMORY))
    def roll_out(self, version: int, memory: str) -> None:
        """The next version goes well so far."""
        self.change(version=version, memory=memory, paused=False)
        self.go_on()

    @stateful.rule(verdict=strategies.sampled_from(VERDICTS), data=strategies.data())
    def answer(self, verdict: tuple[reasons.Verdict | None, str], data: strategies.DataObject) -> None:
        """One of the running tests, or all of them, end."""
        running = sorted(key for key, state in self.world.tests.items() if state.outcome is None)
        if not running:
            return
        ends = running if data.draw(strategies.booleans()) else [data.draw(strategies.sampled_from(running))]
        others = {key: self.world.tests.pop(key) for key in running if key not in ends}
        self.world.now += timedelta(milliseconds=7)
        self.finish(*verdict)
        self.world.tests |= others
        self.settle()

    def finish(self, verdict: reasons.Verdict | None, reason: str) -> None:
        """The running tests end, and nothing is decided yet."""
        settle, self.world.settle = self.world.settle, lambda: None  # type: ignore[method-assign]
        try:
            self.world.answer(verdict, reason, f"because of {reason}")
        finally:
            self.world.settle = settle  # type: ignore[method-assign]

    @stateful.rule(data=strategies.data(), crash=strategies.booleans())
    def kill(self, data: strategies.DataObject, crash: bool) -> None:
        """The kernel kills a server, or it aborts."""
        alive = sorted(name for name, pods in self.world.pods.items() if pods)
        if not alive:
            return
        name = data.draw(strategies.sampled_from(alive))
        at = data.draw(strategies.integers(0, len(self.world.pods[name]) - 1))
        pods = list(self.world.pods[name])
        server = pods[at].containers[1]
        ended = worlds.make_termination(
            "Error" if crash else "OOMKilled", 134 if crash else 137, self.world.now
        )
        server = replace(server, ready=False, last_terminated=ended, restart_count=server.restart_count + 1)
        pods[at] = replace(pods[at], ready=False, containers=(pods[at].containers[0], server))
        self.world.pods[name] = tuple(pods)
        self.settle()

    @stateful.rule()
    def kill_what_serves(self) -> None:
        """The kernel kills a server of the active revision, and then another."""
        active = self.world.status.active_revision
        for _ in range(2):
            if active is not None and any(p.phase != "Failed" for p in self.world.pods.get(active.name, ())):
                self.wait(5)
                self.world.kill(active.name)
                self.settle()

    @stateful.rule(after=strategies.integers(1, 3))
    def crash(self, after: int) -> None:
        """The operator is killed before one of its next status writes; its tests are lost at once."""
        self.world.crash_at = self.world.decisions + after
        self.world.tests.clear()
        self.settle()

    @stateful.rule()
    def edit_service(self) -> None:
        """Somebody points the Service elsewhere by hand, or deletes it."""
        if self.world.service is not None:
            wrong = ((constants.LABEL_REVISION, "digits-wrong"),)
            self.world.service = replace(self.world.service, selector=wrong)
            self.world.step()
            self.settle()

    @stateful.rule()
    def delete_service(self) -> None:
        """Somebody deletes the Service."""
        self.world.service = None
        self.settle()

    @stateful.invariant()
    def the_service_selects_what_the_status_names(self) -> None:
        state = self.world.status
        if self.world.service is not None:
            name = state.active_revision.name if state.active_revision else workloads.NO_REVISION
            assert self.world.selected() == name

    @stateful.invariant()
    def what_serves_has_its_pods(self) -> None:
        active = self.world.status.active_revision
        if active is not None:
            assert self.world.deployments[active.name].replicas == self.raw["replicas"]

    @stateful.invariant()
    def nothing_else_moves(self) -> None:
        """A settled object asks for nothing, says nothing, and writes nothing."""
        again = rollout.decide(self.world.snapshot(), self.world.now)
        assert again.status.to_wire() == self.world.status.to_wire()
        assert [a for a in again.actions if not isinstance(a, actions.StartTest)] == [], again.actions
        assert again.events == (), again.events

    @stateful.invariant()
    def ready_means_proven(self) -> None:
        world = self.world
        if world.condition("Ready")[0] == "True":
            active = world.status.active_revision
            assert active is not None
            assert active.bake_until is None
            assert world.deployments[active.name].version == self.raw["version"]
            assert world.condition("Stalled")[0] == "False"


TestWalks = Walk.TestCase
TestWalks.settings = hypothesis.settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
