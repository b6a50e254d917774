"""Only one operator writes: a coordination.k8s.io Lease, and a deadline that every write is checked against."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, Self

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources

LEASE_NAME: Final = "tfserving-operator"
LEASE_SECONDS: Final = 15
"""The default of `leaseSeconds`."""
LEAST_WAIT_SECONDS: Final = 0.05

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long is waited for what."""

    lease_seconds: int = LEASE_SECONDS
    """After this long without a renewal, others may take the Lease."""
    write_seconds: float
    """After this long without a renewal, we no longer write: well before others may begin to."""
    renew_seconds: float
    retry_seconds: float
    request_seconds: float
    """A renewal that takes longer is given up, while there is still time for another."""

    @classmethod
    def of(cls, lease_seconds: int) -> Self:
        """What follows from the Lease's duration."""
        return cls(
            lease_seconds=lease_seconds,
            write_seconds=lease_seconds * 2 / 3,
            renew_seconds=lease_seconds / 3,
            retry_seconds=lease_seconds * 2 / 15,
            request_seconds=lease_seconds / 6,
        )


class Leadership:
    """Acquires, renews and releases the Lease.

    Others' clocks are not trusted: a Lease counts as abandoned when it has not changed for its duration by our
    own monotonic clock.
    """

    def __init__(
        self, *, client: kube.Client, namespace: str, identity: str, clock: clocks.Clock, timing: Timing
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._timing = timing
        self._deadline = float("-inf")
        self._lease: kube.Raw | None = None
        self._seen_version = ""
        self._seen_at = float("-inf")
        self._tried_at = clock.monotonic()

    def check(self) -> None:
        """Raise unless we may write right now.

        Raises
        ------
        errors.NotLeaderError
            When the last renewal is too long ago.
        """
        if not self.is_held():
            raise errors.NotLeaderError("the Lease was not renewed in time")

    def is_held(self) -> bool:
        """Whether we may write right now."""
        return self._clock.monotonic() < self._deadline

    def idle_seconds(self) -> float:
        """For how long we have neither asked for the Lease nor renewed it."""
        return self._clock.monotonic() - self._tried_at

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        waits_for = None
        while not await self._try():
            holder = ((self._lease or {}).get("spec") or {}).get("holderIdentity", "")
            if holder != waits_for:
                _log.info("waiting for the Lease", holder=holder)
                waits_for = holder
            await asyncio.sleep(self._until_retry())
        _log.info("holding the Lease", identity=self._identity)

    async def hold(self) -> NoReturn:
        """Renew the Lease for ever.

        Raises
        ------
        errors.NotLeaderError
            When it is lost, or was not renewed before the deadline.
        """
        while True:
            await asyncio.sleep(self._timing.renew_seconds)
            while not await self._try():
                self.check()
                left = max(0.0, self._deadline - self._clock.monotonic())
                await asyncio.sleep(min(self._timing.retry_seconds, left))

    async def release(self) -> None:
        """Hand the Lease over, so that the next operator need not wait for its end."""
        if not self.is_held() or self._lease is None:
            return
        self._deadline = float("-inf")
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._client.replace(resources.LEASES, {**self._lease, "spec": spec})
        except errors.ApiError as error:
            _log.warning("the Lease was not released", error=error.message)
        else:
            _log.info("released the Lease")

    async def _try(self) -> bool:
        """Take or renew the Lease; False when that failed for now.

        Raises
        ------
        errors.NotLeaderError
            When we held it and somebody else has it now.
        """
        self._tried_at = sent_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timing.request_seconds):
                self._lease = await self._write()
        except (TimeoutError, errors.ConflictError) as error:
            self._lease = None  # read it again
            _log.debug("the Lease was not renewed", error=repr(error))
        except errors.ApiError as error:
            self._lease = None
            _log.warning("the Lease was not renewed", error=error.message, code=error.code)
        if self._lease is None or not self._is_ours(self._lease):
            return False
        self._deadline = sent_at + self._timing.write_seconds
        return True

    async def _write(self) -> kube.Raw:
        if self._lease is not None and self._is_ours(self._lease):
            return await self._client.replace(resources.LEASES, self._renewed(self._lease))
        try:
            there = await self._client.get(resources.LEASES, namespace=self._namespace, name=LEASE_NAME)
        except errors.NotFoundError:
            return await self._client.create(resources.LEASES, self._new())
        if self._is_ours(there) or self._is_free(there):
            return await self._client.replace(resources.LEASES, self._renewed(there))
        if self.is_held():
            self._deadline = float("-inf")
            raise errors.NotLeaderError(f"the Lease is {there['spec'].get('holderIdentity')!r}'s now")
        return there

    def _is_ours(self, lease: kube.Raw) -> bool:
        return (lease.get("spec") or {}).get("holderIdentity") == self._identity

    def _is_free(self, lease: kube.Raw) -> bool:
        spec = lease.get("spec") or {}
        if not spec.get("holderIdentity"):
            return True
        version, now = lease["metadata"]["resourceVersion"], self._clock.monotonic()
        if version != self._seen_version:
            self._seen_version, self._seen_at = version, now
        return now >= self._seen_at + self._duration(spec)

    def _duration(self, spec: kube.Raw) -> float:
        return float(spec.get("leaseDurationSeconds") or self._timing.lease_seconds)

    def _until_retry(self) -> float:
        """Seconds until the Lease is asked for again: at the latest when it counts as abandoned."""
        if self._lease is None:
            return self._timing.retry_seconds
        left = self._seen_at + self._duration(self._lease["spec"]) - self._clock.monotonic()
        return min(self._timing.retry_seconds, max(left, LEAST_WAIT_SECONDS))

    def _new(self) -> dict[str, Any]:
        now = _micro_time(self._clock.now())
        return {
            "apiVersion": resources.LEASES.api_version,
            "kind": resources.LEASES.kind,
            "metadata": {"name": LEASE_NAME, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": self._timing.lease_seconds,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }

    def _renewed(self, lease: kube.Raw) -> dict[str, Any]:
        spec, fresh = dict(lease.get("spec") or {}), self._new()["spec"]
        if self._is_ours(lease):
            fresh["acquireTime"] = spec.get("acquireTime") or fresh["acquireTime"]
            fresh["leaseTransitions"] = spec.get("leaseTransitions", 0)
        else:
            fresh["leaseTransitions"] = spec.get("leaseTransitions", 0) + 1
        return {**lease, "spec": {**spec, **fresh}}


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
