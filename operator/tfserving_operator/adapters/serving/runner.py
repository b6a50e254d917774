"""One smoke test: which requests are sent to whom, in which order, within its time."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import aiohttp

from tfserving_operator.adapters.serving import asking, client, endpoints, presenting, pressing, probing
from tfserving_operator.adapters.serving import reading as reads
from tfserving_operator.adapters.serving import workers as shops
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, images, inputs, judge, plans, recordings
from tfserving_operator.core.smoke.checks import right_version

_THROUGH_SERVICE: Final = (plans.TestPurpose.Bake,)
_PRESENT_UNTIL: Final = 0.6
"""Of the test's time: what comes later has the rest."""
_PROBE_UNTIL: Final = 0.85
_PRESS_UNTIL: Final = 0.97
_MADE_ROOM: Final = 0.3
"""Share of what a test may keep of answers that made cases may fill, once there are enough of them."""
_MADE_ENOUGH: Final = 4

DEFAULT_LIMITS: Final = client.Limits()


async def run_test(
    session: aiohttp.ClientSession,
    request: plans.TestRequest,
    resolved: cases.ResolvedCases,
    clock: Callable[[], datetime],
    limits: client.Limits = DEFAULT_LIMITS,
    *,
    shop: shops.Workers | None = None,
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
    shop
        Of `shops.open_workers`, shared by all tests; without it the test opens its own.

    Raises
    ------
    cases.InvalidCases
        When an image cannot be decoded.
    """
    if shop is None:
        async with shops.open_workers() as own:
            return await run_test(session, request, resolved, clock, limits, shop=own)
    received = shop.received

    def connect(target: plans.Target, *, model: str, version: int) -> endpoints.Endpoint:
        return client.PodClient(
            session=session, target=target, model=model, version=version, limits=limits, received=received
        )

    return await run_with(connect, request, resolved, clock, limits, shop=shop)


async def run_with(
    connect: endpoints.Connect,
    request: plans.TestRequest,
    resolved: cases.ResolvedCases,
    clock: Callable[[], datetime],
    limits: client.Limits = DEFAULT_LIMITS,
    *,
    shop: shops.Workers,
) -> plans.TestOutcome:
    """Run a smoke test over any endpoints; see `run_test`."""
    started_at = clock()
    reader = reads.Reader(shop)
    run = _Run(connect=connect, request=request, resolved=resolved, limits=limits, shop=shop, reader=reader)
    timed_out = False
    try:
        try:
            async with asyncio.timeout(request.timeout_seconds) as bound:
                await run.everything()
        except TimeoutError:
            if not bound.expired():
                raise
            timed_out = True
        recording = run.recording(timed_out=timed_out)
        return await shop.compute(judge.judge, request, resolved, recording, started_at, clock())
    finally:
        reader.close()


class _Run:
    """A test under way; whatever was recorded when its time is over is judged."""

    def __init__(
        self,
        *,
        connect: endpoints.Connect,
        request: plans.TestRequest,
        resolved: cases.ResolvedCases,
        limits: client.Limits,
        shop: shops.Workers,
        reader: reads.Reader,
    ) -> None:
        self._request = request
        self._limits = limits
        self._shop = shop
        self._reader = reader
        self._bodies = asking.Bodies(shop)
        self._targets = [
            self._pod(
                connect(target, model=request.model_name, version=request.version), request.signature_name
            )
            for target in request.targets
        ]
        self._control: asking.Pod | None = None
        if request.control is not None and request.control_version is not None:
            model = request.control_model_name or request.model_name
            endpoint = connect(request.control, model=model, version=request.control_version)
            self._control = self._pod(endpoint, request.control_signature_name or request.signature_name)
        self._provenance = resolved.provenance
        self._sent: tuple[cases.Case, ...] = resolved.cases
        self._made = not resolved.cases
        self._not_made = ""
        self._press: pressing.Press | None = None
        self._probes: probing.Probes = {}
        self._time = asyncio.get_running_loop().time
        self._started = self._time()
        self._settle_until = self._started + (
            limits.settle_seconds if request.purpose in _THROUGH_SERVICE else 0.0
        )

    def _pod(self, endpoint: endpoints.Endpoint, signature_name: str) -> asking.Pod:
        return asking.Pod(endpoint, signature_name=signature_name, bodies=self._bodies, reader=self._reader)

    def recording(self, *, timed_out: bool = False) -> recordings.Recording:
        return recordings.Recording(
            targets=tuple(pod.recording() for pod in self._targets),
            control=self._control.recording() if self._control else None,
            sent=self._sent,
            made=self._made,
            not_made=self._not_made,
            load=(self._press.recorded,) if self._press is not None else (),
            provenance=self._provenance,
            probes={name: dict(found) for name, found in self._probes.items()},
            timed_out=timed_out,
        )

    async def everything(self) -> None:
        pods = self._targets + ([self._control] if self._control else [])
        if any(case.images for case in self._sent):
            self._sent = await self._shop.compute(images.decoded, self._sent)
        await _each(pods, self._open, self._limits.pods_at_a_time)
        if self._made:
            await self._make_inputs()
        first, rest = self._targets[:1], pods[1:]
        await _each(_reachable(first), self._answer_cases, 1)
        if self._made and first:
            self._sent = tuple(case for case in self._sent if case.name in first[0].answered) or self._sent
        await _each(_reachable(rest), self._answer_cases, self._limits.pods_at_a_time)
        if self._request.purpose is not plans.TestPurpose.Candidate or not self._sent:
            return
        await self._within(_PRESENT_UNTIL, self._present)
        await self._within(_PROBE_UNTIL, self._probe)
        if self._request.load_requests and await self._passes_so_far():
            await self._within(_PRESS_UNTIL, self._burst)

    async def _within(self, share: float, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something that may be cut short: what was recorded until then counts."""
        until = self._started + share * self._request.timeout_seconds
        try:
            async with asyncio.timeout_at(until) as bound:
                await do()
        except TimeoutError:
            if not bound.expired():
                raise

    def _pace(self, share: float) -> asking.Pace:
        until = self._started + share * self._request.timeout_seconds
        return lambda: self._time() < until

    async def _open(self, pod: asking.Pod) -> None:
        while True:
            state, opening = await pod.endpoint.state()
            if state is recordings.ModelState.Available or not await self._may_settle():
                break
        metadata = await pod.endpoint.metadata() if opening is None else None
        pod.recorded = replace(pod.recorded, state=state, opening=opening, metadata=metadata)

    async def _may_settle(self) -> bool:
        """Whether the Service may still point at other pods; waits a little when it may."""
        if self._time() + self._limits.settle_pause_seconds > self._settle_until:
            return False
        await asyncio.sleep(self._limits.settle_pause_seconds)
        return True

    async def _make_inputs(self) -> None:
        signature = self.recording().signature(self._request.signature_name)
        if signature is None:
            self._not_made = (
                f'the model serves no signature "{self._request.signature_name}" to make inputs from'
            )
            return
        made = await self._shop.compute(inputs.make, signature, self._request.inspection)
        self._sent, self._not_made = made.made, made.problem

    async def _answer_cases(self, pod: asking.Pod) -> None:
        """Each case alone, one after the other, so that the server's batching does not join them.

        An endpoint that gives no answer once is not asked again: there is no verdict without it.
        """
        for case in self._sent:
            is_enough = self._made and len(pod.answered) >= _MADE_ENOUGH
            if is_enough and self._reader.is_fuller_than(_MADE_ROOM):
                return
            while True:
                answer = await pod.ask_timed(case)
                if not _is_elsewhere(answer) or not await self._may_settle():
                    break
            pod.answered[case.name] = answer
            if answer.trouble is not None:
                return

    async def _present(self) -> None:
        pod = self._targets[0]
        presenter = presenting.Presenter(
            pod, shop=self._shop, reader=self._reader, has_time=self._pace(_PRESENT_UNTIL)
        )
        sizes = self._bodies.sizes(pod.signature_name)
        most = self._request.most_rows
        await presenter.present(self._sent, signature=self._signature(), sizes=sizes, most_rows=most)

    def _signature(self) -> inspection.Signature | None:
        return self.recording().signature(self._request.signature_name)

    async def _probe(self) -> None:
        pod, found = self._targets[0], self._probes
        await probing.probe(pod, self._request, shop=self._shop, recorded=self.recording, found=found)

    async def _passes_so_far(self) -> bool:
        """Whether a burst would tell more: a model that fails already needs none."""
        return await self._shop.compute(judge.is_unblamed, self._request, self.recording())

    async def _burst(self) -> None:
        pod = self._targets[0]
        self._press = pressing.Press(
            pod,
            self._sent,
            signature=self._signature(),
            reader=self._reader,
            shop=self._shop,
            sizes=self._bodies.sizes(pod.signature_name),
            has_time=self._pace(_PRESS_UNTIL),
        )
        await self._press.run(self._request.load_requests, self._request.load_concurrency)


def _reachable(pods: Sequence[asking.Pod]) -> list[asking.Pod]:
    return [pod for pod in pods if pod.recorded.opening is None]


async def _each(
    pods: Sequence[asking.Pod], do: Callable[[asking.Pod], Coroutine[Any, Any, None]], most: int
) -> None:
    at_once = asyncio.Semaphore(most)

    async def bounded(pod: asking.Pod) -> None:
        async with at_once:
            await do(pod)

    async with asyncio.TaskGroup() as group:
        for pod in pods:
            group.create_task(bounded(pod))


def _is_elsewhere(answer: answers.Answer) -> bool:
    """Whether a Service still led to a pod of another revision, or to one that is gone."""
    if answer.trouble in (answers.Trouble.Unreachable, answers.Trouble.Closed):
        return True
    return answer.status == right_version.NOT_FOUND and answer.error.startswith(right_version.NOT_SERVED)
