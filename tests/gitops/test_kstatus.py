"""What kstatus, in both of its libraries, makes of objects in every phase and on random walks."""

import pytest

from local.gitops import judging
from tests.support import phases
from tfserving_operator.api import reasons


@pytest.fixture(scope="module")
def known() -> list[phases.Phase]:
    return list(phases.build())


def test_every_phase_is_judged_as_documented(known):
    judged = judging.kstatus(phase.made for phase in known)
    assert {p.name: j.sigs.status for p, j in zip(known, judged, strict=True)} == {
        p.name: p.kstatus for p in known
    }


def test_both_libraries_agree_word_by_word(known):
    for judged in judging.kstatus(phase.made for phase in known):
        assert judged.sigs == judged.flux


def test_what_has_failed_says_why(known):
    failed = [p for p in known if p.kstatus == "Failed"]
    for phase, judged in zip(failed, judging.kstatus(p.made for p in failed), strict=True):
        stalled = next(c for c in phase.made["status"]["conditions"] if c["type"] == "Stalled")
        assert judged.flux.message == stalled["message"] != ""


def test_no_phase_of_the_vocabulary_is_left_out(known):
    assert {p.made["status"].get("phase") for p in known} >= {str(phase) for phase in reasons.Phase}
