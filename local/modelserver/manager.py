"""The versions that are loaded, their states, and the threads that load and unload them."""

import contextlib
import dataclasses
import enum
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Final

from local.modelserver import configs, errors, logs, savedmodel, sources

_WHERE: Final = "core/loader_harness.cc"


class State(enum.IntEnum):
    """Where a version stands; the numbers are those of ``ModelVersionStatus.State``."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(kw_only=True, slots=True)
class Version:
    """One version of one model.

    Attributes
    ----------
    state, error
        What the status route tells.
    model
        What answers requests, while the version is available.
    leases
        How many requests use the model now.
    is_aspired
        Whether the sources still want it.
    """

    name: str
    number: int
    path: str
    state: State = State.START
    error: errors.ServingError | None = None
    model: savedmodel.SavedModel | None = None
    leases: int = 0
    is_aspired: bool = True

    @property
    def label(self) -> str:
        """The version as log lines and messages name it."""
        return f"{{name: {self.name} version: {self.number}}}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How versions are loaded.

    Attributes
    ----------
    load
        Loads a version's folder.
    max_retries, retry_interval_seconds
        How often a failed load is tried again, and after what time.
    load_threads, unload_threads
        How many versions are loaded or unloaded at once; 0 is one after the other.
    poll_seconds
        How long between two looks at the base paths; 0 looks once, below 0 never.
    """

    load: Callable[[str], savedmodel.SavedModel]
    max_retries: int
    retry_interval_seconds: float
    load_threads: int
    unload_threads: int
    initial_load_threads: int
    poll_seconds: int


def _pool(threads: int, name: str) -> futures.ThreadPoolExecutor:
    return futures.ThreadPoolExecutor(max(threads, 1), name)


class Servables:
    """All models of the server."""

    def __init__(self, models: tuple[configs.Model, ...], settings: Settings) -> None:
        self._models = models
        self._settings = settings
        self._changed = threading.Condition()
        self._versions: dict[str, dict[int, Version]] = {model.name: {} for model in models}
        self._loaders = _pool(settings.initial_load_threads, "load")
        self._unloaders = _pool(settings.unload_threads, "unload")

    def start(self) -> None:
        """Load what the configuration asks for.

        Returns when every model has an available version, which may be never.

        Raises
        ------
        ServingError
            A model's first version failed to load.
        """
        logs.log("model_servers/server_core.cc", "Adding/updating models.")
        for model in self._models:
            logs.log("model_servers/server_core.cc", f" (Re-)adding model: {model.name}")
        threading.Thread(target=self._poll, name="poll", daemon=True).start()
        with self._changed:
            self._changed.wait_for(self._is_settled)
            failed = [self._first_failure(model.name) for model in self._models]
        unavailable = [version for version in failed if version is not None]
        if unavailable:
            listed = "".join(
                f"{version.label} due to error: {version.error.status_text if version.error else ''}}}, "
                for version in unavailable
            )
            raise errors.ServingError(
                errors.Code.UNKNOWN, f"{len(unavailable)} servable(s) did not become available: {{{listed}}}"
            )
        with self._changed:
            initial, self._loaders = self._loaders, _pool(self._settings.load_threads, "load")
        initial.shutdown(wait=False)

    def _is_settled(self) -> bool:
        return all(
            any(
                version.state in {State.AVAILABLE, State.END}
                for version in self._versions[model.name].values()
            )
            for model in self._models
        )

    def _first_failure(self, name: str) -> Version | None:
        versions = self._versions[name].values()
        if any(version.state is State.AVAILABLE for version in versions):
            return None
        return next((version for version in versions if version.state is State.END), None)

    def _poll(self) -> None:
        if self._settings.poll_seconds < 0:
            return
        while True:
            for model in self._models:
                try:
                    wanted = sources.find_versions(model)
                except errors.ServingError as error:
                    sources.log_unreadable(error)
                    continue
                self._aspire(model.name, wanted)
            if self._settings.poll_seconds == 0:
                return
            threading.Event().wait(self._settings.poll_seconds)

    def _aspire(self, name: str, wanted: Mapping[int, str]) -> None:
        with self._changed:
            versions = self._versions[name]
            for number, path in wanted.items():
                known = versions.get(number)
                # A version that left and came back is loaded anew; a failed one that stayed is not.
                if known is None or (known.state is State.END and not known.is_aspired):
                    versions[number] = Version(name=name, number=number, path=path)
            for version in versions.values():
                version.is_aspired = version.number in wanted
            self._advance(name)

    def _advance(self, name: str) -> None:
        """Start what may be started: the new before the old goes, so that a model stays available."""
        versions = self._versions[name].values()
        aspired = [version for version in versions if version.is_aspired]
        if not aspired or any(version.state is State.AVAILABLE for version in aspired):
            for version in versions:
                if not version.is_aspired and version.state is State.AVAILABLE:
                    self._set_state(version, State.UNLOADING)
                    self._unloaders.submit(self._unload, version)
        for version in sorted(aspired, key=lambda version: -version.number):
            if version.state is State.START:
                self._set_state(version, State.LOADING)
                self._loaders.submit(self._load, version)

    def _set_state(self, version: Version, state: State, error: errors.ServingError | None = None) -> None:
        version.state, version.error = state, error
        self._changed.notify_all()

    def _load(self, version: Version) -> None:
        logs.log(_WHERE, f"Approving load for servable version {version.label}")
        logs.log(_WHERE, f"Loading servable version {version.label}")
        retries_left = self._settings.max_retries
        while True:
            try:
                model = self._settings.load(version.path)
                break
            except errors.ServingError as error:
                failure = error
            logs.log(
                "util/retrier.cc",
                f"Loading servable: {version.label} failed: {failure.status_text}",
                severity=logs.Severity.ERROR,
            )
            with self._changed:
                if retries_left <= 0 or not version.is_aspired:
                    self._set_state(version, State.END, failure)
                    self._advance(version.name)
                    return
                retries_left -= 1
                self._changed.wait_for(lambda: not version.is_aspired, self._settings.retry_interval_seconds)
            retry = self._settings.max_retries - retries_left
            logs.log("util/retrier.cc", f"Retrying of Loading servable: {version.label} retry: {retry}")
        logs.log(_WHERE, f"Successfully loaded servable version {version.label}")
        with self._changed:
            version.model = model
            self._set_state(version, State.AVAILABLE)
            self._advance(version.name)

    def _unload(self, version: Version) -> None:
        logs.log(_WHERE, f"Quiescing servable version {version.label}")
        with self._changed:
            model, version.model = version.model, None
            self._changed.wait_for(lambda: version.leases == 0)
        if model is not None:
            model.close()
        logs.log(_WHERE, f"Done unloading servable version {version.label}")
        with self._changed:
            self._set_state(version, State.END)

    @contextlib.contextmanager
    def lease(
        self, name: str, number: int | None, label: str | None = None
    ) -> Iterator[tuple[Version, savedmodel.SavedModel]]:
        """Hold a version in memory for one request; without a number, the highest that is available."""
        if label is not None:
            number = self._labelled(name, label)
        with self._changed:
            version = self._find_available(name, number)
            if version is None or version.model is None:
                wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
                raise errors.not_found(f"Servable not found for request: {wanted}")
            model = version.model
            version.leases += 1
        try:
            yield version, model
        finally:
            with self._changed:
                version.leases -= 1
                if version.state is State.UNLOADING:
                    self._changed.notify_all()

    def _find_available(self, name: str, number: int | None) -> Version | None:
        versions = self._versions.get(name, {})
        if number is not None:
            version = versions.get(number)
            return version if version is not None and version.state is State.AVAILABLE else None
        available = [version for version in versions.values() if version.state is State.AVAILABLE]
        return max(available, key=lambda version: version.number, default=None)

    def _labelled(self, name: str, label: str) -> int:
        for model in self._models:
            if model.name == name and label in model.labels:
                return model.labels[label]
        raise errors.invalid_argument(f"Unrecognized servable version label: {label}")

    def statuses(self, name: str, number: int | None) -> list[Version]:
        """Return what is known of a model's versions, the highest first, or of one of them."""
        with self._changed:
            versions = self._versions.get(name, {})
            found = [version for version in versions.values() if number is None or version.number == number]
            snapshot = [dataclasses.replace(version) for version in found]
        if not snapshot:
            if number is None:
                raise errors.not_found(f"Could not find any versions of model {name}")
            raise errors.not_found(f"Could not find version {number} of model {name}")
        return sorted(snapshot, key=lambda version: -version.number)
