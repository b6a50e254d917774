"""What the demo needs in the cluster: images, the operator by its chart, a namespace with the models."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from local.cluster import api as clusters
from local.demo import manifests, models
from local.demo.access import Access
from local.images import builds
from local.progress import Progress

RELEASE = "tfserving-operator"
RELEASE_NAMESPACE = "tfserving-system"
CHART = Path("charts/tfserving-operator")

HELM_TIMEOUT = "90s"


def checkout() -> Path:
    """Return the root of the checkout that this code is in."""
    return Path(__file__).resolve().parents[2]


def operator_build() -> builds.Build:
    """Return the recipe of the operator's image."""
    root = checkout()
    hashed = tuple(root / name for name in ("operator", "pyproject.toml", "requirements/operator.txt"))
    return _tagged("tfserving-operator", root / "Dockerfile", root, hashed)


def server_build() -> builds.Build:
    """Return the recipe of the development model server's image."""
    local = checkout() / "local"
    hashed = (local / "modelserver", local / "bin")
    return _tagged("tensorflow-model-server", local / "modelserver" / "Dockerfile", local, hashed)


def _tagged(name: str, dockerfile: Path, context: Path, hashed: tuple[Path, ...]) -> builds.Build:
    """Return a recipe whose tag is its contents, so that another image is another name."""
    build = builds.Build(dockerfile=dockerfile, context=context, name=f"localhost/{name}", hashed=hashed)
    return dataclasses.replace(build, name=f"localhost/{name}:{builds.key_of(build)}")


def load_images(cluster: clusters.Cluster, progress: Progress, *made: builds.Build) -> None:
    """Build images where the cache has none, and import them into the node."""
    for build in made:
        archive = builds.archive_of(build, progress)
        if clusters.load_image(cluster, archive):
            progress.say(f"{build.name} is in the node")


def is_installed(access: Access) -> bool:
    """Whether the cluster has the release already."""
    names = access.helm("list", "--namespace", RELEASE_NAMESPACE, "--short").split()
    return RELEASE in names


def install_operator(access: Access, image: str = "", *, keep_crds: bool = True) -> str:
    """Install the chart, or upgrade to it; return the user that the operator is to the API server.

    Parameters
    ----------
    access
        The cluster.
    image
        The operator's image with its tag; empty for the chart's own.
    keep_crds
        Whether the CRD outlives the release, as is right where it may hold somebody's ModelDeployments.
    """
    repository, _, tag = image.rpartition(":")
    images = ("--set", f"image.repository={repository}", "--set", f"image.tag={tag}") if image else ()
    access.apply(manifests.namespace(RELEASE_NAMESPACE))
    try:
        access.helm(
            *("upgrade", "--install", RELEASE, str(checkout() / CHART)),
            *("--namespace", RELEASE_NAMESPACE, "--create-namespace"),
            *("--set", f"crds.keep={str(keep_crds).lower()}", *images),
            *("--wait", "--timeout", HELM_TIMEOUT),
        )
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n{_last_words(access)}") from None
    pod = _operator_template(access)["spec"]
    return f"system:serviceaccount:{RELEASE_NAMESPACE}:{pod['serviceAccountName']}"


def operator_image(access: Access) -> str:
    """Return the image that the installed operator runs from."""
    return str(_operator_template(access)["spec"]["containers"][0]["image"])


def _operator_template(access: Access) -> dict[str, Any]:
    said = access.kubectl(
        *("get", "deployments", "-n", RELEASE_NAMESPACE, "-o", "json"),
        *("-l", f"app.kubernetes.io/instance={RELEASE}"),
    )
    (deployment,) = json.loads(said)["items"]
    return dict(deployment["spec"]["template"])


def _last_words(access: Access) -> str:
    """Return what the operator's pods are and said, for a message about an installation that failed."""
    where = ("-n", RELEASE_NAMESPACE)
    pods = access.kubectl("get", "pods", *where, "-o", "wide", check=False)
    logs = access.kubectl(
        "logs", *where, "-l", f"app.kubernetes.io/instance={RELEASE}", "--tail=20", check=False
    )
    return f"{pods}{logs}"[-4000:]


def uninstall_operator(access: Access) -> None:
    """Take the release and its namespace away."""
    access.helm("uninstall", RELEASE, "--namespace", RELEASE_NAMESPACE, "--ignore-not-found", "--wait")
    access.kubectl("delete", "namespace", RELEASE_NAMESPACE, "--ignore-not-found")


def remove_namespace(access: Access) -> None:
    """Take the demo's namespace and volume away, those of an earlier run included."""
    access.kubectl("delete", "namespace", manifests.NAMESPACE, "--ignore-not-found")
    for each in manifests.volume(Path("/")):
        if each["kind"] == "PersistentVolume":
            access.kubectl("delete", "persistentvolume", each["metadata"]["name"], "--ignore-not-found")


def create_namespace(access: Access, known: models.Models) -> None:
    """Create the demo's namespace and the volume with the models."""
    access.apply(manifests.namespace(), *manifests.volume(known.folder))
    access.kubectl(
        *("wait", "--for=jsonpath={.status.phase}=Bound", f"persistentvolumeclaim/{manifests.CLAIM}"),
        *("-n", manifests.NAMESPACE, "--timeout=60s"),
    )
