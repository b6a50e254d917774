"""What is known of every version, and waiting for models to become available."""

import dataclasses
import enum
import threading
from collections.abc import Collection

from local.modelserver import errors


class State(enum.IntEnum):
    """Where a version stands; the numbers are those of ``ModelVersionStatus.State``."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """The last thing that was heard of a version.

    Attributes
    ----------
    name, number
        The model and its version.
    error
        Why it ended, if it did not end well.
    """

    name: str
    number: int
    state: State
    error: errors.ServingError | None = None

    @property
    def label(self) -> str:
        """The version as log lines and messages name it."""
        return version_label(self.name, self.number)


def version_label(name: str, number: int) -> str:
    """Return a version as log lines and messages name it."""
    return f"{{name: {name} version: {number}}}"


class Monitor:
    """Hears of all changes and forgets no version, also not one that has ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._versions: dict[str, dict[int, Status]] = {}

    def publish(self, status: Status) -> None:
        """Note a change."""
        with self._changed:
            self._versions.setdefault(status.name, {})[status.number] = status
            self._changed.notify_all()

    def statuses(self, name: str) -> list[Status]:
        """Return what is known of a model's versions, the highest first."""
        with self._changed:
            known = list(self._versions.get(name, {}).values())
        return sorted(known, key=lambda status: -status.number)

    def is_available(self, name: str, number: int) -> bool:
        """Return whether a version answers requests."""
        with self._changed:
            status = self._versions.get(name, {}).get(number)
        return status is not None and status.state is State.AVAILABLE

    def wait_until_available(self, names: Collection[str], what: str) -> None:
        """Wait until each model has a version that is available or has ended.

        Of several such versions the highest counts, as in the original.

        Raises
        ------
        ServingError
            That version has ended, for at least one of the models.
        """
        with self._changed:
            self._changed.wait_for(lambda: all(self._settled(name) for name in names))
            reached = [self._settled(name) for name in sorted(names)]
        ended = [status for status in reached if status is not None and status.state is State.END]
        if ended:
            # A version ends with an error, or because its folder vanished while it was awaited.
            listed = "".join(
                f"{{{status.label}"
                + (f" due to error: {status.error.status_text}" if status.error else "")
                + "}, "
                for status in ended
            )
            raise errors.ServingError(
                errors.Code.UNKNOWN, f"{len(ended)} {what} did not become available: {{{listed}}}"
            )

    def _settled(self, name: str) -> Status | None:
        versions = self._versions.get(name, {})
        numbers = sorted(versions, reverse=True)
        return next(
            (
                versions[number]
                for number in numbers
                if versions[number].state in {State.AVAILABLE, State.END}
            ),
            None,
        )
