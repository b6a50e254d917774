"""The client's figures count what the promises are about, and nothing else."""

import pytest

from local.demo import judging
from local.demo.judging import Flip, Kill, Pool, Request

FLIPS = (
    Flip(time=100, version=1),
    Flip(time=200, version=5),
    Flip(time=210, version=1),
    Flip(time=300, version=6),
)
KILL = Kill(after=209.2, flipped=210)


def request(
    *, started=150.0, ended=None, opened=None, version: int | None = 1, pool=Pool.fresh, error=""
) -> Request:
    return Request(
        pool=pool,
        started=started,
        opened=started if opened is None else opened,
        ended=started + 0.2 if ended is None else ended,
        image=0,
        version=version,
        error=error,
    )


def judge(*requests: Request) -> judging.Verdict:
    return judging.judge(requests, FLIPS, (KILL,))


def test_a_line_of_the_client_is_read():
    assert judging.parse("renewed\t1.5000\t0.5000\t1.7500\t3\t6\n") == Request(
        pool=Pool.renewed, opened=0.5, started=1.5, ended=1.75, image=3, version=6
    )


def test_a_line_about_a_failure_keeps_its_words():
    line = "never\t1.0000\t1.0000\t1.2000\t3\t!ServerDisconnectedError Server disconnected\n"
    assert judging.parse(line).version is None
    assert judging.parse(line).error == "ServerDisconnectedError Server disconnected"


def test_a_line_that_is_cut_off_is_refused():
    with pytest.raises(ValueError):
        judging.parse("never\t1.0000\t1.00")


@pytest.mark.parametrize("version", [0, 2, 3, 4])
def test_an_answer_of_a_version_that_was_never_promoted_is_wrong_at_any_time(version):
    assert judge(request(version=version), request()).wrong_version == 1


def test_the_previous_version_may_answer_on_connections_opened_up_to_two_seconds_after_a_flip():
    assert judge(request(started=301.9, version=1)).wrong_version == 0
    assert judge(request(started=302.1, version=1)).wrong_version == 1


def test_the_previous_version_may_answer_for_ever_on_a_connection_from_before_the_flip():
    assert judge(request(opened=299, started=390, version=1, pool=Pool.never)).wrong_version == 0


def test_the_next_version_must_not_answer_before_its_flip():
    assert judge(request(started=299.0, ended=299.2, version=6)).wrong_version == 1
    assert judge(request(started=299.9, ended=300.1, version=6)).wrong_version == 0


def test_a_version_that_was_rolled_back_must_not_answer_on_later_connections():
    assert judge(request(started=211.9, version=5)).wrong_version == 0
    assert judge(request(started=212.1, version=5)).wrong_version == 1


def test_requests_that_the_kill_took_along_are_counted_apart():
    verdict = judge(request(started=209.1, ended=209.3, version=None), request(started=211.9, version=None))
    assert (verdict.failed, verdict.failed_during_oom) == (0, 2)


def test_a_failure_before_the_kill_or_on_a_connection_opened_two_seconds_after_the_flip_counts_in_full():
    verdict = judge(request(started=208.0, ended=208.5, version=None), request(started=212.1, version=None))
    assert (verdict.failed, verdict.failed_during_oom) == (2, 0)


def test_failures_of_the_third_pool_are_counted_apart_even_around_the_kill():
    verdict = judge(
        request(pool=Pool.never, version=None), request(pool=Pool.never, started=209.5, version=None)
    )
    assert (verdict.failed, verdict.failed_during_oom, verdict.failed_on_retired) == (0, 0, 2)


def test_requests_in_flight_are_counted_at_each_flip_but_the_first():
    verdict = judge(
        request(started=99.9, ended=100.1),
        request(started=199.9, ended=200.1),
        request(started=199.8, ended=200.2),
        request(started=299.9, ended=300.1),
    )
    assert verdict.in_flight_at_flips == (2, 0, 1)
    assert verdict.max_in_flight == 2


def test_an_example_says_what_happened_when_and_on_which_connection():
    (example,) = judge(request(started=250.0, opened=249.0, version=4, pool=Pool.renewed)).examples
    assert example == (
        "renewed picture 0, 150.000 s after the first promotion, "
        "on a connection opened 1.000 s before: answer of version 4"
    )
