"""Everything that a decision about one ModelDeployment is made from, out of the caches: no request is sent."""

from collections.abc import Mapping

from tfserving_operator.api import reasons
from tfserving_operator.core import companions, observed, snapshot
from tfserving_operator.core.smoke import plans
from tfserving_operator.reconcile import caches as stores
from tfserving_operator.reconcile import objects


def gather(
    entry: objects.ModelDeployment,
    caches: stores.Caches,
    *,
    policy: snapshot.Policy,
    tests: Mapping[str, plans.TestState],
    refusals: tuple[snapshot.Refusal, ...],
    peaks: Mapping[str, int],
) -> snapshot.Snapshot:
    """The snapshot of one ModelDeployment: only what its UID controls, directly or down the chain."""
    uid, namespace = entry.owner.uid, entry.owner.namespace
    deployments = {d.meta.name: d for d in caches.deployments.owned_by(uid)}
    service = caches.services.get(namespace, entry.owner.name)
    return snapshot.Snapshot(
        owner=entry.owner,
        spec=entry.spec,
        spec_error=entry.spec_error,
        status=entry.status,
        policy=policy,
        deployments=deployments,
        config_maps={c.meta.name: c for c in caches.config_maps.owned_by(uid)},
        pods={name: _pods_of(deployment, caches) for name, deployment in deployments.items()},
        service=service if service is not None and service.meta.owner_uid == uid else None,
        budget=_owned(caches.budgets.get(namespace, entry.owner.name), uid),
        network_policy=_owned(caches.network_policies.get(namespace, entry.owner.name), uid),
        claim=caches.claims.get(namespace, entry.claim) if entry.claim else None,
        cases_versions={name: _cases_version(namespace, name, caches) for name in entry.cases_from},
        tests=tests,
        refusals=refusals,
        peaks=peaks,
        surroundings=_surroundings(entry, caches),
    )


def pod_names(entry: objects.ModelDeployment, caches: stores.Caches, revision: str) -> frozenset[str]:
    """The pods of a revision whose owner chain ends in the ModelDeployment's UID."""
    deployments = (d for d in caches.deployments.owned_by(entry.owner.uid) if d.meta.name == revision)
    return frozenset(pod.meta.name for each in deployments for pod in _pods_of(each, caches))


def _owned(found: companions.Companion | None, uid: str) -> companions.Companion | None:
    return found if found is not None and found.meta.owner_uid == uid else None


def _surroundings(entry: objects.ModelDeployment, caches: stores.Caches) -> snapshot.Surroundings:
    """What bounds the namespace's pods, for the decisions that ask: whether a revision may start."""
    candidate, namespace = entry.status.candidate_revision, entry.owner.namespace
    is_new = entry.status.observed_generation != entry.owner.generation
    if not is_new and (candidate is None or candidate.step is not reasons.Step.Validating):
        return snapshot.Surroundings()
    return snapshot.Surroundings(
        quotas=tuple(caches.quotas.in_namespace(namespace)),
        limit_ranges=tuple(caches.limit_ranges.in_namespace(namespace)),
        nodes=tuple(caches.nodes.in_namespace("")),
    )


def _pods_of(deployment: observed.Deployment, caches: stores.Caches) -> tuple[observed.Pod, ...]:
    pods = [
        pod
        for replica_set in caches.replica_sets.owned_by(deployment.meta.uid)
        for pod in caches.pods.owned_by(replica_set.meta.uid)
    ]
    return tuple(sorted(pods, key=lambda pod: (str(pod.created_at), pod.meta.name)))


def _cases_version(namespace: str, name: str, caches: stores.Caches) -> str:
    found = caches.cases.get(namespace, name)
    return found.resource_version if found is not None else ""
