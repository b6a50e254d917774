"""The API server's audit log: who asked for what, and when exactly."""

import collections
import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
"""The verbs that change something."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One request to the API server that it has answered, or a watch that has begun."""

    stage: str
    user: str
    verb: str
    group: str
    """The API group, "" for the core's."""
    resource: str
    """The plural, with the subresource after a slash."""
    namespace: str
    name: str
    code: int
    received: float
    """Unix seconds: requestReceivedTimestamp."""
    reached: float
    """Unix seconds at which the stage was reached: stageTimestamp."""
    forbidden: bool
    """Whether the user lacks the right; a quota or Pod Security also answers 403."""


def read(path: Path, *, since: float = 0.0) -> Iterator[Entry]:
    """Yield the entries of a log, of requests received since a time in Unix seconds.

    A last line that is still being written is left out.
    """
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                entry = parse(line)
                if entry.received >= since:
                    yield entry


def parse(line: bytes) -> Entry:
    """Read one line of the log."""
    event = orjson.loads(line)
    target = event.get("objectRef") or {}
    parts = (target.get("resource", ""), target.get("subresource", ""))
    return Entry(
        stage=event["stage"],
        user=event["user"].get("username", ""),
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource="/".join(part for part in parts if part) or event["requestURI"].partition("?")[0],
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=_unix(event["requestReceivedTimestamp"]),
        reached=_unix(event["stageTimestamp"]),
        forbidden=(event.get("annotations") or {}).get("authorization.k8s.io/decision") == "forbid",
    )


def _unix(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def count(
    entries: Iterable[Entry], *, user: str, start: float = 0.0, end: float = float("inf")
) -> collections.Counter[tuple[str, str]]:
    """Count a user's requests by verb and resource, each once: a watch when it begins, others when done.

    Parameters
    ----------
    entries
        Of the log.
    user
        As the API server knows it, such as ``system:serviceaccount:NAMESPACE:NAME``.
    start, end
        Unix seconds between which a request was received.
    """
    return collections.Counter(
        (entry.verb, entry.resource)
        for entry in entries
        if entry.user == user and start <= entry.received < end and entry.stage == _counted_stage(entry.verb)
    )


def _counted_stage(verb: str) -> str:
    return "ResponseStarted" if verb == "watch" else "ResponseComplete"


def service_writes(entries: Iterable[Entry], *, user: str, namespace: str, name: str) -> list[float]:
    """Return when a user's writes of a Service were done: stageTimestamps in Unix seconds, in order."""
    return sorted(
        entry.reached
        for entry in entries
        if entry.user == user
        and entry.verb in WRITES
        and (entry.resource, entry.namespace, entry.name) == ("services", namespace, name)
        and entry.stage == "ResponseComplete"
        and 200 <= entry.code < 300
    )


def kubelet_reports(entries: Iterable[Entry], *, namespace: str, pod_prefix: str) -> list[float]:
    """Return when kubelets' patches of the status of pods were done, in Unix seconds, in order."""
    return sorted(
        entry.reached
        for entry in entries
        if entry.user.startswith("system:node:")
        and (entry.verb, entry.resource, entry.namespace) == ("patch", "pods/status", namespace)
        and entry.name.startswith(pod_prefix)
        and entry.stage == "ResponseComplete"
        and 200 <= entry.code < 300
    )


def flip_seconds(*, reports: Iterable[float], writes: Iterable[float], after: float) -> float | None:
    """Return how long the flip away from a killed pod took.

    Parameters
    ----------
    reports
        The kubelet's status patches of the killed revision's pods. The log holds no bodies: the first one
        after the pod was well for the last time is the earliest that can have told of the kill.
    writes
        The operator's writes of the Service.
    after
        Unix seconds at which the pod was well for the last time.
    """
    told = min((time for time in reports if time >= after), default=None)
    flipped = min((time for time in writes if time >= after), default=None)
    return None if told is None or flipped is None else flipped - told
