import threading

import pytest
from prometheus_client import parser

from tfserving_operator.adapters import metrics as metric
from tfserving_operator.api import reasons


async def samples(metrics: metric.Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Values by name and labels, as Prometheus reads them."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in parser.text_string_to_metric_families((await metrics.render()).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


async def test_ends_of_rollouts_steps_checks_and_kills_are_counted() -> None:
    metrics = metric.Metrics()
    metrics.rollout_ended(outcome="RolledBack", reason="OOMKilled", cause="")
    metrics.step_ended(step="Starting", seconds=12.0)
    metrics.check_done(check="finite", verdict="Pass")
    metrics.memory_killed(kind="Evicted")
    seen = await samples(metrics)
    labels = (("cause", ""), ("outcome", "RolledBack"), ("reason", "OOMKilled"))
    assert seen["tfserving_operator_rollouts_total"] == {labels: 1.0}
    assert seen["tfserving_operator_rollout_step_seconds_sum"] == {(("step", "Starting"),): 12.0}
    assert seen["tfserving_operator_smoke_checks_total"] == {(("check", "finite"), ("verdict", "Pass")): 1.0}
    assert seen["tfserving_operator_oom_kills_total"][(("kind", "Evicted"),)] == 1.0


async def test_a_gauge_with_labels_shows_what_is_there_and_forgets_what_is_gone() -> None:
    metrics, values = metric.Metrics(), {("a", "b"): 1.0}
    read_in = []

    def read() -> metric.Values:
        read_in.append(threading.current_thread())
        return dict(values)

    metrics.gauges("things", "Things.", "namespace", "name", read=read)
    name = "tfserving_operator_things"
    assert (await samples(metrics))[name] == {(("name", "b"), ("namespace", "a")): 1.0}
    values.clear()
    assert name not in await samples(metrics)
    assert read_in[-1] is not threading.main_thread()  # the event loop's thread goes on meanwhile


def test_a_gauge_cannot_be_added_twice() -> None:
    metrics = metric.Metrics()
    metrics.gauges("things", "Things.", "name", read=dict)
    with pytest.raises(ValueError, match="Duplicated"):
        metrics.gauges("things", "Things.", "name", read=dict)


async def test_counters_that_alerts_read_begin_at_nought() -> None:
    seen = await samples(metric.Metrics())
    assert seen["tfserving_operator_oom_kills_total"] == {(("kind", kind),): 0.0 for kind in reasons.KillKind}
    results = seen["tfserving_operator_reconciliations_total"]
    assert results == {(("result", result),): 0.0 for result in ("failed", "refused", "retried")}
