"""Sends a candidate's cases in other ways than as written: again, row by row, joined, and in another order."""

from dataclasses import replace
from typing import Final

from tfserving_operator.adapters.serving import asking, reading, workers
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, presentations, recordings

_FULL: Final = 0.7
"""Share of what a test may keep of answers beyond which nothing more is presented."""
_ANSWER_COST: Final = 0.75
"""Of a byte of an answer's outputs, in bytes of a request: JSON is three times as long, and four times as much of it
is read as is sent."""


class Presenter:
    """Records every presentation of one pod's cases that there is time and room for."""

    def __init__(
        self, pod: asking.Pod, *, shop: workers.Workers, reader: reading.Reader, has_time: asking.Pace
    ) -> None:
        self._pod = pod
        self._shop = shop
        self._reader = reader
        self._has_time = has_time

    async def present(
        self,
        given: tuple[cases.Case, ...],
        *,
        signature: inspection.Signature | None,
        sizes: dict[str, int],
        most_rows: int | None = None,
    ) -> None:
        """Present what the pod has answered as it was written; a refused presentation is recorded as it is.

        Parameters
        ----------
        given
            The cases that were sent.
        signature
            As the pod serves it.
        sizes
            Bytes of each case's body.
        most_rows
            The most that the server takes in one request.
        """
        known = self._pod.answered
        told = tuple(case for case in given if case.name in known and known[case.name].succeeded)
        await self._repeat(told)
        planned = await self._shop.compute(presentations.alone, told, signature)
        for name, rows in planned.items():
            await self._split(name, rows)
        costs = self._costs(sizes)
        joint = await self._shop.compute(presentations.together, told, costs, signature, most_rows)
        if joint is not None:
            await self._join(joint)

    def _costs(self, sizes: dict[str, int]) -> dict[str, int]:
        """What each case takes in a joint request: its body, or its answer where that is larger."""
        return {
            name: max(size, int(self._pod.answered[name].size * _ANSWER_COST))
            for name, size in sizes.items()
            if name in self._pod.answered
        }

    def _may_go_on(self) -> bool:
        return self._has_time() and not self._reader.is_fuller_than(_FULL)

    async def _repeat(self, told: tuple[cases.Case, ...]) -> None:
        for case in told:
            if not self._may_go_on():
                return
            answer = await self._pod.ask_timed(case)
            repeated = {**self._pod.recorded.repeated, case.name: answer}
            self._pod.recorded = replace(self._pod.recorded, repeated=repeated)
            if answer.trouble is not None:
                return

    async def _split(self, name: str, rows: tuple[cases.Case, ...]) -> None:
        found: list[answers.Answer] = []
        for row in rows:
            if not self._may_go_on():
                return
            found.append(await self._pod.ask(row))
            if not found[-1].succeeded:
                break  # most likely the model takes batches of one size only
        alone = {**self._pod.recorded.alone, name: tuple(found)}
        self._pod.recorded = replace(self._pod.recorded, alone=alone)

    async def _join(self, joint: presentations.Joint) -> None:
        if not self._may_go_on():
            return
        together = await self._batch(joint)
        self._pod.recorded = replace(self._pod.recorded, together=together)
        if together.answer.succeeded and self._may_go_on():
            permuted = await self._batch(presentations.permuted(joint))
            self._pod.recorded = replace(self._pod.recorded, permuted=permuted)

    async def _batch(self, joint: presentations.Joint) -> recordings.Batch:
        return recordings.Batch(rows=joint.rows, answer=await self._pod.ask(joint.case))
