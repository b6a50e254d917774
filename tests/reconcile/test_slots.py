import asyncio
import contextlib

from tfserving_operator.reconcile.slots import Slots


class Crowd:
    """Tests that hold their turn until they are let go."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.running: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    def join(self, namespace: str) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(self._hold(namespace)))
        return self.tasks[-1]

    async def _hold(self, namespace: str) -> None:
        async with self.slots.of(namespace):
            self.running.append(namespace)
            try:
                await asyncio.Event().wait()
            finally:
                self.running.remove(namespace)

    async def leave(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks or tuple(self.tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_namespace_that_asks_for_much_leaves_turns_for_others():
    crowd = Crowd(Slots(total=4, share=3))
    greedy = [crowd.join("greedy") for _ in range(50)]
    await settle()
    assert crowd.running == ["greedy"] * 3

    crowd.join("modest")
    await settle()
    assert crowd.running.count("modest") == 1

    await crowd.leave(greedy[0])
    await settle()
    assert crowd.running.count("greedy") == 3
    await crowd.leave()


async def test_all_namespaces_together_take_no_more_than_there_is():
    crowd = Crowd(Slots(total=4, share=3))
    for namespace in "abcdef":
        crowd.join(namespace)
    await settle()
    assert len(crowd.running) == 4
    await crowd.leave()


async def test_nothing_is_remembered_of_a_namespace_that_is_done():
    slots = Slots(total=2, share=1)
    crowd = Crowd(slots)
    for i in range(100):
        crowd.join(f"n{i}")
    await settle()
    assert len(slots) == 100
    await crowd.leave()
    assert len(slots) == 0
    async with slots.of("n0"):
        assert len(slots) == 1
