"""The demo's client: sends pictures through the Service and says which version answered.

A program of its own that needs only aiohttp: it runs in the cluster's network, or in a pod. ``load`` prints one
line per request until SIGTERM, ``burst`` sends one request with very many rows.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

POOLS = {"fresh": 14, "renewed": 12, "never": 26}
"""Clients per pool: a connection per request; kept alive and renewed; kept alive and never renewed.

The last are many, because they alone have requests in flight while a killed version is still selected.
"""

RENEWAL_SECONDS = 5.0
"""The age at which a client of the second pool opens another connection."""

UPLOAD_SECONDS = 0.25
"""How long a client takes to send its picture: requests are in flight all the time, at little cost."""

TIMEOUT_SECONDS = 20.0
"""After which a request counts as failed."""

SAME = 2e-4
"""Two probabilities that differ by less are the same answer."""

FLUSH_SECONDS = 0.2
"""How often lines are written."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The pictures, and what each version is known to answer."""

    bodies: tuple[bytes, ...]
    answers: tuple[tuple[int, tuple[tuple[float, ...], ...]], ...]

    def version_of(self, index: int, probabilities: list[float]) -> int:
        """Return the version that gives this answer to this picture; 0 when none does."""
        for version, rows in self.answers:
            row = rows[index]
            if len(row) == len(probabilities) and all(
                abs(a - b) < SAME for a, b in zip(row, probabilities, strict=True)
            ):
                return version
        return 0


def read_tables(path: Path) -> Tables:
    """Read the file that the demo wrote."""
    facts = json.loads(path.read_bytes())
    return Tables(
        bodies=tuple(json.dumps({"instances": [image]}).encode() for image in facts["images"]),
        answers=tuple((int(v), tuple(map(tuple, rows))) for v, rows in facts["answers"].items()),
    )


@dataclasses.dataclass(kw_only=True, slots=True)
class Connection:
    """The connection that a request used."""

    opened: float = 0.0
    """Unix seconds at which its opening began."""


def tracing() -> aiohttp.TraceConfig:
    """Return what notes the opening of connections in the `Connection` given with a request."""

    async def opening(_: aiohttp.ClientSession, context: Any, __: Any) -> None:
        context.trace_request_ctx.opened = time.time()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(opening)
    return trace


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What every client of every pool shares."""

    url: str
    tables: Tables
    lines: list[str]
    stopped: asyncio.Event

    async def send(
        self, session: aiohttp.ClientSession, pool: str, index: int, connection: Connection
    ) -> None:
        """Send one picture and write down what came of it."""
        body, started = self.tables.bodies[index], time.time()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        try:
            async with session.post(
                self.url, data=_uploaded(body), headers=headers, trace_request_ctx=connection
            ) as response:
                content = await response.read()
            if response.status == 200:
                result = str(self.tables.version_of(index, json.loads(content)["predictions"][0]))
            else:
                result = f"!{response.status} {content[:200]!r}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
            result = f"!{type(error).__name__} {error}"
        ended = time.time()
        opened = connection.opened or started
        self.lines.append(
            f"{pool}\t{started:.4f}\t{opened:.4f}\t{ended:.4f}\t{index}\t{' '.join(result.split())}\n"
        )
        if result.startswith("!"):
            await asyncio.sleep(0.05)  # a refused connection is no reason to try again at once


async def _uploaded(body: bytes) -> AsyncIterator[bytes]:
    half = len(body) // 2
    yield body[:half]
    await asyncio.sleep(UPLOAD_SECONDS)
    yield body[half:]


def _session(*, connections: int, is_fresh: bool = False) -> aiohttp.ClientSession:
    connector = (
        aiohttp.TCPConnector(limit=connections, force_close=True)
        if is_fresh
        else aiohttp.TCPConnector(limit=connections, keepalive_timeout=3600)
    )
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, trace_configs=[tracing()])


async def fresh_clients(load: Load) -> None:
    """Run the first pool: each request has a connection of its own."""
    count = POOLS["fresh"]
    async with _session(connections=count, is_fresh=True) as session:

        async def client(number: int) -> None:
            index = number
            while not load.stopped.is_set():
                await load.send(session, "fresh", index % len(load.tables.bodies), Connection())
                index += count

        await asyncio.gather(*(client(number) for number in range(count)))


async def kept_alive_client(load: Load, *, pool: str, number: int, renewal_seconds: float) -> None:
    """Run one client with a connection of its own that it renews at an age."""
    index = number
    renew_at = time.monotonic() + renewal_seconds * (number + 1) / POOLS[pool]
    while not load.stopped.is_set():
        connection = Connection()
        async with _session(connections=1) as session:
            while not load.stopped.is_set() and time.monotonic() < renew_at:
                await load.send(session, pool, index % len(load.tables.bodies), connection)
                index += POOLS[pool]
        renew_at = time.monotonic() + renewal_seconds


async def run_load(url: str, tables: Tables) -> None:
    """Send pictures from all pools until SIGTERM; what is in flight then is waited for."""
    load = Load(url=url, tables=tables, lines=[], stopped=asyncio.Event())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, load.stopped.set)
    work = asyncio.gather(
        fresh_clients(load),
        *(
            kept_alive_client(load, pool=pool, number=number, renewal_seconds=seconds)
            for pool, seconds in (("renewed", RENEWAL_SECONDS), ("never", float("inf")))
            for number in range(POOLS[pool])
        ),
    )
    while not work.done():
        await asyncio.wait([work], timeout=FLUSH_SECONDS)
        sys.stdout.write("".join(load.lines))
        sys.stdout.flush()
        load.lines.clear()
    work.result()


async def send_burst(url: str, tables: Tables, rows: int) -> None:
    """Send one request with very many rows and print what came of it."""
    row = json.loads(tables.bodies[0])["instances"][0]
    async with _session(connections=1) as session:
        try:
            rows_sent = {"instances": [row] * rows}
            async with session.post(url, json=rows_sent, trace_request_ctx=Connection()) as response:
                content = await response.read()
                print(f"{response.status} {len(content)} bytes")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            print(f"{type(error).__name__} {error}")


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("load", "burst"))
    parser.add_argument("--url", required=True, help="of the predict API")
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1, help="of the burst")
    arguments = parser.parse_args()
    tables = read_tables(arguments.tables)
    with contextlib.suppress(BrokenPipeError):
        if arguments.command == "load":
            asyncio.run(run_load(arguments.url, tables))
        else:
            asyncio.run(send_burst(arguments.url, tables, arguments.rows))


if __name__ == "__main__":
    main()
