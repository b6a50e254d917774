"""How the demo reaches its cluster: commands in the right network with the right context."""

import asyncio
import contextlib
import dataclasses
import json
import subprocess
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import orjson

from local.cluster import api as clusters

LINE_BYTES = 1 << 22
"""The longest line of a watch or of the client that is read."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A cluster, and the programs to talk to it with."""

    prefix: tuple[str, ...] = ()
    """What runs a command in the cluster's network; empty where the machine reaches the API server."""
    environment: Mapping[str, str]
    kubectl_program: str = "kubectl"
    helm_program: str = "helm"
    context: str = ""
    """Of the kubeconfig; empty for its current one."""
    audit_log: Path | None = None
    """None where it cannot be read."""

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl and return what it prints."""
        return self._run([*self.kubectl_argv(), *arguments], stdin=stdin, check=check)

    def helm(self, *arguments: str) -> str:
        """Run helm and return what it prints."""
        context = ["--kube-context", self.context] if self.context else []
        return self._run([*self.prefix, self.helm_program, *context, *arguments])

    def kubectl_argv(self) -> list[str]:
        """Return the command line of kubectl, to be continued."""
        context = ["--context", self.context] if self.context else []
        return [*self.prefix, self.kubectl_program, *context]

    def apply(self, *objects: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Apply objects as `kubectl apply --server-side` does and return what the API server made of them."""
        stdin = "\n---\n".join(json.dumps(each) for each in objects)
        said = self.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=demo",
            "-o",
            "json",
            "-f",
            "-",
            stdin=stdin,
        )
        answer = json.loads(said)
        return list(answer["items"]) if answer["kind"] == "List" else [answer]

    def _run(self, argv: list[str], *, stdin: str = "", check: bool = True) -> str:
        done = subprocess.run(
            argv, env=self.environment, input=stdin, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            words = [word for word in argv if word not in self.prefix]
            raise RuntimeError(f"{' '.join(words)[:200]} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout

    async def lines(self, argv: list[str]) -> AsyncGenerator[bytes, None]:
        """Run a command and yield the lines that it prints; it ends with the iteration."""
        process = await asyncio.create_subprocess_exec(
            *argv, env=self.environment, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES
        )
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                yield line
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            raise
        finally:
            await process.wait()

    async def watch(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the objects of a watch (an API path with its query), deletions left out."""
        while True:
            async with contextlib.aclosing(self.lines([*self.kubectl_argv(), "get", "--raw", path])) as lines:
                async for line in lines:
                    event = orjson.loads(line)
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        yield event["object"]
            await asyncio.sleep(0.5)  # the API server ends watches now and then


def of_local(cluster: clusters.Cluster) -> Access:
    """Return the access to the throwaway cluster."""
    return Access(
        prefix=tuple(clusters.command(cluster, [])),
        environment=clusters.environment(cluster),
        kubectl_program=str(cluster.bin_dir / "kubectl"),
        helm_program=str(clusters.ensure_helm()),
        audit_log=cluster.audit_log,
    )
