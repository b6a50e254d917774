"""Smoke tests in the background: started by decisions, remembered by key, their ends wake the object."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.reconcile import casebook, objects, slots

CONCURRENT_TESTS: Final = 8
NAMESPACE_TESTS: Final = 4
"""Of those that tests of one namespace may take: others must get their turn whatever this one asks for."""
REMEMBERED_TESTS: Final = 1536
"""Of one ModelDeployment. A decision looks back at one for each pod, of which there may be a thousand: what is
forgotten is tested again, for ever."""
GRACE_SECONDS: Final = 30.0
"""A test ends itself at its timeout; one that does not within this time more is ended."""

Run = Callable[[plans.TestRequest, cases.ResolvedCases], Awaitable[plans.TestOutcome]]
_log = structlog.stdlib.get_logger(__name__)


class Observer(Protocol):
    """Told of tests, for the metrics."""

    def test_done(self, *, purpose: str, verdict: str, reason: str, seconds: float) -> None:
        """A test ended; the verdict is "" where it could not be run."""
        ...

    def check_done(self, *, check: str, verdict: str) -> None:
        """A check of a test said something."""
        ...


@dataclass(kw_only=True, slots=True)
class _Book:
    """The tests of one ModelDeployment."""

    states: OrderedDict[str, plans.TestState] = field(default_factory=OrderedDict)
    running: dict[str, tuple[str, asyncio.Task[None]]] = field(default_factory=dict)
    """Revision and task by the test's key."""


class Tests:
    """Runs smoke tests, some at a time, and remembers what they said."""

    def __init__(
        self,
        *,
        run: Run,
        cases_of: casebook.Casebook,
        wake: Callable[[objects.ModelDeployment, str], None],
        clock: clocks.Clock,
        observer: Observer,
    ) -> None:
        self._run = run
        self._cases_of = cases_of
        self._wake = wake
        self._clock = clock
        self._observer = observer
        self._books: dict[str, _Book] = {}
        self._slots = slots.Slots(total=CONCURRENT_TESTS, share=NAMESPACE_TESTS)

    def __len__(self) -> int:
        """How many tests run or wait for their turn."""
        return sum(len(book.running) for book in self._books.values())

    def of(self, uid: str) -> Mapping[str, plans.TestState]:
        """The tests of a ModelDeployment by key."""
        book = self._books.get(uid)
        return dict(book.states) if book is not None else {}

    def start(self, entry: objects.ModelDeployment, request: plans.TestRequest) -> None:
        """Start a test, unless it runs or has run."""
        book = self._books.setdefault(entry.owner.uid, _Book())
        if request.key in book.states:
            return
        book.states[request.key] = plans.TestState(started_at=self._clock.now())
        while len(book.states) > REMEMBERED_TESTS:
            oldest = next(key for key in book.states if key not in book.running)
            del book.states[oldest]
        task = asyncio.create_task(self._test(entry, request), name=f"smoke test {request.key}")
        book.running[request.key] = (request.revision, task)

    def retain(self, uid: str, revisions: Collection[str]) -> None:
        """End the tests of other revisions: nobody waits for what they say."""
        book = self._books.get(uid)
        if book is None:
            return
        for key, (revision, task) in tuple(book.running.items()):
            if revision not in revisions:
                # At once, not at the task's end: the next decision may ask for the same test again.
                del book.running[key]
                book.states.pop(key, None)
                task.cancel()

    def forget(self, uid: str) -> None:
        """End and drop all tests of a ModelDeployment that is gone."""
        if book := self._books.pop(uid, None):
            for _, task in book.running.values():
                task.cancel()

    async def close(self) -> None:
        """End all tests."""
        tasks = [task for book in self._books.values() for _, task in book.running.values()]
        self._books.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _test(self, entry: objects.ModelDeployment, request: plans.TestRequest) -> None:
        log = _log.bind(
            namespace=request.namespace,
            name=entry.owner.name,
            revision=request.revision,
            purpose=str(request.purpose),
        )
        outcome = None
        try:
            async with self._slots.of(request.namespace):
                log.info("smoke test: started", targets=len(request.targets))
                outcome = await self._outcome(entry, request, log)
        finally:
            self._end(entry.owner.uid, request.key, outcome)
        details = {"cases": outcome.cases_digest, "checks": _told(outcome), "recorded": outcome.recorded}
        is_pass = outcome.verdict is reasons.Verdict.Pass
        log.info(
            "smoke test: ended",
            verdict=outcome.verdict,
            reason=outcome.reason,
            cause=outcome.cause,
            message=outcome.message,
            seconds=round(outcome.duration_seconds, 3),
            **({} if is_pass else details),
        )
        if is_pass:
            log.debug("smoke test: evidence", **details)
        self._observer.test_done(
            purpose=str(request.purpose),
            verdict=str(outcome.verdict or ""),
            reason=outcome.reason,
            seconds=outcome.duration_seconds,
        )
        for check in outcome.checks:
            self._observer.check_done(check=check.name, verdict=str(check.verdict))
        self._wake(entry, request.revision)

    def _end(self, uid: str, key: str, outcome: plans.TestOutcome | None) -> None:
        book = self._books.get(uid)
        if book is None or key not in book.running or book.running[key][1] is not asyncio.current_task():
            return  # ended by `retain`; another test may have the key by now
        del book.running[key]
        if outcome is None:
            book.states.pop(key, None)  # cancelled: it may be asked for again
        elif key in book.states:
            book.states[key] = plans.TestState(started_at=book.states[key].started_at, outcome=outcome)

    async def _outcome(
        self, entry: objects.ModelDeployment, request: plans.TestRequest, log: structlog.stdlib.BoundLogger
    ) -> plans.TestOutcome:
        started_at = self._clock.now()

        def say_nothing(reason: plans.NoVerdict, message: str) -> plans.TestOutcome:
            return plans.TestOutcome(
                verdict=None,
                reason=reason,
                message=message,
                started_at=started_at,
                finished_at=self._clock.now(),
            )

        try:
            resolved = await self._cases_of.resolve(entry.owner.uid, request)
            async with asyncio.timeout(request.timeout_seconds + GRACE_SECONDS):
                return await self._run(request, resolved)
        except casebook.CasesMissingError as error:
            return say_nothing(plans.NoVerdict.CasesMissing, str(error))
        except cases.InvalidCases as error:
            return say_nothing(plans.NoVerdict.CasesInvalid, str(error))
        except errors.ApiError as error:
            return say_nothing(
                plans.NoVerdict.TestCannotRun, f"the smoke cases cannot be read: {error.message}"
            )
        except TimeoutError:
            return say_nothing(plans.NoVerdict.TestCannotRun, "the smoke test did not end in time")
        except Exception as error:  # a fault of ours must be no verdict about a model
            log.exception("smoke test: failed by itself")
            return say_nothing(plans.NoVerdict.TestCannotRun, f"the smoke test failed by itself: {error!r}")


def _told(outcome: plans.TestOutcome) -> list[dict[str, object]]:
    """What every check said, in full."""
    return [
        {
            "name": check.name,
            "verdict": check.verdict,
            "enforced": check.enforced,
            "reason": check.reason,
            "cause": check.cause,
            "message": check.message,
            "evidence": check.evidence,
        }
        for check in outcome.checks
    ]
