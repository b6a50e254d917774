"""Where the work of smoke tests is done that would hold the event loop: two threads, and one process of our own."""

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final, ParamSpec, TypeVar

from tfserving_operator.adapters import answerreader
from tfserving_operator.adapters.serving import budgets
from tfserving_operator.core.smoke import answers

THREADS: Final = 2
"""More would only take turns with the event loop."""
IDLE_SECONDS: Final = 30.0
"""The process ends when it had nothing to read for this long, and its memory with it."""
RECEIVED_BYTES: Final = 64 * 1024 * 1024
"""Of all bodies that were received and not read yet."""
KEPT_BYTES: Final = 88 * 1024 * 1024
"""Of all outputs that running tests keep. With what is received, and what the process that reads may take, that leaves
the operator itself 130 MiB of the chart's 512."""
_CHUNK: Final = 256 * 1024
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}

P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    """Shared by all tests of an event loop."""

    def __init__(self) -> None:
        self.received = budgets.Budget(RECEIVED_BYTES)
        self.kept = budgets.Budget(KEPT_BYTES)
        self._threads = asyncio.Semaphore(THREADS)
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do something in a thread, of which there are few; it may hold the interpreter for some ms at a time."""
        async with self._threads:
            return await asyncio.to_thread(work, *args, **kwargs)

    async def read(self, status: int, body: bytes | bytearray) -> answers.Answer:
        """Read a large answer in the process, which is started when there is none."""
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                return await self._exchange(status, body)
            except (OSError, EOFError, asyncio.IncompleteReadError, pickle.UnpicklingError) as error:
                await self._end()
                detail = f"its {len(body)} bytes could not be read: {error!r:.100}"
                return answers.Answer(status=status, trouble=answers.Trouble.TooLarge, detail=detail)
            except BaseException:
                await self._end()  # what it is doing is no longer asked for
                raise
            finally:
                self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._kill)

    async def close(self) -> None:
        """End the process."""
        if self._idle is not None:
            self._idle.cancel()
        async with self._turn:
            await self._end()

    @property
    def process_id(self) -> int | None:
        """Of the process that reads, if there is one."""
        return self._process.pid if self._process is not None else None

    async def _exchange(self, status: int, body: bytes | bytearray) -> answers.Answer:
        process = await self._running()
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(answerreader.REQUEST.pack(status, len(body)))
        view = memoryview(body)
        for start in range(0, len(body), _CHUNK):
            stdin.write(view[start : start + _CHUNK])
            await stdin.drain()
        await stdin.drain()
        header = await stdout.readexactly(answerreader.RESPONSE.size)
        data = await stdout.readexactly(*answerreader.RESPONSE.unpack(header))
        found: answers.Answer = pickle.loads(data)  # noqa: S301 - written by our own process
        return found

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                answerreader.__name__,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
                limit=1024 * 1024,
            )
        return self._process

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.shield(process.wait())
        if process.stdin is not None:
            process.stdin.close()


@contextlib.asynccontextmanager
async def open_workers() -> AsyncIterator[Workers]:
    """Open the workers of an event loop; nothing is started before it is needed."""
    workers = Workers()
    try:
        yield workers
    finally:
        await workers.close()
