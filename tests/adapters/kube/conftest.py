"""A namespace on the real API server."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from local.cluster import api as clusters
from tests.support import apiservers
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import login


@dataclass(frozen=True, kw_only=True)
class Place:
    """A namespace, and a client that reaches it."""

    namespace: str
    client: kube.Client
    account: login.Login


@pytest.fixture
def cluster() -> Iterator[clusters.Cluster]:
    """The throwaway cluster, this test's sockets in its network."""
    up = clusters.ensure_up()
    with apiservers.inside(up.netns):
        yield up


@pytest.fixture
async def place(cluster: clusters.Cluster) -> AsyncIterator[Place]:
    """A namespace of this test's own."""
    account = login.load(kubeconfig=cluster.kubeconfig, context=None)
    with apiservers.fresh_namespace(cluster) as namespace:
        async with apiservers.connected(account) as client:
            yield Place(namespace=namespace, client=client, account=account)
