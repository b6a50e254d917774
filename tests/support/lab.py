"""An operator as a process beside the throwaway cluster, with the chart's own rights, and what tests ask of both."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cluster import api as clusters
from local.demo import access as accesses
from local.demo import audit, installation, manifests, models
from local.progress import Progress
from tfserving_operator.api import constants

SYSTEM = "tfserving-e2e"
RELEASE = "tfserving-operator-e2e"
CLAIM = manifests.CLAIM
NAME = "digits"
RESOURCE = f"{constants.PLURAL}.{constants.GROUP}"

COLLECTED = pytest.StashKey[list[str]]()
"""Of the run: the end-to-end tests that were found, those that it leaves out among them."""

_OURS = "tfserving-e2e"
"""Label of what does not go with a namespace."""

_SEND_ROWS = """
import contextlib, sys, requests
with contextlib.suppress(requests.RequestException):
    requests.post(sys.argv[1], json={"instances": [[0.0] * 64] * int(sys.argv[2])}, timeout=30)
"""


GROUP = 64001
"""Of the operator's process, so that its packets can be told from the kubelet's."""


def restricted_namespace(name: str) -> dict[str, Any]:
    """A namespace in which the API server enforces Pod Security `restricted`."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


class NotInTimeError(AssertionError):
    """What was waited for did not come."""


def wait_for(what: str, look: Callable[[], Any], *, seconds: float = 60.0, every: float = 0.1) -> Any:
    """Look again and again until something truthy is seen."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise NotInTimeError(f"{what}: not within {seconds} s")
        time.sleep(every)


@dataclass
class Lab:
    """The cluster with images, CRD and rights, and an operator that a test may kill."""

    cluster: clusters.Cluster
    access: accesses.Access
    known: models.Models
    server_image: str
    operator_image: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    namespaces: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the operators that are started from now on, beside the lab's own."""
    log_offset: int = 0
    """Where the running operator's own lines begin in the log."""

    @property
    def user(self) -> str:
        """The operator, as the API server knows it."""
        return f"system:serviceaccount:{SYSTEM}:{RELEASE}"

    # The operator

    def install(self, image: str, *values: str, chart: Path | None = None) -> None:
        """Install the chart, or upgrade to it; the operator is a process of its own unless `replicas` are asked for."""
        self.apply(restricted_namespace(SYSTEM))
        repository, _, tag = image.rpartition(":")
        settings = (f"image.repository={repository}", f"image.tag={tag}", "replicas=0", "crds.keep=false")
        self.access.helm(
            *("upgrade", "--install", RELEASE, str(chart or installation.checkout() / installation.CHART)),
            *("--namespace", SYSTEM, "--create-namespace"),
            *(part for value in (*settings, *values) for part in ("--set", value)),
            *("--reset-values", "--wait", "--timeout", "120s"),
        )

    def start(self, *program: str | Path) -> None:
        """Start the operator, or another program in its place."""
        assert self.process is None
        log = self.folder / "operator.log"
        self.log_offset = log.stat().st_size if log.exists() else 0
        arguments = [
            *(program or (installation.checkout() / ".venv" / "bin" / "tfserving-operator",)),
            "run",
            "--kubeconfig",
            self._kubeconfig(),
            "--config",
            self._config(),
            "--log-format",
            "json",
        ]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                clusters.command(self.cluster, arguments),
                env=clusters.environment(self.cluster) | {"POD_NAME": "e2e", "POD_NAMESPACE": SYSTEM},
                stdout=output,
                stderr=subprocess.STDOUT,
                group=GROUP,
            )

    def candidate_tests(self) -> int:
        """How many smoke tests of candidates the operators have begun so far, by their log."""
        lines = (self.folder / "operator.log").read_text().splitlines()
        return sum('"purpose": "Candidate"' in line and "smoke test: started" in line for line in lines)

    def logged(self, event: str, namespace: str, name: str = NAME) -> list[dict[str, Any]]:
        """The lines of the operators' logs of one kind about one ModelDeployment, in order."""
        lines = (self.folder / "operator.log").read_text().splitlines()
        read = (json.loads(line) for line in lines if line.startswith("{"))
        return [
            line
            for line in read
            if (line["event"], line.get("namespace"), line.get("name")) == (event, namespace, name)
        ]

    def wait_synced(self) -> None:
        """Wait until the running operator has filled its caches."""
        log = self.folder / "operator.log"
        wait_for("the caches", lambda: b"caches are filled" in log.read_bytes()[self.log_offset :])

    def kill(self) -> None:
        """End the operator as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the operator in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def _config(self) -> Path:
        path = self.folder / "config.yaml"
        settings = {"inspectImage": self.operator_image, "drainSeconds": 2, "httpPort": 0, **self.settings}
        path.write_text(yaml.safe_dump(settings))
        return path

    def _kubeconfig(self) -> Path:
        """A kubeconfig with a token of the chart's service account."""
        return self.kubeconfig_of(SYSTEM, RELEASE)

    def kubeconfig_of(self, namespace: str, account: str) -> Path:
        """A kubeconfig with a token of a service account."""
        token = self.access.kubectl("create", "token", account, "-n", namespace, "--duration=3h").strip()
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
        path = self.folder / f"kubeconfig-{namespace}-{account}"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path

    # Namespaces and objects

    def make_namespace(self, name: str, *, folder: Path | None = None) -> None:
        """Create a restricted namespace with a claim on the models."""
        self.namespaces.append(name)
        self.apply(restricted_namespace(name))
        self.apply(*self.volume(name, CLAIM, folder or self.known.folder))
        self.wait_bound(name, CLAIM)

    def delete_namespaces(self, names: Iterable[str]) -> None:
        """Delete namespaces and wait until their pods are gone."""
        gone = list(names)
        self.namespaces = [name for name in self.namespaces if name not in gone]
        if gone:
            self.access.kubectl("delete", "namespace", *gone, "--ignore-not-found", "--timeout=120s")

    def wait_bound(self, namespace: str, claim: str) -> None:
        """Wait until a claim has its volume."""
        self.access.kubectl(
            *(
                "wait",
                "--for=jsonpath={.status.phase}=Bound",
                f"persistentvolumeclaim/{claim}",
                "-n",
                namespace,
            )
        )

    def volume(
        self, namespace: str, claim: str, folder: Path, mode: str = "ReadOnlyMany"
    ) -> list[dict[str, Any]]:
        """A volume of a folder of the node, and its claim."""
        size = {"storage": "1Gi"}
        shared = {"accessModes": [mode], "storageClassName": ""}
        where = {"namespace": namespace, "name": claim}
        return [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"{namespace}-{claim}", "labels": {_OURS: "true"}},
                "spec": {
                    "capacity": size,
                    "persistentVolumeReclaimPolicy": "Retain",
                    "claimRef": where,
                    "hostPath": {"path": str(folder), "type": "Directory"},
                    **shared,
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": where,
                "spec": {"volumeName": f"{namespace}-{claim}", "resources": {"requests": size}, **shared},
            },
        ]

    def resource(self, namespace: str, version: int, **spec: Any) -> dict[str, Any]:
        """A ModelDeployment of a version of the digits, with a short bake."""
        made = manifests.model_deployment(version, known=self.known, image=self.server_image)
        made["metadata"] = {"name": NAME, "namespace": namespace}
        made["spec"]["rollout"] = {"bakeSeconds": 4, "progressDeadlineSeconds": 60}
        made["spec"]["smoke"] |= {"repeatSeconds": 0, "load": {"requests": 8, "concurrency": 2}}
        made["spec"] |= spec
        return made

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects on the server's side."""
        self.access.apply(*objects)

    def get(self, kind: str, namespace: str, name: str = NAME) -> dict[str, Any]:
        """An object, {} when it is not there."""
        said = self.access.kubectl("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json")
        return json.loads(said) if said else {}

    def names(self, kinds: str, namespace: str) -> list[str]:
        """Names of our objects of some kinds, as kind/name."""
        selector = f"{constants.LABEL_MANAGED_BY}={constants.MANAGED_BY}"
        return self.access.kubectl("get", kinds, "-n", namespace, "-l", selector, "-o", "name").split()

    # Status

    def status(self, namespace: str, name: str = NAME) -> dict[str, Any]:
        """The status of a ModelDeployment when it is of the present generation, else {}."""
        found = self.get(RESOURCE, namespace, name)
        status = found.get("status", {})
        return (
            status if status.get("observedGeneration") == found.get("metadata", {}).get("generation") else {}
        )

    def condition(self, namespace: str, kind: str, name: str = NAME) -> dict[str, Any]:
        """A condition of the present generation, or {}."""
        conditions = self.status(namespace, name).get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {})

    def wait_condition(
        self, namespace: str, kind: str, reason: str, *, name: str = NAME, seconds: float = 90.0
    ) -> dict[str, Any]:
        """Wait until a condition has a reason."""

        def look() -> dict[str, Any] | None:
            found = self.condition(namespace, kind, name)
            return found if found.get("reason") == reason else None

        try:
            return dict(wait_for(f"{kind} with reason {reason}", look, seconds=seconds))
        except NotInTimeError as error:
            raise NotInTimeError(
                f"{error}; the status is {json.dumps(self.status(namespace, name))}"
            ) from None

    def selected(self, namespace: str) -> str:
        """The revision that the Service selects."""
        return str(
            self.get("service", namespace).get("spec", {}).get("selector", {}).get(constants.LABEL_REVISION)
        )

    # Requests

    def send_rows(self, namespace: str, rows: int) -> None:
        """Send one batch of black pictures through the Service; whether it is answered does not matter."""
        service = self.get("service", namespace)["spec"]
        url = f"http://{service['clusterIP']}:{constants.PORT_REST}/v1/models/digits:predict"
        clusters.run(
            self.cluster, [sys.executable, "-c", _SEND_ROWS, url, str(rows)], capture_output=True, timeout=60
        )

    # The audit log

    def entries(self, *, since: float) -> list[audit.Entry]:
        """The operator's own requests from a moment on (Unix seconds)."""
        return [e for e in audit.read(self.cluster.audit_log, since=since) if e.user == self.user]

    def in_network(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in the cluster's network."""
        return clusters.run(self.cluster, argv, capture_output=True, **options)


def build(folder: Path) -> Lab:
    """Bring cluster, images, models, CRD and rights up."""
    progress = Progress(name="e2e")
    cluster = clusters.ensure_up()
    operator, server = installation.operator_build(), installation.server_build()
    installation.load_images(cluster, progress, operator, server)
    reached = accesses.of_local(cluster)
    lab = Lab(
        cluster=cluster,
        access=reached,
        known=models.ensure(progress),
        server_image=server.name,
        operator_image=operator.name,
        folder=folder,
    )
    lab.install(operator.name)
    return lab


def clean(lab: Lab) -> None:
    """Take away what the tests made."""
    lab.stop()
    for name in lab.namespaces:
        lab.access.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    for name in lab.namespaces:
        lab.access.kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=120s")
    lab.access.kubectl("delete", "persistentvolume", "-l", _OURS)
    lab.access.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--ignore-not-found", "--wait")
    lab.access.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found")
