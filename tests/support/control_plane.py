"""etcd and kube-apiserver alone, on loopback: a real API for tests of what speaks to it, with nobody else in it.

The throwaway cluster has controllers, and perhaps an operator of its own, that would have a say in these tests.
"""

import secrets
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from local import progress
from local.cluster import binaries
from tfserving_operator.adapters.kube import login

READY_SECONDS = 60.0
USERS = ("tests", "one", "two")
"""Administrators all, told apart by the audit log; `tests` is the tests' own."""
_AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, resources: [{resources: [secrets]}, {group: admissionregistration.k8s.io}]}
- {level: None, verbs: [get, list, watch]}
- {level: Request, resources: [{group: coordination.k8s.io, resources: [leases]}]}
- {level: Metadata}
"""
CRD = Path(__file__).parents[2] / "crds" / "modeldeployments.yaml"


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """A running API server."""

    account: login.Login
    kubeconfig: Path
    kubeconfigs: Mapping[str, Path]
    """By user."""
    audit_log: Path
    """Of all writes."""
    session: requests.Session
    server: "Program"

    def request(self, method: str, path: str, body: Any = None, *, patch: bool = False) -> Any:
        """One request as the administrator."""
        headers = {"Content-Type": "application/merge-patch+json"} if patch else {}
        answer = self.session.request(
            method, self.account.server + path, json=body, headers=headers, timeout=30
        )
        answer.raise_for_status()
        return answer.json()

    def restart(self, away_seconds: float) -> None:
        """Kill the API server and bring it back."""
        self.server.stop()
        time.sleep(away_seconds)
        self.server.start()
        _wait_ready(Path(str(self.session.verify)), self.account.server, self.server.log)

    def install_crd(self) -> None:
        """Install our CRD, and wait until it is served."""
        manifest = yaml.safe_load(CRD.read_text())
        self.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", manifest)
        end = time.monotonic() + READY_SECONDS
        while (
            self.session.get(
                f"{self.account.server}/apis/tfserving.dev/v1alpha1/modeldeployments"
            ).status_code
            != 200
        ):
            assert time.monotonic() < end, "the CRD is not served"
            time.sleep(0.1)

    @contextmanager
    def fresh_namespace(self) -> Iterator[str]:
        """A namespace of its own for one test; there is no controller that could empty it afterwards."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield name


@contextmanager
def running(folder: Path) -> Iterator[ControlPlane]:
    """Start both, and end them."""
    programs = binaries.ensure(binaries.KUBERNETES, progress.Progress(name="cluster"))
    etcd, peer, api = free_ports(3)
    tokens = {user: secrets.token_hex(16) for user in USERS}
    lines = (f'{token},{user},{user},"system:masters"\n' for user, token in tokens.items())
    (folder / "tokens.csv").write_text("".join(lines))
    (folder / "audit-policy.yaml").write_text(_AUDIT)
    subprocess.run(["openssl", "genrsa", "-out", folder / "key.pem", "2048"], check=True, capture_output=True)
    at = "http://127.0.0.1"
    with ExitStack() as stack:
        _start(
            stack,
            folder / "etcd.log",
            [
                programs / "etcd",
                f"--data-dir={folder / 'etcd'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={at}:{etcd}",
                f"--advertise-client-urls={at}:{etcd}",
                f"--listen-peer-urls={at}:{peer}",
                f"--initial-advertise-peer-urls={at}:{peer}",
                f"--initial-cluster=default={at}:{peer}",
            ],
        )
        server_program = _start(
            stack,
            folder / "apiserver.log",
            [
                programs / "kube-apiserver",
                f"--etcd-servers={at}:{etcd}",
                f"--secure-port={api}",
                "--bind-address=127.0.0.1",
                f"--cert-dir={folder / 'certificates'}",
                f"--token-auth-file={folder / 'tokens.csv'}",
                f"--audit-policy-file={folder / 'audit-policy.yaml'}",
                f"--audit-log-path={folder / 'audit.log'}",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.0.0.0/16",
                "--service-account-issuer=https://tests.invalid",
                f"--service-account-key-file={folder / 'key.pem'}",
                f"--service-account-signing-key-file={folder / 'key.pem'}",
                "--disable-admission-plugins=ServiceAccount",
            ],
        )
        server = f"https://127.0.0.1:{api}"
        certificate = folder / "certificates" / "apiserver.crt"
        _wait_ready(certificate, server, folder / "apiserver.log")
        session = requests.Session()
        session.trust_env = False  # neither a proxy nor other authorities
        session.headers["Authorization"] = f"Bearer {tokens['tests']}"
        session.verify = str(certificate)
        stack.callback(session.close)
        kubeconfigs = {user: folder / f"kubeconfig-{user}" for user in USERS}
        for user, path in kubeconfigs.items():
            path.write_text(_kubeconfig(server, certificate, tokens[user]))
        kubeconfig = kubeconfigs["tests"]
        account = login.load(kubeconfig=kubeconfig, context=None)
        yield ControlPlane(
            account=account,
            kubeconfig=kubeconfig,
            kubeconfigs=kubeconfigs,
            audit_log=folder / "audit.log",
            session=session,
            server=server_program,
        )


def _kubeconfig(server: str, certificate: Path, token: str) -> str:
    return yaml.safe_dump(
        {
            "clusters": [
                {"name": "c", "cluster": {"server": server, "certificate-authority": str(certificate)}}
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@dataclass(kw_only=True)
class Program:
    """A process that can be ended and started again."""

    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _start(stack: ExitStack, log: Path, command: Sequence[str | Path]) -> Program:
    program = Program(command=list(map(str, command)), log=log)
    program.start()
    stack.callback(program.stop)
    return program


def _wait_ready(certificate: Path, server: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            if requests.get(f"{server}/readyz", verify=str(certificate), timeout=5).status_code == 200:
                return
        except (OSError, requests.RequestException):
            pass
        assert time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.1)
