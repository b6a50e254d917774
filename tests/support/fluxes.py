"""Flux's real kustomize-controller beside the throwaway cluster, and a stand-in for its source-controller.

The stand-in is `git archive` of a real Git repository, served over HTTP and named in a GitRepository's status.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.cluster import api as clusters
from local.gitops import tools
from tests.support import lab as labs

SYSTEM = "flux-system"
ACCOUNT = "kustomize-controller"
USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
NAME = "models"
"""Of the GitRepository and of the Kustomization."""
_SOURCES = {
    "gitrepositories": "GitRepository",
    "ocirepositories": "OCIRepository",
    "buckets": "Bucket",
}
"""The kinds that the controller watches; their own definitions come with source-controller."""
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Team"), ("EMAIL", "team@example.org"))
}


def _source_definition(plural: str, kind: str) -> dict[str, Any]:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": free, "status": free}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    group = "source.toolkit.fluxcd.io"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


@dataclass
class Flux:
    """A running controller and one Git repository that it follows."""

    lab: labs.Lab
    repository: Path
    served: Path
    url: str
    namespace: str
    log: Path

    def write(self, path: str, made: Any) -> None:
        """Write a YAML file of the repository."""
        file = self.repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(made, sort_keys=False))

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *arguments],
            cwd=self.repository,
            env=os.environ | _IDENTITY | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit all that was written and publish it."""
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        return self.publish()

    def revert(self) -> str:
        """Revert the last commit and publish that."""
        self.git("revert", "--no-edit", "HEAD")
        return self.publish()

    def publish(self) -> str:
        """Do as source-controller does with a new commit, and return the revision."""
        commit = self.git("rev-parse", "HEAD")
        archive = self.served / f"{commit}.tar.gz"
        self.git("archive", "--format=tar.gz", f"--output={archive}", "HEAD")
        data, revision = archive.read_bytes(), f"main@sha1:{commit}"
        artifact = {
            "path": archive.name,
            "url": f"{self.url}/{archive.name}",
            "revision": revision,
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            "size": len(data),
            "lastUpdateTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self.lab.access.kubectl(
            *("patch", "gitrepository", NAME, "-n", self.namespace, "--subresource=status", "--type=merge"),
            *("-p", json.dumps({"status": {"artifact": artifact}})),
        )
        return revision

    def follow(self, path: str, *, timeout_seconds: int, interval_seconds: int) -> None:
        """Have the controller apply a folder of the repository, and wait for the health of all in it."""
        where = {"name": NAME, "namespace": self.namespace}
        source = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": where,
            "spec": {"interval": "1m", "url": "https://git.example.org/models"},
        }
        kustomization = {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": where,
            "spec": {
                "interval": f"{interval_seconds}s",
                "timeout": f"{timeout_seconds}s",
                "path": path,
                "prune": True,
                "wait": True,
                "sourceRef": {"kind": "GitRepository", "name": NAME},
            },
        }
        self.lab.apply(source, kustomization)

    def reconcile(self) -> None:
        """Have the controller look again, as `flux reconcile` does, and wait until it has."""
        asked = str(time.time_ns())
        where = ("kustomization", NAME, "-n", self.namespace)
        annotation = f"reconcile.fluxcd.io/requestedAt={asked}"
        self.lab.access.kubectl("annotate", *where, annotation, "--overwrite")

        def is_handled() -> bool:
            status = self.lab.get("kustomization", self.namespace, NAME).get("status", {})
            return bool(status.get("lastHandledReconcileAt") == asked)

        labs.wait_for("another look of Flux", is_handled, seconds=120, every=0.3)

    def ready(self, revision: str) -> dict[str, Any]:
        """The Kustomization's Ready condition once it is about a revision, else {}."""
        found = self.lab.get("kustomization", self.namespace, NAME)
        status = found.get("status", {})
        if status.get("lastAttemptedRevision") != revision:
            return {}
        return next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})

    def wait(self, revision: str, reason: str, *, seconds: float = 240.0) -> dict[str, Any]:
        """Wait until the Kustomization's Ready condition has a reason, about a revision."""

        def look() -> dict[str, Any] | None:
            found = self.ready(revision)
            return found if found.get("reason") == reason else None

        try:
            return dict(labs.wait_for(f"Kustomization {reason}", look, seconds=seconds, every=0.3))
        except labs.NotInTimeError as error:
            status = json.dumps(self.lab.status(self.namespace))
            raise labs.NotInTimeError(
                f"{error}; {self.ready(revision)}; the model's status is {status}"
            ) from None


@contextmanager
def running(lab: labs.Lab, folder: Path, namespace: str) -> Iterator[Flux]:
    """Flux with its definitions and rights; all of it is gone afterwards."""
    controller = tools.ensure_flux()
    definitions = [_source_definition(plural, kind) for plural, kind in _SOURCES.items()]
    files = [yaml.safe_load(path.read_text()) for path in sorted(tools.flux_definitions().glob("*.yaml"))]
    lab.apply(*definitions, *files, *_rights())
    repository, served = folder / "repository", folder / "served"
    repository.mkdir()
    served.mkdir()
    processes: list[subprocess.Popen[str]] = []
    try:
        server = _start_server(lab, served)
        processes.append(server)
        assert server.stdout is not None
        port = re.search(r" port (\d+) ", server.stdout.readline())
        assert port is not None
        log = folder / "kustomize-controller.log"
        processes.append(_start_controller(lab, controller, folder, log))
        flux = Flux(
            lab=lab,
            repository=repository,
            served=served,
            url=f"http://127.0.0.1:{port[1]}",
            namespace=namespace,
            log=log,
        )
        flux.git("init", "--quiet")
        yield flux
    finally:
        _forget(lab, namespace)
        for process in reversed(processes):
            process.terminate()
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()
        _remove(lab, [d["metadata"]["name"] for d in (*definitions, *files)])


def _start_server(lab: labs.Lab, served: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", served]
    return subprocess.Popen(
        clusters.command(lab.cluster, command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _start_controller(lab: labs.Lab, controller: Path, folder: Path, log: Path) -> "subprocess.Popen[str]":
    kubeconfig = folder / "kubeconfig"
    token = lab.access.kubectl("create", "token", ACCOUNT, "-n", SYSTEM, "--duration=1h").strip()
    config = yaml.safe_load(lab.cluster.kubeconfig.read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    kubeconfig.write_text(yaml.safe_dump(config))
    kubeconfig.chmod(0o600)
    arguments = ["--metrics-addr=0", "--health-addr=0", "--no-remote-bases", "--http-retry=1"]
    with log.open("ab") as output:
        return subprocess.Popen(
            clusters.command(lab.cluster, [controller, *arguments]),
            env=clusters.environment(lab.cluster)
            | {"KUBECONFIG": str(kubeconfig), "RUNTIME_NAMESPACE": SYSTEM},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def _rights() -> list[dict[str, Any]]:
    """As Flux's own installation gives them: it applies whatever is in Git."""
    where = {"name": ACCOUNT, "namespace": SYSTEM}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": where},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "flux-e2e"},
            "subjects": [{"kind": "ServiceAccount", **where}],
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        },
    ]


def _forget(lab: labs.Lab, namespace: str) -> None:
    """Delete the Kustomization while its controller is there to end its finalizer."""
    where = ("kustomization", NAME, "-n", namespace)
    lab.access.kubectl("delete", *where, "--ignore-not-found", "--timeout=60s", check=False)
    endless = '{"metadata":{"finalizers":null}}'
    lab.access.kubectl("patch", *where, "--type=merge", "-p", endless, check=False)


def _remove(lab: labs.Lab, definitions: list[str]) -> None:
    lab.access.kubectl("delete", "crd", *definitions, "--ignore-not-found", "--wait=false")
    lab.access.kubectl("delete", "clusterrolebinding", "flux-e2e", "--ignore-not-found")
    lab.access.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--wait=false")
