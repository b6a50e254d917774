"""The report has the form that was agreed, and says which promises the figures break."""

import io
import json

import pytest
from rich import console as consoles

from local.demo import report, steps, view
from local.demo.board import Board, Outcome, Promotion, Result
from local.demo.judging import Pool, Request

PROMOTIONS = ((100.0, 1), (200.0, 5), (206.0, 1), (300.0, 6))
BURST_SENT = 205.0
AUDITED = report.Audited(service_writes=[99.99, 199.99, 205.9, 299.99], kubelet_reports=[190.0, 205.5, 207.0])


def request(started: float, **changes) -> Request:
    version = max((p for p in PROMOTIONS if p[0] <= started), default=(0, 1))[1]
    values = {"pool": Pool.fresh, "started": started, "opened": started, "ended": started + 0.99, "image": 0}
    return Request(**({**values, "version": version} | changes))


def good_board() -> Board:
    board = Board()
    board.promotions = [Promotion(seen=t, version=v, revision=f"digits-{v}") for t, v in PROMOTIONS]
    board.results = [
        Result(version=s.version, outcome=s.outcome, reason=s.reason, seconds=1.25) for s in steps.STEPS
    ]
    board.requests = [request(100.5 + i / 24) for i in range(6000)]
    return board


def build(board: Board, **changes) -> report.Report:
    return report.build(board, **({"burst_sent": BURST_SENT, "audited": AUDITED} | changes))


def test_a_run_as_it_should_be_breaks_nothing():
    assert build(good_board()).broken == ()


def test_the_report_has_the_agreed_form():
    wire = report.to_json(build(good_board()))
    assert wire["steps"][4] == {
        "version": 5,
        "outcome": "RolledBack",
        "reason": "OOMKilled",
        "cause": "",
        "seconds": 1.25,
        "flipSeconds": 0.4,
    }
    assert wire["steps"][0]["flipSeconds"] is None
    assert wire["client"] == {
        "sent": 6000,
        "failed": 0,
        "wrongVersion": 0,
        "failedDuringOom": 0,
        "failedOnRetired": 0,
        "maxInFlight": 24,
    }


def test_it_is_written_as_json(tmp_path):
    made = build(good_board())
    report.write(made, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(report.to_json(made)))


def test_without_an_audit_log_the_flip_is_left_out_and_nothing_else():
    made = build(good_board(), audited=None)
    assert "flipSeconds" not in report.to_json(made)["steps"][4]
    assert made.broken == ()


def broken_by(change) -> str:
    board = good_board()
    change(board)
    return "\n".join(build(board).broken)


def test_an_unexpected_outcome_is_named_with_what_was_expected():
    def change(board):
        board.results[1] = Result(version=2, outcome=Outcome.Promoted, reason="RevisionReady", seconds=1)

    assert broken_by(change) == (
        "version 2: Rejected (IdenticalOutputs) was expected, not Promoted (RevisionReady)"
    )


def test_a_version_that_was_never_applied_is_named():
    assert "version 6: Promoted (RevisionReady) was expected, and it was never applied" in broken_by(
        lambda board: board.results.pop()
    )


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (request(150, version=None, error="500"), "1 requests failed"),
        (request(150, version=4), "1 answers are of a version that should not serve"),
    ],
)
def test_a_single_request_can_break_a_promise(bad, words):
    assert words in broken_by(lambda board: board.requests.append(bad))


def test_failures_with_the_killed_pod_break_nothing():
    assert broken_by(lambda board: board.requests.append(request(205.1, version=None))) == ""


def test_clients_that_never_renew_may_fail_once_each_but_not_twice():
    once = [request(320, pool=Pool.never, version=None)] * 26
    assert broken_by(lambda board: board.requests.extend(once)) == ""
    assert "never renewed" in broken_by(lambda board: board.requests.extend(once + once[:1]))


def test_too_few_requests_are_named():
    assert "only 100 requests" in broken_by(lambda board: board.requests.__delitem__(slice(100, None)))


def test_too_few_requests_in_flight_at_a_flip_are_named():
    def change(board):
        board.requests = [r for r in board.requests if not r.started < 300 < r.ended]

    assert "fewer than 20 requests in flight at a flip" in broken_by(change)


@pytest.mark.parametrize(
    ("audited", "words"),
    [
        (report.Audited(service_writes=[100, 200, 206.9], kubelet_reports=[205.5]), "the flip took 1.400 s"),
        (report.Audited(service_writes=[100, 200, 206], kubelet_reports=[]), "the audit log does not show"),
    ],
)
def test_a_late_or_unseen_flip_is_named(audited, words):
    assert words in "\n".join(build(good_board(), audited=audited).broken)


def test_the_tables_and_the_live_view_can_be_drawn():
    board = good_board()
    board.resource = {
        "status": {
            "phase": "Baking",
            "activeRevision": {"name": "digits-5", "version": 5},
            "candidateRevision": {"name": "digits-5", "version": 5, "step": "Baking"},
            "conditions": [{"type": "Ready", "status": "False", "reason": "Baking", "message": "15 s"}],
        }
    }
    out = consoles.Console(file=io.StringIO(), width=160)
    out.print(view.render(board))
    report.show(build(board), out)
    drawn = out.file.getvalue()
    for words in ("Baking", "v5 digits-5", "What happened", "0.400 s", "6000"):
        assert words in drawn
