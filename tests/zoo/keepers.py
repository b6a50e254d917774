"""Serves models by the model server, as the operator starts it, and tests each with the operator's own engine."""

import asyncio
import contextlib
import io
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np

from tests.local.modelserver import servers
from tests.support import smoketests
from tests.zoo import building, entries, results
from tfserving_operator.adapters.serving import client, runner
from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases, causes, plans
from tfserving_operator.inspector import command

CANDIDATE: Final = 2
PREVIOUS: Final = 1
FLAGS: Final = (
    "--file_system_poll_wait_seconds=0",
    "--max_num_load_retries=0",
    "--rest_api_num_threads=16",
    "--rest_api_timeout_in_ms=120000",
)
POD: Final = "candidate-0"
_LOAD_SECONDS: Final = 300.0
_START_FAILED: Final = "Failed to start server"


def keep(names: Sequence[str], seed: int, modes: Sequence[entries.Inputs] = ()) -> list[results.Result]:
    """Serve models and test each with everything it is to be tested with; for a process of its own."""
    from tests.zoo import catalogue

    return asyncio.run(_keep(catalogue.chosen(names), seed, modes))


async def _keep(
    chosen: Sequence[entries.Entry], seed: int, modes: Sequence[entries.Inputs]
) -> list[results.Result]:
    found = [_failed_load(entry, seed) for entry in chosen if not entry.loads]
    served = [entry for entry in chosen if entry.loads]
    if not served:
        return found
    async with _serving(served, seed) as (server, session):
        for entry in served:
            for mode in entry.inputs():
                if not modes or mode in modes:
                    found.append(await _test(entry, mode, seed, server, session))
    return found


@contextlib.asynccontextmanager
async def _serving(
    served: Sequence[entries.Entry], seed: int
) -> AsyncIterator[tuple[servers.Server, aiohttp.ClientSession]]:
    with tempfile.TemporaryDirectory(prefix="zoo-") as scratch:
        folder = Path(scratch)
        flag = servers.config_file(folder, *(_config(entry, seed) for entry in served))
        with servers.launched(folder, flag, *FLAGS) as server:
            await asyncio.to_thread(_wait, server)
            async with client.open_session() as session:
                yield server, session


def _config(entry: entries.Entry, seed: int) -> str:
    versions = (PREVIOUS, CANDIDATE) if entry.has_previous else (CANDIDATE,)
    wanted = " ".join(f"versions: {version}" for version in versions)
    return servers.model(
        entry.name,
        building.place(entry, seed) / "model",
        f"model_version_policy {{ specific {{ {wanted} }} }}",
    )


def _wait(server: servers.Server) -> None:
    until = time.monotonic() + _LOAD_SECONDS
    while not server.is_listening():
        if server.process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(
                f"the model server does not serve the zoo:\n{server.output}\n{server.log[-3000:]}"
            )
        time.sleep(0.05)


async def _test(
    entry: entries.Entry,
    mode: entries.Inputs,
    seed: int,
    server: servers.Server,
    session: aiohttp.ClientSession,
) -> results.Result:
    place = building.place(entry, seed)
    resolved = _resolved(place, mode)
    started = time.monotonic()
    outcome = await runner.run_test(session, request(entry, place, server.port), resolved, smoketests.clock)
    return results.of_test(entry, mode, seed, outcome, time.monotonic() - started)


def request(entry: entries.Entry, place: Path, port: int) -> plans.TestRequest:
    """The test that the rollout would ask for."""
    target = plans.Target(pod=POD, address=f"127.0.0.1:{port}")
    more: dict[str, Any] = {"inspection": inspected(place / "model", CANDIDATE)}
    if entry.has_previous:
        more |= {
            "control": plans.Target(pod="active-0", address=target.address),
            "control_version": PREVIOUS,
            "control_model_name": entry.name,
            "control_signature_name": entry.signature_name,
            "control_inspection": inspected(place / "model", PREVIOUS),
        }
    known = plans.TestRequest.__dataclass_fields__
    return smoketests.request(
        targets=(target,),
        model_name=entry.name,
        version=CANDIDATE,
        signature_name=entry.signature_name,
        load_requests=entry.load_requests,
        timeout_seconds=entry.timeout_seconds,
        **{name: value for name, value in more.items() if name in known},
    )


def inspected(folder: Path, version: int) -> inspection.Inspection | None:
    """What the inspect container says, by way of its termination message."""
    found = command.inspect(folder, version)
    return inspection.parse_termination_message(inspection.render(found).decode())


def _resolved(place: Path, mode: entries.Inputs) -> cases.ResolvedCases:
    """The cases as a spec would have them: each in a ConfigMap of its own, which add up."""
    if mode is entries.Inputs.Made:
        return cases.MADE
    document = json.loads((place / building.SPECIMEN).read_text())
    is_golden = mode is entries.Inputs.Goldens
    provenance = {"provenance": document["provenance"]} if is_golden else {}
    written: list[tuple[str, str | bytes]] = [
        ("zoo", json.dumps({**provenance, "cases": [case if is_golden else _unexpected(case)]}))
        for case in document["cases"]
    ]
    archive = place / building.ARCHIVE
    if archive.exists():
        written += [("zoo", json.dumps({**provenance, "cases": []}))] if is_golden else []
        written.append(("zoo cases.npz", archive.read_bytes() if is_golden else _bare(archive)))
    return cases.resolve((), written)


def _unexpected(case: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in case.items() if key != "expect"}


def _bare(archive: Path) -> bytes:
    with np.load(archive) as arrays:
        kept = {name: arrays[name] for name in arrays.files if not name.startswith("expect.")}
    written = io.BytesIO()
    np.savez_compressed(written, **kept)
    return written.getvalue()


def _failed_load(entry: entries.Entry, seed: int) -> results.Result:
    """As the operator sees it: the server ends, and says why as its last words."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zoo-") as scratch:
        folder = Path(scratch)
        flag = servers.config_file(folder, _config(entry, seed))
        with servers.launched(folder, flag, *FLAGS) as server:
            until = time.monotonic() + _LOAD_SECONDS
            while server.process.poll() is None and not server.is_listening() and time.monotonic() < until:
                time.sleep(0.05)
            said = server.output + server.log if server.process.poll() is not None else ""
    failed = _START_FAILED in said
    cause = str(causes.of_error(said) or "")
    got = results.Judged(
        verdict=str(reasons.Verdict.Fail) if failed else "",
        cause=cause,
        reason=str(reasons.Reason.ModelLoadFailed) if failed else "",
        message=next(_last_words(said), ""),
    )
    return results.judged(entry, entries.Inputs.Goldens, seed, got, time.monotonic() - started)


def _last_words(said: str) -> Iterator[str]:
    for line in said.splitlines():
        if _START_FAILED in line:
            yield line[-600:]
