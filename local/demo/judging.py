"""What the client's requests say, once it is known when which version was served."""

import dataclasses
from collections.abc import Iterable, Sequence
from enum import StrEnum

GRACE_SECONDS = 2.0
"""A connection opened later than this after a flip reaches the version that it was flipped to."""


class Pool(StrEnum):
    """The client's pools, as they are called in its lines."""

    fresh = "fresh"
    """means a connection for each request"""
    renewed = "renewed"
    """means kept alive, and another one every 5 s"""
    never = "never"
    """means kept alive for as long as the server does"""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request; times are Unix seconds."""

    pool: Pool
    started: float
    opened: float
    """When the opening of its connection began."""
    ended: float
    image: int
    version: int | None
    """Whose answer it got: 0 is nobody's, None means that it failed."""
    error: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """The moment from which the Service pointed at a version."""

    time: float
    """Unix seconds."""
    version: int
    margin: float = 0.0
    """Seconds by which it may have happened earlier."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """A promoted version was killed, and the Service was flipped back."""

    after: float
    """Unix seconds before which it was well for certain."""
    flipped: float
    """Unix seconds of the flip away from it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The client's figures."""

    sent: int
    failed: int
    """Of the first and second pool, at any other time than around the kill."""
    wrong_version: int
    failed_during_oom: int
    failed_on_retired: int
    """Of the third pool."""
    max_in_flight: int
    in_flight_at_flips: tuple[int, ...]
    examples: tuple[str, ...]
    """Some of the failed and of those with a wrong version, in words."""


def parse(line: str) -> Request:
    """Read one line of the client.

    Raises
    ------
    ValueError
        When it is not one.
    """
    pool, started, opened, ended, image, result = line.rstrip("\n").split("\t")
    return Request(
        pool=Pool(pool),
        started=float(started),
        opened=float(opened),
        ended=float(ended),
        image=int(image),
        version=None if result.startswith("!") else int(result),
        error=result[1:] if result.startswith("!") else "",
    )


def shifted(request: Request, seconds: float) -> Request:
    """Return a request whose times are those of another clock."""
    if not seconds:
        return request
    return dataclasses.replace(
        request,
        started=request.started + seconds,
        opened=request.opened + seconds,
        ended=request.ended + seconds,
    )


def judge(requests: Sequence[Request], flips: Sequence[Flip], kills: Sequence[Kill] = ()) -> Verdict:
    """Hold every request against the versions that were served while its connection was open.

    Parameters
    ----------
    requests
        All of them, in any order.
    flips
        In order of time; the first one is the first promotion.
    kills
        Of promoted versions.
    """
    failed, in_kill, on_retired, wrong = list[Request](), 0, 0, list[Request]()
    for request in requests:
        if request.version is not None:
            if not is_right(request, flips):
                wrong.append(request)
        elif request.pool is Pool.never:
            on_retired += 1
        elif any(k.after <= request.ended and request.opened <= k.flipped + GRACE_SECONDS for k in kills):
            in_kill += 1
        else:
            failed.append(request)
    return Verdict(
        sent=len(requests),
        failed=len(failed),
        wrong_version=len(wrong),
        failed_during_oom=in_kill,
        failed_on_retired=on_retired,
        max_in_flight=_max_in_flight(requests),
        in_flight_at_flips=tuple(_in_flight(requests, flip.time) for flip in flips[1:]),
        examples=tuple(_describe(request, flips) for request in (*failed[:3], *wrong[:3])),
    )


def is_right(request: Request, flips: Sequence[Flip]) -> bool:
    """Whether a version answered that was served while the connection was open, or up to 2 s before."""
    since = request.opened - GRACE_SECONDS
    ends = [flip.time for flip in flips[1:]] + [float("inf")]
    return any(
        flip.version == request.version and flip.time - flip.margin <= request.ended and end >= since
        for flip, end in zip(flips, ends, strict=True)
    )


def _in_flight(requests: Iterable[Request], moment: float) -> int:
    return sum(request.started <= moment <= request.ended for request in requests)


def _max_in_flight(requests: Iterable[Request]) -> int:
    changes = sorted(
        [(request.started, 1) for request in requests] + [(request.ended, -1) for request in requests]
    )
    now, most = 0, 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _describe(request: Request, flips: Sequence[Flip]) -> str:
    first = flips[0].time if flips else request.started
    outcome = request.error if request.version is None else f"answer of version {request.version}"
    return (
        f"{request.pool} picture {request.image}, {request.started - first:.3f} s after the first promotion, "
        f"on a connection opened {request.started - request.opened:.3f} s before: {outcome}"
    )
