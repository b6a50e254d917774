"""One run of the demo on a cluster where everything is installed: steps, client and view together."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

from local.demo import access, audit, installation, manifests, models, report, steps, traffic, view
from local.demo.board import Board, Outcome, Result
from tfserving_operator.api import constants

SETTLE_SECONDS = 12.0
"""After the last step: the old pods drain and end, and clients that never renew their connections notice."""

REST_SECONDS = 1.5
"""Between steps, so that the client's requests fall into all of them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What a run needs."""

    access: access.Access
    known: models.Models
    image: str
    """Of the model server."""
    operator_user: str
    """The operator as the API server knows it."""
    place_client: Callable[[], traffic.Place]
    """Makes the client's place ready, once the Service is there."""
    board: Board = dataclasses.field(default_factory=Board)

    async def run(self) -> report.Report:
        """Drive all steps and return the report."""
        log = installation.checkout() / "build" / "demo" / "client.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        bursts: list[float] = []
        out = view.console()
        async with _background(view.show(self.board, out)), _background(self._follow()):
            await self._drive(log, bursts)
        burst = bursts[0] if bursts else None
        return report.build(self.board, burst_sent=burst, audited=self._audited(burst))

    async def _follow(self) -> None:
        group = f"/apis/{constants.API_VERSION}/namespaces/{manifests.NAMESPACE}/{constants.PLURAL}"
        path = f"{group}?watch=1&fieldSelector=metadata.name={manifests.NAME}"
        async with contextlib.aclosing(self.access.watch(path)) as resources:
            async for resource in resources:
                self.board.see(resource)

    async def _drive(self, log: Path, bursts: list[float]) -> None:
        client: traffic.Traffic | None = None
        place: traffic.Place | None = None

        async def burst() -> None:
            assert place is not None
            self.board.notes.append(f"the client sends a batch of {traffic.BURST_ROWS} pictures")
            sent, said = await traffic.send_burst(place)
            bursts.append(sent)
            self.board.notes.append(f"the batch: {said}")

        driver = steps.Driver(
            access=self.access, board=self.board, known=self.known, image=self.image, send_burst=burst
        )
        try:
            for step in steps.STEPS:
                self.board.notes.append(f"v{step.version} is applied: {step.title}")
                result = await driver.run(step)
                self._note(result)
                if client is None:
                    if result.outcome is not Outcome.Promoted:
                        return  # nothing serves: the rest would say nothing
                    place = await asyncio.to_thread(self.place_client)
                    client = await traffic.start(place, self.board, log)
                await asyncio.sleep(REST_SECONDS)
            await asyncio.sleep(SETTLE_SECONDS)
        finally:
            if client:
                await client.stop()

    def _note(self, result: Result) -> None:
        self.board.results.append(result)
        cause = f", cause {result.cause}" if result.cause else ""
        self.board.notes.append(
            f"v{result.version}: {result.outcome or 'no outcome'} ({result.reason}{cause}) "
            f"in {result.seconds:.1f} s {result.message}".rstrip()
        )

    def _audited(self, burst: float | None) -> report.Audited | None:
        if self.access.audit_log is None:
            return None
        entries = list(audit.read(self.access.audit_log))
        killed = [each for each in self.board.promotions if burst is not None and each.seen < burst]
        return report.Audited(
            service_writes=audit.service_writes(
                entries, user=self.operator_user, namespace=manifests.NAMESPACE, name=manifests.NAME
            ),
            kubelet_reports=audit.kubelet_reports(
                entries, namespace=manifests.NAMESPACE, pod_prefix=f"{killed[-1].revision}-"
            )
            if killed
            else (),
        )


@contextlib.asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
        if task.done():
            task.result()  # it should have gone on: its error says why not
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
