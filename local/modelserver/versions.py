"""One version from its discovery to its end, and what the availability-preserving policy does next."""

import dataclasses
import enum
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from local.modelserver import capi, errors, logs, savedmodel, states


class Phase(enum.Enum):
    """Where a managed version stands; finer than what the status route tells."""

    NEW = "new"
    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    DISABLED = "disabled"
    ERROR = "error"


FINISHED: Final = frozenset({Phase.NEW, Phase.DISABLED, Phase.ERROR})
"""Phases in which a version that is no longer wanted is forgotten."""
_HARNESS: Final = "core/loader_harness.cc"
_LONGEST_SLEEP_SECONDS: Final = 1e9
"""About thirty years; the flag may ask for more than the clock can count."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """How often a failed load is tried again, and after what time."""

    count: int
    interval_seconds: float


class Version:
    """One version of one model."""

    def __init__(self, name: str, number: int, path: str) -> None:
        self.name, self.number, self.path = name, number, path
        self.label = states.version_label(name, number)
        self.phase = Phase.NEW
        self.is_aspired = True
        self._free = threading.Condition()
        self._model: savedmodel.SavedModel | None = None
        self._leases = 0

    def status(self, state: states.State, error: errors.ServingError | None = None) -> states.Status:
        """Return what is to be told of this version."""
        return states.Status(name=self.name, number=self.number, state=state, error=error)

    def acquire(self) -> savedmodel.SavedModel | None:
        """Hold the model in memory for one request, if it still answers requests."""
        with self._free:
            if self._model is not None:
                self._leases += 1
            return self._model

    def release(self) -> None:
        """End one request."""
        with self._free:
            self._leases -= 1
            if self._leases == 0:
                self._free.notify_all()

    def load(self, load: Callable[[str], savedmodel.SavedModel], retries: Retries) -> None:
        """Load the folder, as often as it takes and is allowed.

        Raises
        ------
        ServingError
            No attempt succeeded, or the version was not wanted any more when one did.
        """
        logs.log(_HARNESS, f"Approving load for servable version {self.label}")
        logs.log(_HARNESS, f"Loading servable version {self.label}")
        try:
            model = self._load_with_retries(load, retries)
        except errors.ServingError as error:
            self.phase = Phase.ERROR
            logs.log(_HARNESS, f"Encountered an error for servable version {self.label}: {error.status_text}")
            raise
        if not self.is_aspired:
            logs.log(_HARNESS, f"Unloading just-loaded servable version {self.label}")
            model.close()
            logs.log(_HARNESS, f"Done unloading servable version {self.label}")
            self.phase = Phase.DISABLED
            raise errors.ServingError(errors.Code.CANCELLED, "Loading of servable cancelled")
        logs.log(_HARNESS, f"Successfully loaded servable version {self.label}")
        with self._free:
            self._model = model
        self.phase = Phase.READY

    def _load_with_retries(
        self, load: Callable[[str], savedmodel.SavedModel], retries: Retries
    ) -> savedmodel.SavedModel:
        where, what = "util/retrier.cc", f"Loading servable: {self.label}"
        for tries in range(1, retries.count + 2):
            if tries > 1:
                # The original sleeps the whole interval even when the version vanishes meanwhile.
                time.sleep(min(retries.interval_seconds, _LONGEST_SLEEP_SECONDS))
                logs.log(where, f"Retrying of {what} retry: {tries - 1}")
            try:
                return load(self.path)
            except errors.ServingError as error:
                failure = error
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a version that nobody hears of again would be waited for
                failure = errors.ServingError(errors.Code.INTERNAL, repr(error))
            logs.log(where, f"{what} failed: {failure.status_text}", severity=logs.Severity.ERROR)
            if not self.is_aspired:
                logs.log(where, f"Retrying of {what} was cancelled.")
                break
        else:
            logs.log(where, f"Retrying of {what} exhausted max_num_retries: {retries.count}")
        raise failure

    def unload(self) -> None:
        """Give the memory back once the last request is answered."""
        logs.log(_HARNESS, f"Quiescing servable version {self.label}")
        with self._free:
            model, self._model = self._model, None
            self._free.wait_for(lambda: self._leases == 0)
        logs.log(_HARNESS, f"Done quiescing servable version {self.label}")
        logs.log(_HARNESS, f"Unloading servable version {self.label}")
        if model is not None:
            model.close()
            capi.trim_heap()
        logs.log(_HARNESS, f"Done unloading servable version {self.label}")
        self.phase = Phase.DISABLED


def next_action(versions: Iterable[Version]) -> Version | None:
    """Return the version of one model to load or, if it is ready, to unload: the availability-preserving policy.

    What is not wanted goes once something that is wanted serves, or if nothing is wanted, or if more than one such
    version serves; the lowest first. Otherwise the highest new version is loaded. So a swap holds both in memory.
    """
    known = list(versions)
    aspired = [version for version in known if version.is_aspired]
    leaving = [version for version in known if not version.is_aspired and version.phase is Phase.READY]
    is_served = any(version.phase is Phase.READY for version in aspired)
    if leaving and (not aspired or is_served or len(leaving) > 1):
        return min(leaving, key=lambda version: version.number)
    new = [version for version in aspired if version.phase is Phase.NEW]
    return max(new, key=lambda version: version.number, default=None)
