"""What is known of the objects of one kind: their projections, never older than what was seen before."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeVar

import structlog

from tfserving_operator.core import observed

_log = structlog.stdlib.get_logger(__name__)

Raw = Mapping[str, Any]


class HasMeta(Protocol):
    """Any projection."""

    @property
    def meta(self) -> observed.ObjectMeta:
        """Its metadata."""
        ...


P = TypeVar("P", bound=HasMeta)


def version_number(resource_version: str) -> int:
    """A resource version as a number; the API's storage counts them up."""
    return int(resource_version) if resource_version.isdecimal() else 0


class Sink(Protocol):
    """Where lists and watches of one kind are told."""

    def apply(self, raw: Raw) -> None:
        """An object as it is now."""
        ...

    def remove(self, raw: Raw) -> None:
        """An object's last state."""
        ...

    def prune(self, uids: AbstractSet[str], *, resource_version: str, namespace: str) -> None:
        """A list of a namespace ("" for the cluster) at that resource version held these, and no others."""
        ...


class Store(Generic[P]):
    """Projections of one kind, by name and by controlling owner.

    The answers of our own writes are applied too, so that what was written is seen by the next decision; a
    late watch event with an older resource version is then passed over. A listener hears of changes of
    projections only.
    """

    def __init__(self, project: Callable[[Raw], P], on_change: Callable[[P | None, P | None], None]) -> None:
        self._project = project
        self._on_change = on_change
        self._objects: dict[tuple[str, str], P] = {}
        self._by_owner: dict[str, dict[tuple[str, str], P]] = {}
        self._deleted: dict[str, str] = {}
        """Namespace by UID."""

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._objects)

    def get(self, namespace: str, name: str) -> P | None:
        """One object."""
        return self._objects.get((namespace, name))

    def in_namespace(self, namespace: str) -> Iterable[P]:
        """The objects of a namespace, "" for those that are in none."""
        return (each for (place, _), each in self._objects.items() if place == namespace)

    def owned_by(self, uid: str) -> Iterable[P]:
        """The objects that this UID controls."""
        return self._by_owner.get(uid, {}).values()

    def apply(self, raw: Raw) -> None:
        """An object as it is now, unless a newer state of it is known."""
        try:
            new = self._project(raw)
        except (KeyError, TypeError, ValueError, AttributeError):
            # One object that is not as the API promises must not blind us to all others.
            _log.exception("an object cannot be read", metadata=raw.get("metadata"))
            return
        if new.meta.uid in self._deleted:
            return
        place = (new.meta.namespace, new.meta.name)
        old = self._objects.get(place)
        if old is not None and _number(new) <= _number(old):
            return
        self._put(place, old, new)
        if old != new:
            self._on_change(old, new)

    def remove(self, raw: Raw) -> None:
        """An object is gone."""
        meta = observed.meta_from_raw(raw)
        self._deleted.pop(meta.uid, None)
        self._drop((meta.namespace, meta.name), meta.uid)

    def forget(self, *, namespace: str, name: str, uid: str) -> None:
        """We have deleted the object: what a late watch event says of it is passed over."""
        self._deleted[uid] = namespace
        self._drop((namespace, name), uid)

    def prune(self, uids: AbstractSet[str], *, resource_version: str, namespace: str) -> None:
        """A list held these, and no others: drop what it would have held."""
        # What a list taken after the deletion no longer holds, no watch event will speak of again.
        self._deleted = {
            uid: place for uid, place in self._deleted.items() if uid in uids or place != (namespace or place)
        }
        listed_at = version_number(resource_version)
        gone = [
            (place, old.meta.uid)
            for place, old in self._objects.items()
            if old.meta.uid not in uids and place[0] == (namespace or place[0]) and _number(old) <= listed_at
        ]
        for place, uid in gone:
            self._drop(place, uid)

    def _put(self, place: tuple[str, str], old: P | None, new: P) -> None:
        if old is not None and old.meta.owner_uid != new.meta.owner_uid:
            self._unlink(place, old)
        self._objects[place] = new
        self._by_owner.setdefault(new.meta.owner_uid, {})[place] = new

    def _drop(self, place: tuple[str, str], uid: str) -> None:
        old = self._objects.get(place)
        if old is None or old.meta.uid != uid:
            return
        del self._objects[place]
        self._unlink(place, old)
        self._on_change(old, None)

    def _unlink(self, place: tuple[str, str], old: P) -> None:
        siblings = self._by_owner[old.meta.owner_uid]
        del siblings[place]
        if not siblings:
            del self._by_owner[old.meta.owner_uid]


def _number(projection: HasMeta) -> int:
    return version_number(projection.meta.resource_version)
