"""An outage or a refusal that lasts becomes Stalled by itself, and nothing waits for ever."""

import pytest

from tests.support import worlds
from tfserving_operator.core import snapshot


@pytest.fixture
def crashing(serving: worlds.World) -> worlds.World:
    """A cluster whose only pod has crashed after its proof."""
    assert serving.status.active_revision is not None
    serving.after(10)
    serving.kill(serving.status.active_revision.name, reason="Error", exit_code=1)
    return serving


def test_an_outage_is_no_stall_at_first(crashing):
    assert crashing.condition("Ready") == ("False", "NotServing")
    assert crashing.condition("Stalled") == ("False", "NotStalled")
    assert crashing.wake == pytest.approx(300.1)


def test_an_outage_past_the_deadline_stalls_and_says_so_once(crashing):
    crashing.after(crashing.wake)
    assert crashing.condition("Stalled") == ("True", "ServerCrashed")
    stalled = next(c for c in crashing.status.conditions if c.type == "Stalled")
    late = "no pod of version 1 has been Ready for 300 s (progressDeadlineSeconds): "
    assert stalled.message.startswith(f"{late}tensorflow_model_server in pod")
    crashing.after(3600)
    assert [e.type for e in crashing.events if e.reason == "ServerCrashed"] == ["Warning"]
    assert crashing.status.rejected_revisions == ()


def test_an_outage_ends_with_the_first_pod_that_is_ready(crashing):
    crashing.after(crashing.wake)
    crashing.become_ready(crashing.status.active_revision.name)
    assert crashing.condition("Ready") == ("True", "RevisionReady")
    assert crashing.condition("Stalled") == ("False", "NotStalled")


def test_a_service_that_may_not_be_made_again_stalls_in_time(serving):
    serving.service = None
    serving.refusals = (
        snapshot.Refusal(kind="Service", name="digits", code=403, message="exceeded quota", name_taken=False),
    )
    serving.settle()
    assert serving.condition("Ready")[0] == "False"
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.after(serving.wake)
    assert serving.condition("Stalled")[0] == "True"
