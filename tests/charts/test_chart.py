"""The chart, rendered by the real helm."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.charts import rendering
from tfserving_operator.api import crd, types
from tfserving_operator.core import snapshot, sources, validation

pytestmark = pytest.mark.cluster


def test_it_lints() -> None:
    answer = rendering.helm("lint", "--strict", str(rendering.CHART))
    assert answer.returncode == 0, answer.stdout


# The resource definition


@pytest.mark.parametrize(
    ("sets", "want"),
    [
        ((), {"helm.sh/resource-policy": "keep"}),
        (("crds.keep=false",), None),
    ],
)
def test_the_crd_is_the_generated_one_and_is_kept_where_asked_for(
    sets: tuple[str, ...], want: dict[str, str] | None
) -> None:
    definition = rendering.one(rendering.render(*sets, crd=True), "CustomResourceDefinition")
    assert definition["metadata"].get("annotations") == want
    bare = {**definition, "metadata": {k: v for k, v in definition["metadata"].items() if k != "annotations"}}
    assert bare == crd.build_crd()


def test_the_crd_can_be_left_to_others() -> None:
    assert rendering.of(rendering.render("crds.install=false"), "CustomResourceDefinition") == []


# The operator's pod


def test_the_operator_runs_restricted_with_a_read_only_root() -> None:
    pod = rendering.pod_of(rendering.render())["spec"]
    (container,) = pod["containers"]
    assert "initContainers" not in pod
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert {tuple(volume.keys() - {"name"}) for volume in pod["volumes"]} == {("configMap",), ("emptyDir",)}
    assert "hostPort" not in str(container["ports"])
    assert [*container["command"], *container["args"]] == [
        "tfserving-operator", "run", "--config", "/etc/tfserving-operator/config.yaml",
    ]  # fmt: skip


def test_the_platform_may_choose_the_user_but_not_root() -> None:
    pod = rendering.pod_of(
        rendering.render("securityContext.runAsUser=null", "securityContext.runAsGroup=null")
    )
    assert pod["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    chosen = rendering.pod_of(rendering.render(securityContext={"runAsUser": 1000650000}))
    assert chosen["spec"]["securityContext"]["runAsUser"] == 1000650000
    assert "at '/securityContext/runAsUser'" in rendering.refusal("securityContext.runAsUser=0")


def test_a_changed_setting_starts_the_operator_anew() -> None:
    def checksum(*sets: str) -> str:
        text: str = rendering.pod_of(rendering.render(*sets))["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum() == checksum("replicas=2") != checksum("policy.drainSeconds=7")


def test_what_clusters_ask_of_pods_is_passed_on() -> None:
    wishes = {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "imagePullSecrets": [{"name": "registry"}],
    }
    documents = rendering.render(
        resources={"limits": {"memory": "1Gi", "cpu": None}}, **wishes
    )  # None: takes a default away
    pod = rendering.pod_of(documents)["spec"]
    assert {key: pod[key] for key in wishes} == wishes
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "1Gi", "cpu": None}


def test_a_spread_without_a_selector_gets_that_of_the_operators_pods() -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    own = {"matchLabels": {"app": "x"}}
    documents = rendering.render(topologySpreadConstraints=[constraint, {**constraint, "labelSelector": own}])
    selector = rendering.one(documents, "Deployment")["spec"]["selector"]
    assert rendering.pod_of(documents)["spec"]["topologySpreadConstraints"] == [
        {**constraint, "labelSelector": selector},
        {**constraint, "labelSelector": own},
    ]


def test_labels_and_annotations_of_the_installation_are_on_everything_and_replace_nothing_of_ours() -> None:
    documents = rendering.render(
        commonLabels={"team": "ml", "app.kubernetes.io/name": "stolen"},
        commonAnnotations={"owner": "ml"},
        podLabels={"cost": "7", "app.kubernetes.io/instance": "stolen"},
        podAnnotations={"note": "x", "owner": "pods"},
        **rendering.EVERYTHING,
    )
    pod = rendering.pod_of(documents)["metadata"]
    for one in documents:
        assert one["metadata"]["labels"]["team"] == "ml", one["kind"]
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "tfserving-operator"
        assert one["metadata"]["annotations"]["owner"] == "ml", one["kind"]
    assert (pod["labels"]["team"], pod["labels"]["cost"]) == ("ml", "7")
    assert (pod["annotations"]["note"], pod["annotations"]["owner"]) == ("x", "pods")
    selector = rendering.one(documents, "Deployment")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pod["labels"].items()


def test_the_image_is_named_by_tag_or_by_digest() -> None:
    digest = f"sha256:{'a' * 64}"

    def image(*sets: str) -> str:
        named: str = rendering.pod_of(rendering.render(*sets))["spec"]["containers"][0]["image"]
        return named

    assert image() == "tfserving-operator:0.1.0"
    assert image("image.tag=1.2.3", "image.repository=registry.example.org/op") == (
        "registry.example.org/op:1.2.3"
    )
    assert image(f"image.digest={digest}", "image.tag=1.2.3") == f"tfserving-operator@{digest}"


def test_names_can_be_overridden_without_losing_each_other() -> None:
    documents = rendering.render("fullnameOverride=models-operator", **rendering.EVERYTHING)
    assert {one["metadata"]["name"].startswith("models-operator") for one in documents} == {True}
    (volume,) = [v for v in rendering.pod_of(documents)["spec"]["volumes"] if "configMap" in v]
    names = {c["metadata"]["name"] for c in rendering.of(documents, "ConfigMap")}
    assert volume["configMap"]["name"] in names


# Replicas


def test_more_than_one_replica_is_protected_and_one_is_not() -> None:
    assert rendering.of(rendering.render(), "PodDisruptionBudget") == []
    assert rendering.of(rendering.render("replicas=2", "podDisruptionBudget.enabled=false"), "PodDisruptionBudget") == []  # fmt: skip
    documents = rendering.render("replicas=2")
    budget = rendering.one(documents, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == rendering.one(documents, "Deployment")["spec"]["selector"]


def test_without_a_lease_there_is_one_replica_and_never_two_in_an_upgrade() -> None:
    assert "set leaderElection: true, or replicas: 1" in rendering.refusal(
        "replicas=2", "leaderElection=false"
    )
    alone = rendering.one(rendering.render("leaderElection=false"), "Deployment")
    assert alone["spec"]["strategy"] == {"type": "Recreate"}
    assert "strategy" not in rendering.one(rendering.render(), "Deployment")["spec"]


# Watching it


def test_nothing_of_other_operators_kinds_is_there_unless_it_is_asked_for() -> None:
    kinds = {document["kind"] for document in rendering.render(crd=True)}
    assert not kinds & {"ServiceMonitor", "PrometheusRule", "NetworkPolicy", "Service"}


def test_a_service_monitor_finds_the_service_and_the_service_the_pods() -> None:
    documents = rendering.render(
        "metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.labels.release=prometheus"
    )
    monitor, service = rendering.one(documents, "ServiceMonitor"), rendering.one(documents, "Service")
    pod = rendering.pod_of(documents)
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (endpoint,), (port,) = monitor["spec"]["endpoints"], service["spec"]["ports"]
    (container_port,) = pod["spec"]["containers"][0]["ports"]
    assert (endpoint["port"], endpoint["honorLabels"]) == (port["name"], True)
    assert port["targetPort"] == container_port["name"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


# What people read


def notes(*sets: str) -> str:
    """The notes that an installation prints; nothing is installed."""
    flags = [part for each in ("crds.install=false", *sets) for part in ("--set", each)]
    chart = str(rendering.CHART)
    answer = rendering.helm("install", "demo", chart, "-n", "system", "--dry-run=client", *flags)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.rpartition("NOTES:")[2]


def test_the_notes_show_the_first_model_from_the_claim_to_the_wait() -> None:
    said = notes()
    claim, apply, wait = (
        said.index("kind: PersistentVolumeClaim"),
        said.index("kind: ModelDeployment"),
        said.index("kubectl wait tfmd/resnet --for=condition=Ready"),
    )
    assert claim < apply < wait


def test_the_model_of_the_notes_can_be_applied_as_it_stands() -> None:
    shown = [
        yaml.safe_load(textwrap.dedent(text))
        for text in re.findall(r"<<EOF\n(.*?)\n  EOF", notes(), re.DOTALL)
    ]
    claim, model = shown
    spec = types.parse_spec(model["spec"])
    policy = snapshot.Policy(inspect_image="operator:1")
    assert validation.validate(spec, owner_name=model["metadata"]["name"], policy=policy) == ()
    assert sources.parse(spec.model.uri).claim == claim["metadata"]["name"]


def test_the_notes_tell_what_the_values_leave_open() -> None:
    assert "Any server image may run" in notes()
    assert "Any server image may run" not in notes("policy.allowedImages={x/*}")
    assert "No namespace of models has a network policy yet" in notes("networkPolicies.enabled=true")
    chosen = notes("networkPolicies.enabled=true", "watchNamespaces={vision}")
    assert "No namespace of models" not in chosen
    assert "serves vision." in chosen


def test_the_readme_is_that_of_the_values() -> None:
    text = (Path(rendering.CHART) / "README.md").read_text()
    assert text.count("\n| `") > 50
