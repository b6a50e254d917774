"""Which versions are loaded, and the threads that make it so."""

import contextlib
import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Final

from local.modelserver import configs, errors, labels, logs, savedmodel, sources, states, versions

_CORE: Final = "model_servers/server_core.cc"
_ASPIRED: Final = "core/aspired_versions_manager.cc"
_TICK_SECONDS: Final = 0.1
"""How often one action is taken."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How versions are loaded.

    Attributes
    ----------
    loaders
        What loads a version's folder, for each platform that a model may ask to be run by.
    max_retries, retry_interval_seconds
        How often a failed load is tried again, and after what time.
    load_threads, unload_threads
        How many versions are loaded or unloaded at once; 0 does it in the manager's own thread.
    initial_load_threads
        How many are loaded at once until every model of the first configuration is available.
    poll_seconds
        How long between two looks at the base paths; 0 looks once, below 0 never.
    are_labels_free
        Whether a new label may name a version that is not available.
    """

    loaders: Mapping[str, Callable[[str], savedmodel.SavedModel]]
    max_retries: int
    retry_interval_seconds: float
    load_threads: int
    unload_threads: int
    initial_load_threads: int
    poll_seconds: int
    are_labels_free: bool = False


class _Executor:
    """A pool of threads, or the calling thread itself."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = futures.ThreadPoolExecutor(threads, name) if threads > 0 else None

    def run(self, work: Callable[[], None]) -> None:
        if self._pool is None:
            work()
        else:
            self._pool.submit(work)

    def join(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)


class Servables:
    """All models of the server."""

    def __init__(self, models: Sequence[configs.Model], settings: Settings) -> None:
        self._initial = tuple(models)
        self._settings = settings
        self._retries = versions.Retries(
            count=max(settings.max_retries, 0), interval_seconds=max(settings.retry_interval_seconds, 0)
        )
        self._labels = labels.Labels(are_unavailable_allowed=settings.are_labels_free)
        self._source = sources.Source(self._aspire, settings.poll_seconds)
        self._monitor = states.Monitor()
        self._monitors = [self._monitor]
        self._platforms: dict[str, str] = {}
        self._config_lock = threading.Lock()
        self._config: tuple[configs.Model, ...] = ()
        self._served: tuple[configs.Model, ...] | None = None
        self._pending: dict[str, Mapping[int, str]] = {}
        self._pending_lock = threading.Lock()
        self._managed: dict[str, dict[int, versions.Version]] = {}
        self._serving: dict[str, dict[int, versions.Version]] = {}
        self._serving_lock = threading.Lock()
        self._loaders = _Executor(settings.load_threads, "load")
        self._loaders_lock = threading.Lock()
        self._unloaders = _Executor(settings.unload_threads, "unload")

    def start(self) -> None:
        """Load what the first configuration asks for.

        Returns when every model has an available version, which may be never.

        Raises
        ------
        ServingError
            The configuration is wrong, or a model's first version failed to load.
        """
        threading.Thread(target=self._manage, name="manager", daemon=True).start()
        if self._initial:
            self.reload(self._initial)

    def reload(self, models: Sequence[configs.Model]) -> None:
        """Serve other models, or the same in another way.

        Returns when every *model* that is new has an available version, which may be never; new versions of models
        that were served before are not waited for.

        Raises
        ------
        ServingError
            The configuration is wrong, or the first version of a new model failed to load.
        """
        with self._config_lock:
            configs.check(models)
            if self._config:
                configs.check_unchanged_platforms(self._config, models)
            # Kept although what follows may refuse it: a later configuration is compared with it all the same.
            self._config = tuple(models)
            self._labels.update(models, self._monitor)
            logs.log(_CORE, "Adding/updating models.")
            for model in models:
                logs.log(_CORE, f" (Re-)adding model: {model.name}")
            self._platforms |= configs.check_platforms(models, self._settings.loaders)
            if self._served is None:
                self._load_first(models)
            else:
                self._load_others(self._served, models)
            logs.log(_CORE, "Finished adding/updating models")
            if any(model.is_logged for model in models):
                raise errors.invalid_argument("No request-logger-creator provided.")

    def _load_first(self, models: Sequence[configs.Model]) -> None:
        self._replace_loaders(self._settings.initial_load_threads)
        self._source.start(tuple(models))
        try:
            self._monitor.wait_until_available({model.name for model in models}, "servable(s)")
        finally:
            self._replace_loaders(self._settings.load_threads)
        self._served = tuple(models)

    def _replace_loaders(self, threads: int) -> None:
        with self._loaders_lock:
            self._loaders.join()  # So a server opens its ports only after all loads that have begun by then.
            self._loaders = _Executor(threads, "load")

    def _load_others(self, old: Sequence[configs.Model], models: Sequence[configs.Model]) -> None:
        # What an earlier life of a model came to says nothing about the one that begins.
        fresh = states.Monitor()
        self._monitors = [*self._monitors, fresh]
        try:
            self._served = tuple(models)
            self._source.update(tuple(models))
            new = {model.name for model in models} - {model.name for model in old}
            fresh.wait_until_available(new, "model(s)")
        finally:
            self._monitors = [self._monitor]

    def _publish(self, status: states.Status) -> None:
        for monitor in self._monitors:
            monitor.publish(status)

    def _aspire(self, name: str, wanted: Mapping[int, str]) -> None:
        with self._pending_lock:
            self._pending[name] = wanted

    def _manage(self) -> None:
        while True:
            begin = time.monotonic()
            self._flush()
            self._take_pending()
            self._act()
            time.sleep(max(begin + _TICK_SECONDS - time.monotonic(), 0))

    def _flush(self) -> None:
        for managed in self._managed.values():
            for number, version in list(managed.items()):
                if version.phase in versions.FINISHED and not version.is_aspired:
                    del managed[number]

    def _take_pending(self) -> None:
        with self._pending_lock:
            for name in sorted(self._pending):
                managed = self._managed.setdefault(name, {})
                wanted = self._pending[name]
                # A version that left and came back is begun anew, and only after its first life is over.
                if any(not version.is_aspired and version.number in wanted for version in managed.values()):
                    continue
                del self._pending[name]
                for version in managed.values():
                    version.is_aspired = version.number in wanted
                for number in wanted.keys() - managed.keys():
                    version = managed[number] = versions.Version(name, number, wanted[number])
                    self._publish(version.status(states.State.START))

    def _act(self) -> None:
        actions = [versions.next_action(self._managed[name].values()) for name in sorted(self._managed)]
        chosen = [version for version in actions if version is not None]
        unloads = [version for version in chosen if version.phase is versions.Phase.READY]
        if unloads:
            self._begin(unloads[0], versions.Phase.UNLOADING)
        elif chosen:
            self._begin(chosen[0], versions.Phase.LOADING)

    def _begin(self, version: versions.Version, phase: versions.Phase) -> None:
        version.phase = phase
        if phase is versions.Phase.UNLOADING:
            self._unloaders.run(lambda: self._unload(version))
            return
        with self._loaders_lock:
            loaders = self._loaders
            loaders.run(lambda: self._load(version))

    def _load(self, version: versions.Version) -> None:
        logs.log("core/basic_manager.cc", f"Successfully reserved resources to load servable {version.label}")
        self._publish(version.status(states.State.LOADING))
        try:
            version.load(self._settings.loaders[self._platforms[version.name]], self._retries)
        except errors.ServingError as error:
            # The original tells nobody about a load that was cancelled: such a version stays LOADING.
            if version.phase is versions.Phase.ERROR:
                self._publish(version.status(states.State.END, error))
            logs.log(
                _ASPIRED,
                f"Servable {version.label} cannot be loaded: {error.status_text}",
                severity=logs.Severity.ERROR,
            )
            return
        except MemoryError:
            _abort()
        with self._serving_lock:
            self._serving.setdefault(version.name, {})[version.number] = version
        self._publish(version.status(states.State.AVAILABLE))

    def _unload(self, version: versions.Version) -> None:
        self._publish(version.status(states.State.UNLOADING))
        with self._serving_lock:
            del self._serving[version.name][version.number]
        version.unload()
        self._publish(version.status(states.State.END))

    @contextlib.contextmanager
    def lease(
        self, name: str, number: int | None, label: str | None = None
    ) -> Iterator[tuple[versions.Version, savedmodel.SavedModel]]:
        """Hold a version in memory for one request; without a number, the highest that is available."""
        if label is not None:
            number = self._labels.version(name, label)
        version, model = self._acquire(name, number)
        try:
            yield version, model
        finally:
            version.release()

    def _acquire(self, name: str, number: int | None) -> tuple[versions.Version, savedmodel.SavedModel]:
        with self._serving_lock:
            serving = self._serving.get(name, {})
            found = max(serving, default=None) if number is None else number
            version = None if found is None else serving.get(found)
            model = None if version is None else version.acquire()
        if version is None or model is None:
            wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise errors.not_found(f"Servable not found for request: {wanted}")
        return version, model

    def statuses(self, name: str, number: int | None) -> list[states.Status]:
        """Return what is known of a model's versions, the highest first, or of one of them."""
        found = [
            status for status in self._monitor.statuses(name) if number is None or status.number == number
        ]
        if not found:
            if number is None:
                raise errors.not_found(f"Could not find any versions of model {name}")
            raise errors.not_found(f"Could not find version {number} of model {name}")
        return found


def _abort() -> None:
    """End as the C++ side does when memory that cannot be refused is refused."""
    sys.stderr.write(
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
    )
    sys.stderr.flush()
    os.abort()
