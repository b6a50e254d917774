"""The ModelDeployments themselves, as users and we wrote them last."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pydantic
import structlog

from tfserving_operator.api import reasons, status, types
from tfserving_operator.core import observed, snapshot, sources
from tfserving_operator.reconcile import queue, stores

Raw = Mapping[str, Any]
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelDeployment:
    """One ModelDeployment, parsed."""

    owner: snapshot.Owner
    resource_version: str
    deleting: bool
    spec: types.Spec | None
    """None when it cannot be read; `spec_error` says why."""
    spec_error: str
    status: status.Status
    unreadable: Mapping[str, Any] | None
    """What stands in `.status` where that cannot be read; `status` is empty then."""
    claim: str
    """Name of the PersistentVolumeClaim of `model.uri`, or ""."""
    cases_from: tuple[str, ...]
    """Names of the ConfigMaps of `smoke.casesFrom`."""

    @property
    def wire(self) -> Mapping[str, Any]:
        """What stands in `.status`, fields of a newer operator left out: a merge patch starts from it."""
        return self.status.to_wire() if self.unreadable is None else self.unreadable

    @property
    def key(self) -> queue.Key:
        """Where it waits for a worker."""
        return queue.Key(self.owner.namespace, self.owner.name)


def parse(raw: Raw, before: ModelDeployment | None = None) -> ModelDeployment:
    """A ModelDeployment from the API's JSON; the spec of the same generation is not parsed again."""
    meta = raw["metadata"]
    owner = snapshot.Owner(
        name=meta["name"], namespace=meta["namespace"], uid=meta["uid"], generation=meta.get("generation", 0)
    )
    if before is not None and before.owner == owner:
        spec, spec_error = before.spec, before.spec_error
        claim, cases_from = before.claim, before.cases_from
    else:
        spec, spec_error = _parse_spec(raw)
        claim = _claim_of(spec)
        cases_from = tuple(source.config_map.name for source in spec.smoke.cases_from) if spec else ()
    known, unreadable = _parse_status(raw)
    return ModelDeployment(
        owner=owner,
        resource_version=meta["resourceVersion"],
        deleting="deletionTimestamp" in meta,
        spec=spec,
        spec_error=spec_error,
        status=known,
        unreadable=unreadable,
        claim=claim,
        cases_from=cases_from,
    )


def _parse_spec(raw: Raw) -> tuple[types.Spec | None, str]:
    try:
        return types.parse_spec(raw.get("spec") or {}), ""
    except ValueError as error:
        return None, str(error)


def _parse_status(raw: Raw) -> tuple[status.Status, Mapping[str, Any] | None]:
    written = raw.get("status") or {}
    try:
        known = status.Status.model_validate(written)
    except pydantic.ValidationError as error:
        # Somebody else's hand: start from nothing, and take away what is there.
        meta = raw["metadata"]
        _log.warning(
            "the status cannot be read", namespace=meta["namespace"], name=meta["name"], error=str(error)
        )
        return status.Status(), written
    return known, None


def _claim_of(spec: types.Spec | None) -> str:
    if spec is None:
        return ""
    try:
        return sources.parse(spec.model.uri).claim
    except ValueError:
        return ""  # validation tells the user


class Objects:
    """All ModelDeployments, and which of them a claim or a ConfigMap matters to.

    Told by the watch, by the periodic list and by the answers to our own status writes: the newest wins.
    """

    def __init__(
        self, *, wake: Callable[[queue.Key], None], on_gone: Callable[[ModelDeployment], None]
    ) -> None:
        self._wake = wake
        self._on_gone = on_gone
        self._objects: dict[queue.Key, ModelDeployment] = {}
        self._by_claim: dict[tuple[str, str], set[queue.Key]] = {}
        self._by_cases: dict[tuple[str, str], set[queue.Key]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._objects)

    def all(self) -> tuple[ModelDeployment, ...]:
        """All of them; this may be asked for from another thread."""
        return tuple(self._objects.values())

    def get(self, key: queue.Key) -> ModelDeployment | None:
        """One ModelDeployment."""
        return self._objects.get(key)

    def users_of_claim(self, namespace: str, name: str) -> Iterable[queue.Key]:
        """Those whose model is on that claim."""
        return tuple(self._by_claim.get((namespace, name), ()))

    def waiting(self, namespace: str) -> Iterable[queue.Key]:
        """Those of a namespace ("" for all) whose candidate has not started."""
        return tuple(
            key
            for key, entry in self._objects.items()
            if namespace in ("", key.namespace)
            and (candidate := entry.status.candidate_revision) is not None
            and candidate.step is reasons.Step.Validating
        )

    def users_of_cases(self, namespace: str, name: str) -> Iterable[queue.Key]:
        """Those whose smoke cases are in that ConfigMap."""
        return tuple(self._by_cases.get((namespace, name), ()))

    def apply(self, raw: Raw) -> None:
        """A ModelDeployment as it is now, unless a newer state of it is known."""
        meta = raw["metadata"]
        key = queue.Key(meta["namespace"], meta["name"])
        old = self._objects.get(key)
        if old is not None and _number(meta["resourceVersion"]) <= _number(old.resource_version):
            return
        new = parse(raw, old)
        if old is not None and old.owner.uid != new.owner.uid:
            self._unlink(old)
            self._on_gone(old)
            old = None
        elif old is not None and (old.claim, old.cases_from) != (new.claim, new.cases_from):
            self._unlink(old)
        self._objects[key] = new
        self._link(new)
        if old is None or _is_news(old, new):
            self._wake(key)

    def remove(self, raw: Raw) -> None:
        """A ModelDeployment is gone."""
        meta = observed.meta_from_raw(raw)
        self._drop(queue.Key(meta.namespace, meta.name), meta.uid)

    def forget(self, entry: ModelDeployment) -> None:
        """A request has shown that it is gone."""
        self._drop(entry.key, entry.owner.uid)

    def prune(self, uids: AbstractSet[str], *, resource_version: str, namespace: str) -> None:
        """A list held these, and no others: drop what it would have held."""
        listed_at = _number(resource_version)
        gone = [
            entry
            for key, entry in self._objects.items()
            if entry.owner.uid not in uids
            and key.namespace == (namespace or key.namespace)
            and _number(entry.resource_version) <= listed_at
        ]
        for entry in gone:
            self.forget(entry)

    def _drop(self, key: queue.Key, uid: str) -> None:
        old = self._objects.get(key)
        if old is None or old.owner.uid != uid:
            return
        del self._objects[key]
        self._unlink(old)
        self._on_gone(old)

    def _link(self, entry: ModelDeployment) -> None:
        if entry.claim:
            self._by_claim.setdefault((entry.owner.namespace, entry.claim), set()).add(entry.key)
        for name in entry.cases_from:
            self._by_cases.setdefault((entry.owner.namespace, name), set()).add(entry.key)

    def _unlink(self, entry: ModelDeployment) -> None:
        places = [(self._by_claim, entry.claim), *((self._by_cases, name) for name in entry.cases_from)]
        for index, name in places:
            place = (entry.owner.namespace, name)
            if keys := index.get(place):
                keys.discard(entry.key)
                if not keys:
                    del index[place]


def _number(resource_version: str) -> int:
    return stores.version_number(resource_version)


def _is_news(old: ModelDeployment, new: ModelDeployment) -> bool:
    return (old.owner, old.deleting, old.status, old.unreadable) != (
        new.owner,
        new.deleting,
        new.status,
        new.unreadable,
    )
