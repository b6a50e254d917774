"""What a smoke test needs of one pod, whatever carries the requests."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from tfserving_operator.adapters.serving import budgets
from tfserving_operator.core.smoke import answers, plans, recordings, signatures


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back to a predict request, unread; or what went wrong on the way."""

    status: int = 0
    body: bytes | bytearray = b""
    lost: answers.Answer | None = None
    """The trouble, where there is no whole HTTP answer."""
    lease: budgets.Lease | None = None
    """What the body was taken from; whoever reads the reply ends it."""

    @property
    def is_ok(self) -> bool:
        """Whether it has outputs, as far as its status tells."""
        return self.status == HTTPStatus.OK


class Endpoint(Protocol):
    """One pod's REST API, every request pinned to one version. Nothing that it answers raises."""

    @property
    def target(self) -> plans.Target:
        """Which pod it is."""
        ...

    @property
    def version(self) -> int:
        """The version that requests are pinned to."""
        ...

    async def state(self) -> tuple[recordings.ModelState, answers.Answer | None]:
        """Ask the status route for the version's state; the answer is given where it is none."""
        ...

    async def metadata(self) -> signatures.Metadata | None:
        """Ask for the signatures; None where there is no answer, which predictions then explain."""
        ...

    async def predict(self, body: bytes) -> Reply:
        """Send a predict request."""
        ...


class Connect(Protocol):
    """Makes endpoints."""

    def __call__(self, target: plans.Target, *, model: str, version: int) -> Endpoint:
        """Give the endpoint of a pod; nothing is sent yet."""
        ...
