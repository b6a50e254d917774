"""The client's process: started, read and stopped; and the one large batch."""

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
import time
from pathlib import Path

from local.demo import access, client, judging, manifests, models
from local.demo.board import Board
from tfserving_operator.api import constants

BURST_ROWS = 8192
"""Rows of the large batch: 2 GiB in version 5's upsampling, little anywhere else."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the client runs: command lines of this machine."""

    access: access.Access
    load: tuple[str, ...]
    """Prints the client's lines, one per request, until the client is stopped."""
    burst: tuple[str, ...]
    """Sends the large batch."""
    stop: tuple[str, ...] = ()
    """Stops the client; empty where it is the process of `load`, which takes SIGTERM."""
    clock_ahead: float = 0.0
    """Seconds that the client's clock is ahead of ours."""


def service_url(reached: access.Access) -> str:
    """Return the URL of the predict API at the Service's own address."""
    said = reached.kubectl("get", "service", manifests.NAME, "-n", manifests.NAMESPACE, "-o", "json")
    spec = json.loads(said)["spec"]
    port = next(each["port"] for each in spec["ports"] if each["name"] == constants.PORT_NAME_REST)
    return f"http://{spec['clusterIP']}:{port}/v1/models/{models.MODEL}:predict"


def place_on_machine(reached: access.Access, known: models.Models) -> Place:
    """Return the place for a client that runs on this machine, in the cluster's network."""
    program = (*reached.prefix, sys.executable, client.__file__)
    settings = ("--url", service_url(reached), "--tables", str(known.folder / "facts.json"))
    return Place(
        access=reached,
        load=(*program, "load", *settings),
        burst=(*program, "burst", *settings, "--rows", str(BURST_ROWS)),
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """The running client."""

    place: Place
    process: asyncio.subprocess.Process
    reader: asyncio.Task[None]

    async def stop(self) -> None:
        """Let the client finish what is in flight."""
        if self.place.stop:
            async with contextlib.aclosing(self.place.access.lines(list(self.place.stop))) as said:
                async for _ in said:
                    pass
        else:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        await self.reader
        await self.process.wait()


async def start(place: Place, board: Board, log: Path) -> Traffic:
    """Start the client; its requests are written to the board and to a file."""
    process = await asyncio.create_subprocess_exec(
        *place.load,
        env=place.access.environment,
        stdout=asyncio.subprocess.PIPE,
        limit=access.LINE_BYTES,
    )
    reader = asyncio.create_task(_read(process, place.clock_ahead, board, log))
    return Traffic(place=place, process=process, reader=reader)


async def _read(process: asyncio.subprocess.Process, ahead: float, board: Board, log: Path) -> None:
    assert process.stdout is not None
    with log.open("wb") as file:
        async for line in process.stdout:
            file.write(line)
            board.requests.append(judging.shifted(judging.parse(line.decode()), -ahead))


async def send_burst(place: Place) -> tuple[float, str]:
    """Send the large batch; return the Unix seconds just before it, and what the client said of it."""
    sent = time.time()
    async with contextlib.aclosing(place.access.lines(list(place.burst))) as lines:
        said = [line.decode().strip() async for line in lines]
    return sent, " ".join(said)
