"""One smoke test: which requests are sent to whom, in which order, within its time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import aiohttp

from tfserving_operator.adapters.serving import client
from tfserving_operator.core.smoke import answers, cases, encoding, inputs, judge, plans, recordings
from tfserving_operator.core.smoke.checks import right_version

_KEPT_FAILURES: Final = 8
_THROUGH_SERVICE: Final = (plans.TestPurpose.Bake,)

DEFAULT_LIMITS: Final = client.Limits()


async def run_test(
    session: aiohttp.ClientSession,
    request: plans.TestRequest,
    resolved: cases.ResolvedCases,
    clock: Callable[[], datetime],
    limits: client.Limits = DEFAULT_LIMITS,
) -> plans.TestOutcome:
    """Run a smoke test within its time, whatever the endpoints do.

    Parameters
    ----------
    session
        Of `client.open_session`: every request brings its own bounds.
    request
        Whom to ask, and what for.
    resolved
        What to send; without cases, inputs are made from the signature that the candidate serves.
    clock
        The wall clock, for the outcome's times.
    """
    started_at = clock()
    run = _Run(session=session, request=request, resolved=resolved, limits=limits)
    timed_out = False
    try:
        async with asyncio.timeout(request.timeout_seconds) as bound:
            await run.everything()
    except TimeoutError:
        if not bound.expired():
            raise
        timed_out = True
    recording = run.recording(timed_out=timed_out)
    return await asyncio.to_thread(judge.judge, request, resolved, recording, started_at, clock())


class _Pod:
    """What is known of one pod so far."""

    def __init__(self, pod: client.PodClient) -> None:
        self.client = pod
        self.recorded = recordings.PodRecording(pod=pod.target.pod, version=pod.version)
        self.answered: dict[str, answers.Answer] = {}

    def recording(self) -> recordings.PodRecording:
        return replace(self.recorded, answered=dict(self.answered))


class _Run:
    """A test under way; whatever was recorded when its time is over is judged."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        request: plans.TestRequest,
        resolved: cases.ResolvedCases,
        limits: client.Limits,
    ) -> None:
        self._request = request
        self._limits = limits

        def pod(target: plans.Target, version: int) -> _Pod:
            return _Pod(
                client.PodClient(
                    session=session, target=target, model=request.model_name, version=version, limits=limits
                )
            )

        self._targets = [pod(target, request.version) for target in request.targets]
        has_control = request.control is not None and request.control_version is not None
        self._control = pod(request.control, request.control_version) if has_control else None  # type: ignore[arg-type] # just asked
        self._sent: tuple[cases.Case, ...] = resolved.cases
        self._made = not resolved.cases
        self._not_made = ""
        self._load: tuple[recordings.LoadRecording, ...] = ()
        self._probes: dict[str, dict[str, answers.Answer]] = {}
        self._settle_until = asyncio.get_running_loop().time() + (
            limits.settle_seconds if request.purpose in _THROUGH_SERVICE else 0.0
        )

    def recording(self, *, timed_out: bool = False) -> recordings.Recording:
        return recordings.Recording(
            targets=tuple(pod.recording() for pod in self._targets),
            control=self._control.recording() if self._control else None,
            sent=self._sent,
            made=self._made,
            not_made=self._not_made,
            load=self._load,
            probes=self._probes,
            timed_out=timed_out,
        )

    async def everything(self) -> None:
        pods = self._targets + ([self._control] if self._control else [])
        await self._each(pods, self._open)
        if self._made:
            self._make_inputs()
        await self._each([pod for pod in pods if pod.recorded.opening is None], self._answer_cases)
        if self._request.purpose is not plans.TestPurpose.Candidate:
            return
        await self._probe()
        if self._request.load_requests and self._sent and await self._passes_so_far():
            await self._press()

    async def _each(self, pods: Sequence[_Pod], do: Callable[[_Pod], object]) -> None:
        at_once = asyncio.Semaphore(self._limits.pods_at_a_time)

        async def bounded(pod: _Pod) -> None:
            async with at_once:
                await do(pod)  # type: ignore[misc] # a coroutine function

        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(bounded(pod))

    async def _open(self, pod: _Pod) -> None:
        while True:
            state, opening = await pod.client.state()
            if state is recordings.ModelState.Available or not await self._may_settle():
                break
        metadata = await pod.client.metadata() if opening is None else None
        pod.recorded = replace(pod.recorded, state=state, opening=opening, metadata=metadata)

    async def _may_settle(self) -> bool:
        """Whether the Service may still point at other pods; waits a little when it may."""
        if asyncio.get_running_loop().time() + self._limits.settle_pause_seconds > self._settle_until:
            return False
        await asyncio.sleep(self._limits.settle_pause_seconds)
        return True

    def _make_inputs(self) -> None:
        signature = self.recording().signature(self._request.signature_name)
        if signature is None:
            self._not_made = (
                f'the model serves no signature "{self._request.signature_name}" to make inputs from'
            )
            return
        made = inputs.make(signature)
        self._sent, self._not_made = made.made, made.problem

    async def _answer_cases(self, pod: _Pod) -> None:
        """Each case alone, one after the other, so that the server's batching does not join them.

        An endpoint that gives no answer once is not asked again: there is no verdict without it.
        """
        for case in self._sent:
            body = encoding.body(case, self._request.signature_name)
            while True:
                answer = await pod.client.predict(body)
                if not _is_elsewhere(answer) or not await self._may_settle():
                    break
            pod.answered[case.name] = answer
            if answer.trouble is not None:
                return

    async def _probe(self) -> None:
        recording = self.recording()
        planned = await asyncio.to_thread(judge.plan_probes, self._request, recording)
        pod = self._targets[0]
        for name, changed in planned.items():
            found = self._probes.setdefault(name, {})
            for case in changed:
                found[case.name] = await pod.client.predict(encoding.body(case, self._request.signature_name))

    async def _passes_so_far(self) -> bool:
        """Whether a burst would tell more: a model that fails already needs none."""
        return await asyncio.to_thread(judge.is_unblamed, self._request, self.recording())

    async def _press(self) -> None:
        """Send the largest case to the first pod, again and again, several at a time."""
        bodies = [encoding.body(case, self._request.signature_name) for case in self._sent]
        body = max(bodies, key=len)
        pod = self._targets[0]
        left = self._request.load_requests
        failures: list[answers.Answer] = []
        sent = failed = 0

        async def work() -> None:
            nonlocal left, sent, failed
            while left > 0 and not any(failure.trouble for failure in failures):
                left -= 1
                sent += 1
                answer = await pod.client.press(body)
                if not answer.succeeded:
                    failed += 1
                    failures[_KEPT_FAILURES - 1 :] = []
                    failures.append(answer)
                load = recordings.LoadRecording(
                    pod=pod.client.target.pod, sent=sent, failures=tuple(failures), failed=failed
                )
                self._load = (load,)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._request.load_concurrency, self._request.load_requests)):
                group.create_task(work())


def _is_elsewhere(answer: answers.Answer) -> bool:
    """Whether a Service still led to a pod of another revision, or to one that is gone."""
    if answer.trouble in (answers.Trouble.Unreachable, answers.Trouble.Closed):
        return True
    return answer.status == right_version.NOT_FOUND and answer.error.startswith(right_version.NOT_SERVED)
