"""`tfserving-operator wait`: what became of a rollout, by an exit code."""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfserving_operator.cli import exits

if TYPE_CHECKING:
    from tfserving_operator.adapters.kube import client as kube

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_AGAIN_SECONDS = 1.0
"""Until an API server that did not answer is asked again."""
_WATCH_SECONDS = 300

Raw = Mapping[str, Any]


class Result(StrEnum):
    """How waiting ends."""

    Ready = "Ready"
    """means the revision of the spec serves, and its bake is over"""
    Failed = "Failed"
    """means it was rejected or rolled back, is stalled, or is not there"""
    Timeout = "Timeout"
    """means it was on its way still, or the API server could not be asked"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is known of a ModelDeployment when waiting ends, or on the way."""

    result: Result
    reason: str = ""
    """Of the condition that tells: Ready, or Stalled."""
    cause: str = ""
    """Why the spec's version was rejected, as far as the probes could tell; else its rejection's reason."""
    message: str = ""
    phase: str = ""
    version: int | None = None
    """Of the spec."""
    active_version: int | None = None
    """The one that serves."""


def _seconds(_: click.Context, __: click.Parameter, text: str) -> float:
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not text or found is None:
        raise click.BadParameter(f"{text!r} is no duration such as 600, 90s or 10m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


@click.command()
@click.argument("name")
@click.option("-n", "--namespace", help="Default: the one of the kubeconfig's context.")
@click.option(
    "--timeout",
    callback=_seconds,
    metavar="DURATION",
    default="15m",
    show_default=True,
    help="Such as 90s, 10m or 1h30m; a number is seconds, and 0 looks once.",
)
@click.option("--kubeconfig", type=_FILE, help="Default: $KUBECONFIG, the pod's account, ~/.kube/config.")
@click.option("--context", help="Context of the kubeconfig. Default: its current one.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def wait(name: str, namespace: str | None, timeout: float, output: str, **given: Any) -> None:
    """Wait until the ModelDeployment NAME is proven, or is known not to be.

    Progress goes to standard error. Exit code 0: the version of the spec serves and its bake is over; 1: it was
    rejected or rolled back, is stalled, or there is no such ModelDeployment; 2: not told in time; 64: called wrongly.
    """
    from tfserving_operator.adapters import errors  # noqa: PLC0415
    from tfserving_operator.adapters.kube import login  # noqa: PLC0415

    _log_to_stderr()
    try:
        account = login.load(kubeconfig=given["kubeconfig"], context=given["context"])
    except errors.LoginError as error:
        raise click.UsageError(str(error)) from error
    where = namespace or account.namespace
    began = time.monotonic()
    judged = asyncio.run(_wait(account, where, name, timeout))
    if output == "json":
        words = {"namespace": where, "name": name, "seconds": round(time.monotonic() - began, 1)}
        click.echo(json.dumps(words | _as_json(judged), indent=2))
    else:
        click.echo(f"{where}/{name}: {_as_text(judged)}")
    match judged.result:
        case Result.Ready:
            sys.exit(exits.ExitCode.Pass)
        case Result.Failed:
            sys.exit(exits.ExitCode.Fail)
        case Result.Timeout:
            sys.exit(exits.ExitCode.Inconclusive)


def judge(raw: Raw) -> Judged:
    """What an object says; Timeout while it is on its way."""
    status, spec = raw.get("status") or {}, raw.get("spec") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    ready, stalled = conditions.get("Ready", {}), conditions.get("Stalled", {})
    version = (spec.get("model") or {}).get("version")
    known: dict[str, Any] = {
        "version": version,
        "active_version": (status.get("activeRevision") or {}).get("version"),
        "phase": status.get("phase", ""),
    }
    if status.get("observedGeneration") != raw["metadata"].get("generation"):
        text = "the operator has not looked at this generation of the spec yet"
        return Judged(
            result=Result.Timeout, reason="GenerationNotObserved", message=text, **known | {"phase": ""}
        )
    if stalled.get("status") == "True":
        cause = _cause(status, version)
        return Judged(
            result=Result.Failed,
            reason=stalled["reason"],
            cause=cause,
            message=stalled.get("message", ""),
            **known,
        )
    result = Result.Ready if ready.get("status") == "True" else Result.Timeout
    return Judged(result=result, reason=ready.get("reason", ""), message=ready.get("message", ""), **known)


def _cause(status: Raw, version: int | None) -> str:
    """Of the spec's version, when it was rejected."""
    for rejection in status.get("rejectedRevisions") or ():
        if rejection["version"] == version:
            return str(rejection.get("cause") or rejection["reason"])
    return ""


async def _wait(account: Any, namespace: str, name: str, seconds: float) -> Judged:
    from tfserving_operator.adapters import clock, metrics  # noqa: PLC0415
    from tfserving_operator.adapters.kube import client as kube  # noqa: PLC0415

    client = kube.Client.connect(account, clock=clock.SystemClock(), observer=metrics.Metrics())
    last = Judged(result=Result.Timeout, message="the API server has not answered yet")
    try:
        # Without a moment to look there would be nothing to say
        async with asyncio.timeout(seconds or kube.REQUEST_TIMEOUT_SECONDS):
            async with aclosing(_judgements(client, namespace, name)) as judgements:
                async for judged in judgements:
                    if judged != last:
                        click.echo(_as_text(judged), err=True)
                    last = judged
                    if judged.result is not Result.Timeout or not seconds:
                        break
    except TimeoutError:
        pass
    finally:
        await client.close()
    return last


async def _judgements(client: "kube.Client", namespace: str, name: str) -> AsyncGenerator[Judged, None]:
    """What the object says, now and after each of its changes, for ever."""
    from tfserving_operator.adapters import errors  # noqa: PLC0415
    from tfserving_operator.adapters.kube import resources  # noqa: PLC0415

    kind = resources.MODEL_DEPLOYMENTS
    gone = Judged(result=Result.Failed, reason="NotFound", message="there is no such ModelDeployment")
    while True:
        try:
            raw = await client.get(kind, namespace=namespace, name=name)
            yield judge(raw)
            version = raw["metadata"]["resourceVersion"]
            events = client.watch(
                kind, resource_version=version, seconds=_WATCH_SECONDS, namespace=namespace, name=name
            )
            async with aclosing(events):
                async for event in events:
                    if event.type == "DELETED":
                        yield gone
                    elif event.type != "BOOKMARK":
                        yield judge(event.object)
        except errors.NotFoundError:
            yield gone
        except errors.TransientError as error:
            yield Judged(result=Result.Timeout, reason="ApiError", message=error.message)
            await asyncio.sleep(_AGAIN_SECONDS)
        except errors.ApiError as error:
            yield Judged(result=Result.Timeout, reason=error.reason or "ApiError", message=error.message)
            await asyncio.sleep(_AGAIN_SECONDS)


def _as_json(judged: Judged) -> dict[str, Any]:
    words = asdict(judged)
    return {"activeVersion" if key == "active_version" else key: value for key, value in words.items()}


def _as_text(judged: Judged) -> str:
    head = {Result.Ready: "Ready", Result.Failed: judged.phase or "Failed"}.get(judged.result, judged.phase)
    names = dict.fromkeys(part for part in (judged.reason, judged.cause) if part and part != head)
    reason = f" ({' / '.join(names)})" if names and judged.result is not Result.Ready else ""
    return f"{head or 'Unknown'}{reason}: {judged.message}".rstrip(": ")


def _log_to_stderr() -> None:
    import structlog  # noqa: PLC0415

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
