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


class NoAnswerError(Exception):
    """There is no whole HTTP answer; `answer` says why."""

    def __init__(self, trouble: answers.Trouble, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.answer = answers.Answer(status=status, trouble=trouble, detail=detail[:300])


def redirected(status: int, location: str | None) -> NoAnswerError:
    """Build the error of an answer that leads elsewhere."""
    detail = f"HTTP {status}, a redirect to {(location or 'nowhere')[:100]}, is not followed"
    return NoAnswerError(answers.Trouble.Foreign, detail, status)


def read_state(status: int, body: bytes | bytearray) -> tuple[recordings.ModelState, answers.Answer | None]:
    """Read the status route's answer; the answer is given where it tells no state."""
    if status != HTTPStatus.OK:
        return recordings.ModelState.Unknown, answers.read(status, bytes(body))
    try:
        found = answers.load_json(bytes(body))["model_version_status"][0]["state"]
        return recordings.ModelState(found), None
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        detail = f"the status route answers what is not TensorFlow Serving's: {bytes(body[:80])!r}"
        answer = answers.Answer(status=status, trouble=answers.Trouble.Foreign, detail=detail[:300])
        return recordings.ModelState.Unknown, answer


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
