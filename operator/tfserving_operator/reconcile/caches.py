"""Every store of the operator, and whom a change in each of them wakes."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.core import companions, observed, snapshot, surroundings
from tfserving_operator.reconcile import objects, queue, reflector, stores

OURS: Final = f"{constants.LABEL_MANAGED_BY}={constants.MANAGED_BY}"
SMOKE_CASES: Final = f"{constants.LABEL_SMOKE_CASES}=true"

Wake = Callable[[queue.Key, queue.Urgency], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CasesMap:
    """A user's ConfigMap with smoke cases: only whether it has changed."""

    meta: observed.ObjectMeta
    resource_version: str


def cases_map_from_raw(raw: Mapping[str, Any]) -> CasesMap:
    """The projection of a ConfigMap's metadata."""
    meta = observed.meta_from_raw(raw)
    return CasesMap(meta=meta, resource_version=meta.resource_version)


class Caches:
    """What is known of the cluster."""

    def __init__(self, *, wake: Wake, on_gone: Callable[[objects.ModelDeployment], None]) -> None:
        self._wake = wake
        self.objects = objects.Objects(wake=partial(self._wake_object, wake), on_gone=on_gone)
        self.pods = stores.Store(observed.pod_from_raw, self._on_pod)
        self.replica_sets = stores.Store(observed.replica_set_from_raw, self._on_child)
        self.deployments = stores.Store(observed.deployment_from_raw, self._on_child)
        self.services = stores.Store(observed.service_from_raw, self._on_child)
        self.config_maps = stores.Store(observed.config_map_from_raw, self._on_child)
        self.budgets = stores.Store(companions.companion_from_raw, self._on_child)
        self.network_policies = stores.Store(companions.companion_from_raw, self._on_child)
        self.claims = stores.Store(observed.claim_from_raw, self._on_claim)
        self.cases = stores.Store(cases_map_from_raw, self._on_cases)
        self.quotas = stores.Store(surroundings.resource_quota_from_raw, self._on_room)
        self.limit_ranges = stores.Store(surroundings.limit_range_from_raw, self._on_room)
        self.nodes = stores.Store(surroundings.node_from_raw, self._on_room)

    def store_of(self, kind: str) -> stores.Store[Any]:
        """The store of a kind that decisions write."""
        written: dict[str, stores.Store[Any]] = {
            "Deployment": self.deployments,
            "Service": self.services,
            "ConfigMap": self.config_maps,
            "PodDisruptionBudget": self.budgets,
            "NetworkPolicy": self.network_policies,
        }
        return written[kind]

    @staticmethod
    def _wake_object(wake: Wake, key: queue.Key) -> None:
        wake(key, queue.Urgency.Soon)

    def _on_child(self, old: stores.HasMeta | None, new: stores.HasMeta | None) -> None:
        self._wake_owner(old, new, queue.Urgency.Soon)

    def _on_pod(self, old: observed.Pod | None, new: observed.Pod | None) -> None:
        urgent = old is None or new is None or _health(old) != _health(new)
        self._wake_owner(old, new, queue.Urgency.Now if urgent else queue.Urgency.Soon)

    def _on_claim(self, old: observed.Claim | None, new: observed.Claim | None) -> None:
        meta = _meta(old, new)
        for key in self.objects.users_of_claim(meta.namespace, meta.name):
            self._wake(key, queue.Urgency.Soon)

    def _on_cases(self, old: CasesMap | None, new: CasesMap | None) -> None:
        meta = _meta(old, new)
        for key in self.objects.users_of_cases(meta.namespace, meta.name):
            self._wake(key, queue.Urgency.Soon)

    def _on_room(self, old: stores.HasMeta | None, new: stores.HasMeta | None) -> None:
        """Look again at those that have not started: what they waited for may be there."""
        for key in self.objects.waiting(_meta(old, new).namespace):
            self._wake(key, queue.Urgency.Soon)

    def _wake_owner(
        self, old: stores.HasMeta | None, new: stores.HasMeta | None, urgency: queue.Urgency
    ) -> None:
        # The label only says whom to wake: what belongs to whom is decided by owner UIDs, in `gather`.
        for name in {
            p.meta.model_deployment for p in (old, new) if p is not None and p.meta.model_deployment
        }:
            key = queue.Key(_meta(old, new).namespace, name)
            if self.objects.get(key) is not None:
                self._wake(key, urgency)


def _meta(old: stores.HasMeta | None, new: stores.HasMeta | None) -> observed.ObjectMeta:
    projection = new if new is not None else old
    assert projection is not None
    return projection.meta


def _health(pod: observed.Pod) -> tuple[object, ...]:
    """What traffic depends on."""
    ends = tuple((c.name, c.restart_count, c.terminated, c.last_terminated) for c in pod.containers)
    return pod.ready, pod.phase, pod.reason, pod.meta.deleting, ends


def build_reflectors(
    caches: Caches,
    *,
    client: kube.Client,
    clock: clocks.Clock,
    chance: random.Random,
    observer: reflector.Observer,
    policy: snapshot.Policy,
    namespaces: Iterable[str] = (),
) -> tuple[reflector.Reflector, ...]:
    """One reflector for each kind, and for each namespace where only some are watched.

    kopf watches the ModelDeployments; they are listed here too, at the start and from time to time, because a
    watch that was lost and begun again does not tell of what was deleted meanwhile.
    """
    build = partial(reflector.Reflector, client=client, clock=clock, chance=chance, observer=observer)
    # Where only namespaces are watched, the operator may have no right on nodes: their room is then not judged
    found = [] if tuple(namespaces) else [build(resource=resources.NODES, sink=caches.nodes)]
    for namespace in tuple(namespaces) or ("",):
        children = (
            (resources.DEPLOYMENTS, caches.deployments, False),
            (resources.REPLICA_SETS, caches.replica_sets, True),
            (resources.PODS, caches.pods, False),
            (resources.SERVICES, caches.services, False),
            (resources.CONFIG_MAPS, caches.config_maps, True),
            # What the installation has no use for, the operator has no rights on either
            *(((resources.BUDGETS, caches.budgets, False),) if policy.disruption_budgets else ()),
            *(((resources.NETWORK_POLICIES, caches.network_policies, False),) if policy.network else ()),
        )
        found += [
            build(resource=resource, sink=sink, selector=OURS, metadata_only=metadata, namespace=namespace)
            for resource, sink, metadata in children
        ]
        found += [
            build(
                resource=resources.CONFIG_MAPS,
                sink=caches.cases,
                selector=SMOKE_CASES,
                metadata_only=True,
                namespace=namespace,
            ),
            build(resource=resources.CLAIMS, sink=caches.claims, namespace=namespace),
            build(resource=resources.RESOURCE_QUOTAS, sink=caches.quotas, namespace=namespace),
            build(resource=resources.LIMIT_RANGES, sink=caches.limit_ranges, namespace=namespace),
            build(
                resource=resources.MODEL_DEPLOYMENTS, sink=caches.objects, watches=False, namespace=namespace
            ),
        ]
    return tuple(found)
