"""The client against a real HTTP server: it knows versions by their answers and keeps its pools apart."""

import asyncio
import collections
import itertools
import json
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import web

from local.demo import client, judging
from local.demo.judging import Pool

TABLES = {
    "images": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
    "answers": {
        "1": [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]],
        "2": [[0.85, 0.15], [0.75, 0.25], [0.65, 0.35]],
    },
}


class Server:
    """Answers like version 1, or as it is told, and counts connections."""

    def __init__(self) -> None:
        self.version = "1"
        self.status = 200
        self.transports: collections.Counter[int] = collections.Counter()
        self.numbers: dict[object, int] = {}
        self.rows = 0

    async def answer(self, request: web.Request) -> web.Response:
        number = self.numbers.setdefault(request.transport, len(self.numbers))
        self.transports[number] += 1
        rows = (await request.json())["instances"]
        self.rows = max(self.rows, len(rows))
        answers = TABLES["answers"][self.version]
        predictions = [answers[TABLES["images"].index(row)] for row in rows]
        return web.json_response({"predictions": predictions}, status=self.status)


@pytest.fixture
async def server():
    behaviour = Server()
    app = web.Application()
    app.router.add_post("/predict", behaviour.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    behaviour.url = f"http://127.0.0.1:{runner.addresses[0][1]}/predict"
    yield behaviour
    await runner.cleanup()


@pytest.fixture
def tables(tmp_path) -> Path:
    path = tmp_path / "tables.json"
    path.write_text(json.dumps(TABLES))
    return path


async def start(command: str, server: Server, tables: Path, *more: str) -> asyncio.subprocess.Process:
    argv = [client.__file__, command, "--url", server.url, "--tables", str(tables), *more]
    return await asyncio.create_subprocess_exec(sys.executable, *argv, stdout=asyncio.subprocess.PIPE)


async def load_for(seconds: float, server: Server, tables: Path) -> list[judging.Request]:
    process = await start("load", server, tables)
    lines = [await process.stdout.readline()]
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    rest, _ = await process.communicate()
    assert process.returncode == 0
    return [judging.parse(line.decode()) for line in (*lines, *rest.splitlines())]


async def test_every_pool_sends_and_every_answer_is_known_by_its_version(server, tables):
    requests = await load_for(1.0, server, tables)
    assert {request.pool for request in requests} == set(Pool)
    assert {request.version for request in requests} == {1}
    assert {request.image for request in requests} == {0, 1, 2}


async def test_answers_of_another_version_are_told_apart(server, tables):
    server.version = "2"
    assert {request.version for request in await load_for(0.3, server, tables)} == {2}


async def test_an_error_is_a_failure_with_its_status(server, tables):
    server.status = 429
    requests = await load_for(0.3, server, tables)
    assert {request.version for request in requests} == {None}
    assert all(request.error.startswith("429 ") for request in requests)


async def test_only_the_first_pool_opens_a_connection_for_each_request(server, tables):
    requests = await load_for(1.0, server, tables)
    count = collections.Counter(request.pool for request in requests)
    opened = {pool: len({r.opened for r in requests if r.pool is pool}) for pool in Pool}
    assert opened[Pool.never] == client.POOLS["never"]
    assert opened[Pool.renewed] <= client.POOLS["renewed"] * 2
    assert count[Pool.never] >= 2 * opened[Pool.never]
    assert len(server.transports) == count[Pool.fresh] + opened[Pool.never] + opened[Pool.renewed]


async def test_the_second_pool_renews_its_connections_by_their_age(server, tables):
    requests = await load_for(6.0, server, tables)
    age = max(r.ended - r.opened for r in requests if r.pool is Pool.renewed)
    assert age < client.RENEWAL_SECONDS + 0.5
    assert max(r.ended - r.opened for r in requests if r.pool is Pool.never) > client.RENEWAL_SECONDS + 0.5


async def test_at_least_twenty_requests_are_in_flight_at_any_moment(server, tables):
    requests = await load_for(2.0, server, tables)
    first, last = min(r.started for r in requests) + 0.3, max(r.started for r in requests) - 0.3
    flips = [judging.Flip(time=first + i * (last - first) / 10, version=1) for i in range(10)]
    assert min(judging.judge(requests, flips).in_flight_at_flips) >= 20


async def test_a_burst_is_one_request_with_as_many_rows_as_asked_for(server, tables):
    process = await start("burst", server, tables, "--rows", "500")
    said, _ = await process.communicate()
    assert said.startswith(b"200 ")
    assert server.rows == 500
    assert sum(server.transports.values()) == 1


def test_an_answer_that_is_close_to_no_table_is_nobodys(tables):
    known = client.read_tables(tables)
    for index, (version, shift) in itertools.product(range(3), ((1, 0.0), (1, 1e-6), (0, 1e-2))):
        answer = [value + shift for value in TABLES["answers"]["1"][index]]
        assert known.version_of(index, answer) == version
