"""Operators as processes, started by the command line."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.support import control_plane
from tfserving_operator.adapters.kube import resources


@dataclass(kw_only=True)
class Operator:
    """One process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, page: str) -> requests.Response:
        """One of its own pages."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"http://127.0.0.1:{self.port}/{page}", timeout=5)

    def is_ready(self) -> bool:
        """Whether it says so."""
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self.ask("readyz").status_code == 200
        except requests.ConnectionError:
            return False

    def count(self, name: str, *labels: str) -> float:
        """The sum of a metric over the series that hold all these words."""
        lines = self.ask("metrics").text.splitlines()
        found = [line for line in lines if line.startswith(name) and all(word in line for word in labels)]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait()


@dataclass(kw_only=True)
class Operators:
    """Starts operators that serve one namespace."""

    api: control_plane.ControlPlane
    namespace: str
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the configuration file."""
    started: list[Operator] = field(default_factory=list)

    def start(self, identity: str = "one", *, user: str = "tests", **environment: str) -> Operator:
        """Start one, and wait until it works or stands by."""
        (port,) = control_plane.free_ports(1)
        log = self.folder / f"{len(self.started)}.log"
        program = Path(sys.executable).with_name("tfserving-operator")
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump(dict(self.settings)))
        arguments: list[str | Path] = [
            "--config",
            config,
            "--kubeconfig",
            self.api.kubeconfigs[user],
            "--namespace",
            self.namespace,
            "--http-port",
            str(port),
        ]
        variables = {
            "TFSERVING_OPERATOR_IMAGE": "operator:test",
            "POD_NAMESPACE": self.namespace,
            "POD_NAME": identity,
            **environment,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, "run", *arguments],
                env=os.environ | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        operator = Operator(process=process, port=port, log=log)
        self.started.append(operator)
        wait_for(operator.is_ready)
        return operator

    def kill_all(self) -> None:
        """End what still runs."""
        for operator in self.started:
            if operator.process.poll() is None:
                operator.kill()

    def path(self, resource: resources.Resource, name: str = "") -> str:
        """The path of an object."""
        return resource.path(namespace=self.namespace, name=name)

    def read(self, resource: resources.Resource, name: str) -> Any:
        """An object."""
        return self.api.request("GET", self.path(resource, name))

    def list(self, resource: resources.Resource) -> list[Any]:
        """All objects of a kind."""
        items: list[Any] = self.api.request("GET", self.path(resource))["items"]
        return items

    def create_model(self, name: str = "digits", **spec: Any) -> Any:
        """A ModelDeployment."""
        manifest = {
            "apiVersion": resources.MODEL_DEPLOYMENTS.api_version,
            "kind": resources.MODEL_DEPLOYMENTS.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "model": {"uri": "pvc://models/digits", "version": 1},
                "server": {"image": "tensorflow/serving:2.19.1"},
                "resources": {"limits": {"memory": "512Mi"}},
                **spec,
            },
        }
        claim = {
            "metadata": {"name": "models"},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        if not self.list(resources.CLAIMS):
            self.api.request("POST", self.path(resources.CLAIMS), claim)
        return self.api.request("POST", self.path(resources.MODEL_DEPLOYMENTS), manifest)

    def make_ready_pod(self, deployment: Any, address: str) -> None:
        """What the controllers and the kubelet would make of a Deployment: a ReplicaSet, and one Ready pod."""
        above, kind, template = deployment, "Deployment", deployment["spec"]["template"]
        meta = {"name": f"{deployment['metadata']['name']}-1", "labels": template["metadata"]["labels"]}
        selector = {"matchLabels": template["metadata"]["labels"]}
        for resource, spec in (
            (resources.REPLICA_SETS, {"selector": selector, "template": template}),
            (resources.PODS, template["spec"]),
        ):
            owner = {
                "apiVersion": "apps/v1",
                "kind": kind,
                "name": above["metadata"]["name"],
                "uid": above["metadata"]["uid"],
                "controller": True,
            }
            body = {"metadata": {**meta, "ownerReferences": [owner]}, "spec": spec}
            above, kind = self.api.request("POST", self.path(resource), body), resource.kind
        condition = {"type": "Ready", "status": "True"}
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [condition],
        }
        path = f"{self.path(resources.PODS, meta['name'])}/status"
        self.api.request("PATCH", path, {"status": status}, patch=True)

    def patch_model(self, body: Any) -> Any:
        """A change by a user."""
        return self.api.request("PATCH", self.path(resources.MODEL_DEPLOYMENTS, "digits"), body, patch=True)


def wait_for(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Look until something truthy is seen."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)
    return seen
