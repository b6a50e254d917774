"""The audit log, on lines of a real API server from the seconds around a rollback in the bake."""

import collections
from pathlib import Path

import pytest

from local.demo import audit

SAMPLE = Path(__file__).parent / "data" / "audit.jsonl"
OPERATOR = "system:serviceaccount:tfserving-system:tfserving-operator"
KILLED = "digits-22f52806-"
PROMOTED = 1795260909.255968
BURST = 1795260912.5
REPORTED = 1795260914.131948
FLIPPED = 1795260914.152366


@pytest.fixture(scope="module")
def entries() -> list[audit.Entry]:
    return list(audit.read(SAMPLE))


def writes(entries, **changes):
    return audit.service_writes(
        entries, **({"user": OPERATOR, "namespace": "tfserving-demo", "name": "digits"} | changes)
    )


def reports(entries):
    return audit.kubelet_reports(entries, namespace="tfserving-demo", pod_prefix=KILLED)


def test_the_operators_writes_of_the_service_are_found_with_their_times(entries):
    assert writes(entries) == pytest.approx([PROMOTED, FLIPPED], abs=1e-6)


@pytest.mark.parametrize("other", [{"user": "admin"}, {"namespace": "default"}, {"name": "digit"}])
def test_writes_of_others_and_of_other_services_do_not_count(entries, other):
    assert writes(entries, **other) == []


def test_the_kubelets_reports_are_those_of_the_killed_revisions_pods(entries):
    found = reports(entries)
    assert len(found) == 8
    assert found == sorted(found)
    assert any(time == pytest.approx(REPORTED, abs=1e-6) for time in found)


def test_the_flip_took_the_time_between_the_first_report_after_the_burst_and_the_write(entries):
    seconds = audit.flip_seconds(reports=reports(entries), writes=writes(entries), after=BURST)
    assert seconds == pytest.approx(FLIPPED - REPORTED, abs=1e-6)


@pytest.mark.parametrize("after", [FLIPPED + 0.1, FLIPPED + 100])
def test_without_a_report_or_a_write_there_is_no_time(entries, after):
    assert audit.flip_seconds(reports=reports(entries), writes=writes(entries), after=after) is None


def test_requests_are_counted_by_verb_and_resource_and_watches_once(entries):
    assert audit.count(entries, user=OPERATOR) == collections.Counter(
        {
            ("watch", "pods"): 1,
            ("watch", "modeldeployments"): 1,
            ("create", "deployments"): 2,
            ("create", "events"): 4,
            ("patch", "deployments"): 1,
            ("patch", "services"): 2,
            ("patch", "modeldeployments/status"): 5,
            ("update", "leases"): 3,
        }
    )


def test_requests_are_counted_between_two_moments(entries):
    around = audit.count(entries, user=OPERATOR, start=FLIPPED - 0.5, end=FLIPPED + 0.06)
    assert around == collections.Counter(
        {
            ("patch", "services"): 1,
            ("patch", "modeldeployments/status"): 1,
            ("create", "events"): 1,
            ("patch", "deployments"): 1,
        }
    )


def test_a_line_that_is_still_being_written_is_left_out(tmp_path, entries):
    cut = tmp_path / "audit.log"
    cut.write_bytes(SAMPLE.read_bytes()[:-20])
    assert list(audit.read(cut)) == entries[:-1]


def test_entries_can_be_read_from_a_moment_on(entries):
    late = list(audit.read(SAMPLE, since=FLIPPED))
    assert 0 < len(late) < len(entries)
    assert min(entry.received for entry in late) >= FLIPPED
