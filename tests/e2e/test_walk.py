"""A newcomer's walk: the README's commands from `helm install` to a served model, and those of the chart's notes.

They are run as they are written. Replaced are only the names of images, which no node can pull here, and the length of
the bake, which is nothing but waiting; WALK=full leaves it as it is.
"""

import json
import os
import re
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from local.cluster import api as clusters
from local.demo import installation
from tests.docs import pages
from tests.support import exports
from tests.support import lab as labs

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-walk"
SECTION = ("README.md", "A first model in five minutes")
VOLUME = ("docs/getting-started.md", "2. Put a model on a volume")
SERVER = "tensorflow/serving:2.19.1"
BUILT_BY_HAND = ("docker build", "docker push")
FULL = os.environ.get("WALK") == "full"
STOP_TUNNEL = "kill %1"
BAKE_SECONDS = 120
"""The default, which the short walk leaves out."""


def blocks(page: str, heading: str, language: str) -> list[str]:
    """The blocks of code in a part of a page."""
    part = (pages.CHECKOUT / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Newcomer:
    """Somebody with a shell, in a namespace of theirs."""

    lab: labs.Lab
    folder: Path
    replaced: Mapping[str, str]

    def run(self, script: str) -> str:
        """Run commands as they are written, but for the replaced words."""
        for word, other in self.replaced.items():
            script = script.replace(word, other)
        cluster = self.lab.cluster
        done = subprocess.run(
            clusters.command(cluster, ["bash", "-euo", "pipefail", "-c", script]),
            env=clusters.environment(cluster) | {"KUBECONFIG": str(self.folder / "kubeconfig")},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def newcomer(lab: labs.Lab, tmp_path: Path) -> Iterator[Newcomer]:
    """In a cluster where nothing of ours is installed; the lab's own installation comes back in the end."""
    lab.stop()
    lab.access.helm("uninstall", labs.RELEASE, "--namespace", labs.SYSTEM, "--wait")
    lab.access.kubectl("delete", "namespace", labs.SYSTEM)
    lab.namespaces.append(NAMESPACE)
    lab.apply(labs.restricted_namespace(NAMESPACE))
    disk = tmp_path / "disk"
    disk.mkdir()
    disk.chmod(0o777)  # pods of any user write to it
    (volume, _) = lab.volume(NAMESPACE, "models", disk)
    volume["spec"]["accessModes"] = ["ReadWriteOnce"]
    lab.apply(volume)
    config = yaml.safe_load(lab.cluster.kubeconfig.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = NAMESPACE
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "charts").symlink_to(pages.CHECKOUT / "charts")
    exported = exports.cached("e2e-walk", Path(__file__).with_name("export_walk.py"))
    shutil.copytree(exported / "resnet", tmp_path / "resnet")
    repository, _, tag = lab.operator_image.rpartition(":")
    replaced = {
        "image.repository=registry.example.org/tfserving-operator": f"image.repository={repository}",
        "image.tag=0.1.0": f"image.tag={tag}",
        SERVER: lab.server_image,
        "busybox:1.37": lab.operator_image,
    }
    try:
        yield Newcomer(lab=lab, folder=tmp_path, replaced=replaced)
    finally:
        lab.namespaces.remove(NAMESPACE)
        system = installation.RELEASE_NAMESPACE
        lab.access.helm("uninstall", installation.RELEASE, "--namespace", system, "--ignore-not-found")
        lab.access.kubectl("delete", "namespaces", NAMESPACE, system, "--ignore-not-found")
        lab.access.kubectl("delete", "crd", labs.RESOURCE, "--ignore-not-found")
        lab.install(lab.operator_image)


def test_the_readme_leads_to_a_served_model_in_less_than_five_minutes(newcomer: Newcomer):
    install, apply, ask = blocks(*SECTION, "bash")
    (resource,) = blocks(*SECTION, "yaml")
    (copy,) = blocks(*VOLUME, "bash")
    commands = re.sub(r"\\\n\s*", "", install).splitlines()
    began = time.monotonic()
    notes = newcomer.run("\n".join(line for line in commands if not line.startswith(BUILT_BY_HAND)))
    print(notes.partition("NOTES:")[2])
    claim, model, wait, look = (textwrap.dedent(part) for part in noted(notes))
    newcomer.run(claim)
    newcomer.run(copy)
    prepared = time.monotonic() - began

    assert resource.startswith("# resnet.yaml\n")
    resource = resource.replace(SERVER, newcomer.replaced[SERVER])
    (newcomer.folder / "resnet.yaml").write_text(
        resource if FULL else f"{resource}  rollout: {{bakeSeconds: 3}}\n"
    )
    shown = newcomer.run(apply)
    said = newcomer.run(f"{ask}\n{STOP_TUNNEL}")
    took = time.monotonic() - began + (0 if FULL else BAKE_SECONDS)
    print(shown, said)
    print(
        f"ready for a model after {prepared:.0f} s; {took:.0f} s in all, a bake of {BAKE_SECONDS} s among them"
    )
    assert "Ready" in shown
    assert json.loads(said[said.index("{") :])["predictions"] == [pytest.approx([0.9, 0.1], abs=1e-4)]
    assert took < 300

    newcomer.run(model)  # the same model without cases, and with the default bake, which is no new revision
    described = newcomer.run(wait)
    assert "condition met" in described
    print(described[-2500:])
    assert '"features"' in newcomer.run(f"{look}\n{STOP_TUNNEL}")


def noted(notes: str) -> list[str]:
    """The commands of the chart's notes: what is indented below each numbered step."""
    steps = re.split(r"^\d\. .*$", notes.partition("The first model")[2], flags=re.MULTILINE)[1:]
    return ["".join(re.findall(r"^(?:  .*)?\n", step, re.MULTILINE)) for step in steps]
