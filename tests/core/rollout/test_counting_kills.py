"""No kill is counted twice, and none that a pod still shows is missed: whatever happens, and while nobody looks."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import worlds
from tfserving_operator.core import observed, outcomes

REPLICAS = 3
REMEMBERED = 16

PODS = st.integers(0, REPLICAS - 1)
EVENTS = st.one_of(
    st.tuples(st.just("kill"), PODS),
    st.tuples(st.just("kill and stay down"), PODS),
    st.tuples(st.just("start again"), PODS),
    st.tuples(st.just("crash"), PODS),
    st.tuples(st.just("replace"), PODS),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 20, 400, 5000])),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("look, and be killed before the status is written"), st.just(0)),
    st.tuples(st.just("restart the operator"), st.just(0)),
)


@dataclass
class Counted:
    """Three replicas of a proven revision, and an operator that looks only when it is told to."""

    world: worlds.World
    name: str
    shown: set[str] = field(default_factory=set)
    """Ends for memory that pods showed when the operator looked and wrote."""
    counted: list[str] = field(default_factory=list)
    """As the metrics count them."""
    ends: int = 0

    def happen(self, what: str, number: int) -> None:
        match what:
            case "kill" | "kill and stay down" | "crash":
                self.end(number, is_kill=what != "crash", is_down=what == "kill and stay down")
            case "start again":
                self.start_again(number)
            case "replace":
                self.world.pod_number += 1
                fresh = worlds.make_pod(f"{self.name}-{self.world.pod_number}", self.name, self.world.now)
                self.put(number, fresh)
            case "wait":
                self.world.now += timedelta(seconds=number)
            case "look":
                self.look()
            case "look, and be killed before the status is written":
                self.world.crash_at = self.world.decisions + 1
                self.world.step()
                self.world.crash_at = None
            case "restart the operator":
                self.world.tests.clear()

    def put(self, number: int, pod: observed.Pod) -> None:
        pods = list(self.world.pods[self.name])
        pods[number] = pod
        self.world.pods[self.name] = tuple(pods)

    def server(self, number: int) -> observed.Container:
        return self.world.pods[self.name][number].containers[-1]

    def end(self, number: int, *, is_kill: bool, is_down: bool) -> None:
        self.start_again(number)
        self.ends += 1
        reason, code = ("OOMKilled", 137) if is_kill else ("Error", 1)
        ended = worlds.make_termination(
            reason, code, self.world.now.replace(microsecond=0), "", f"containerd://{self.ends}"
        )
        server = replace(self.server(number), ready=False, running=False, terminated=ended)
        self.replace_server(number, server)
        if not is_down:
            self.start_again(number)

    def start_again(self, number: int) -> None:
        before = self.server(number)
        if before.terminated is None:
            return
        again = replace(
            before,
            running=True,
            ready=True,
            terminated=None,
            last_terminated=before.terminated,
            restart_count=before.restart_count + 1,
        )
        self.replace_server(number, again)

    def replace_server(self, number: int, server: observed.Container) -> None:
        pod = self.world.pods[self.name][number]
        self.put(number, replace(pod, ready=server.ready, containers=(pod.containers[0], server)))

    def look(self) -> None:
        for pod in self.world.pods[self.name]:
            server = pod.containers[-1]
            ends = (server.last_terminated, server.terminated)
            self.shown |= {e.container_id for e in ends if e is not None and e.reason == "OOMKilled"}
        for _ in range(30):
            before = self.world.status
            moved = self.world.step()
            self.counted += outcomes.new_kills(before, self.world.status)
            if not moved:
                return
        raise AssertionError("never settles")


def serving() -> Counted:
    world = worlds.World(worlds.make_spec(replicas=REPLICAS, rollout={"oom": {"maxKills": 16}}))
    world.settle()
    return Counted(world=world, name=world.roll_out())


def remembered(made: Counted) -> list[str]:
    resources = made.world.status.resources
    return [k.container_id for k in resources.recent_ooms] if resources is not None else []


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_each_kill_that_a_pod_shows_is_counted_once(events):
    made = serving()
    for what, number in events:
        if what in {"kill", "kill and stay down"} and made.ends >= REMEMBERED:
            continue
        made.happen(what, number)
    made.look()
    assert sorted(remembered(made)) == sorted(made.shown)
    assert len(made.counted) == len(made.shown)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(PODS, st.integers(1, 300)), min_size=20, max_size=40))
def test_of_any_number_the_newest_are_remembered_and_all_are_counted_once(ends):
    made = serving()
    for number, seconds in ends:
        made.happen("wait", seconds)
        made.end(number, is_kill=True, is_down=False)
        made.look()
        made.happen("restart the operator", 0)
    assert remembered(made) == [f"containerd://{n}" for n in range(len(ends) - 15, len(ends) + 1)]
    assert len(made.counted) == len(ends)


def test_two_kills_within_one_second_are_two():
    """The first restart of a container follows at once, and the API tells whole seconds."""
    made = serving()
    made.end(0, is_kill=True, is_down=False)
    made.look()
    made.end(0, is_kill=True, is_down=True)
    made.look()
    assert made.counted == ["OOMKilled", "OOMKilled"]


def test_a_kill_while_the_operator_was_down_counts_towards_the_step_back():
    made = serving()
    made.world.apply(1, replicas=REPLICAS, rollout={"oom": {"maxKills": 2}})
    for number in (0, 1):
        made.happen("wait", 30)
        made.end(number, is_kill=True, is_down=False)
    made.look()
    assert made.world.condition("Stalled") == ("True", "NoHealthyRevision")
