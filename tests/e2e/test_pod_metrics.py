"""The largest working set of a model server, by the real metrics-server, and the limit that follows from it."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from local.demo import audit
from tests.support import lab as labs
from tests.support import podmetrics
from tfserving_operator.core import memory, quantities

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-pod-metrics"
VALUE = "metrics.podMetrics=true"


@dataclass
class Setting:
    """A lab whose operator asks for pod metrics, and who answers."""

    lab: labs.Lab
    server: subprocess.Popen[bytes]
    began: float

    def resources(self) -> dict[str, Any]:
        return self.lab.status(NAMESPACE).get("resources", {})

    def peak(self) -> Fraction:
        return quantities.parse_quantity(self.resources().get("peakWorkingSet", "0"))

    def questions(self) -> list[audit.Entry]:
        """The operator's requests to the API of metrics."""
        return [e for e in self.lab.entries(since=self.began) if e.group == podmetrics.GROUP]


@pytest.fixture(scope="module")
def setting(lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    began = time.time()
    lab.make_namespace(NAMESPACE)
    with podmetrics.serving(lab, tmp_path_factory.mktemp("metrics")) as server:
        lab.stop()
        lab.install(lab.operator_image, VALUE)
        lab.settings["podMetrics"] = True
        lab.start()
        try:
            yield Setting(lab=lab, server=server, began=began)
        finally:
            lab.stop()
            del lab.settings["podMetrics"]
            lab.install(lab.operator_image)
            lab.start()


def test_the_recommended_limit_leaves_a_quarter_above_the_largest_working_set(setting: Setting):
    lab = setting.lab
    model = lab.resource(NAMESPACE, 1)
    model["spec"]["smoke"]["repeatSeconds"] = 20  # one that comes too early for a sample is not the last
    lab.apply(model)
    lab.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    # The first sample may be of a server that was only about to load
    labs.wait_for("a peak", lambda: setting.peak() > memory.BASE_BYTES / 2, seconds=150)
    told = setting.resources()
    print(told)
    peak, recommended = (
        quantities.parse_quantity(told[key]) for key in ("peakWorkingSet", "recommendedMemoryLimit")
    )
    limit = quantities.parse_quantity(model["spec"]["resources"]["limits"]["memory"])
    assert peak <= limit
    assert recommended >= Fraction(5, 4) * peak
    asked = setting.questions()
    tests = lab.logged("smoke test: ended", NAMESPACE)
    assert {(e.verb, e.resource, e.namespace, e.code) for e in asked} == {("list", "pods", NAMESPACE, 200)}
    assert len(asked) <= len(tests) + 1


def test_the_recommended_limit_is_enough_and_a_rollout_does_without_metrics_that_end(setting: Setting):
    lab, recommended = setting.lab, setting.resources()["recommendedMemoryLimit"]
    model = lab.resource(NAMESPACE, 1)
    model["spec"]["resources"] = {
        "requests": {"cpu": "100m", "memory": recommended},
        "limits": {"cpu": "1", "memory": recommended},
    }
    answered = len(setting.questions())
    setting.server.terminate()
    setting.server.wait(30)
    lab.apply(model)
    lab.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    wanted = labs.wait_for("an unanswered question", lambda: setting.questions()[answered:])
    assert [e.code for e in wanted if e.code != 200] in ([], [503])
