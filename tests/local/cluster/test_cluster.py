"""The throwaway cluster itself: on further clusters of this checkout, so that nobody else's is disturbed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import progress as progresses
from local.cluster import api, cgroups, lifecycle, namespaces, readiness
from local.cluster import layout as layouts
from local.images import made

pytestmark = pytest.mark.cluster

NAME, OTHER_NAME = "selftest", "selftest-other"
PROGRESS = progresses.Progress(name="selftest")

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "web",
                "image": made.BASE_NAME,
                "command": ["python3", "-m", "http.server", "8000"],
                "readinessProbe": {"httpGet": {"port": 8000, "path": "/etc/hostname"}, "periodSeconds": 1},
            },
        ],
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[api.Cluster]:
    layout = layouts.selected(NAME)
    lifecycle.down(layout, PROGRESS)
    cluster = api.ensure_up(NAME)
    api.load_image(cluster, made.base(PROGRESS))
    apply(cluster, POD, SERVICE)
    kubectl(cluster, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    yield cluster
    lifecycle.down(layout, PROGRESS)


@pytest.fixture
def other() -> Iterator[api.Cluster]:
    layout = layouts.selected(OTHER_NAME)
    lifecycle.down(layout, PROGRESS, purge=True)
    yield api.ensure_up(OTHER_NAME)
    lifecycle.down(layout, PROGRESS, purge=True)


def test_pods_answer_through_their_service_from_the_cluster_network(cluster: api.Cluster) -> None:
    eventually(lambda: answer_of_web(cluster) == "web")


def test_pods_reach_services_and_the_api_server_and_names_fail_at_once(cluster: api.Cluster) -> None:
    service = kubectl(cluster, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    script = (
        "import socket, time, urllib.request\n"
        f"print(urllib.request.urlopen('http://{service}/etc/hostname', timeout=5).read().decode().strip())\n"
        f"socket.create_connection(('{layouts.API_SERVICE_IP}', 443), 5)\n"
        "started = time.monotonic()\n"
        "try: socket.getaddrinfo('nobody.example', 80)\n"
        "except socket.gaierror: print(time.monotonic() - started < 1)\n"
    )
    eventually(lambda: kubectl(cluster, "exec", "web", "--", "python3", "-c", script) == "web\nTrue")


def test_a_pod_over_its_memory_limit_is_oom_killed(cluster: api.Cluster) -> None:
    container = {
        "name": "big",
        "image": made.BASE_NAME,
        "command": ["python3", "-c", "bytearray(200 << 20)"],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    apply(cluster, named("big", {"restartPolicy": "Never", "containers": [container]}))

    kubectl(cluster, "wait", "--for=jsonpath={.status.phase}=Failed", "pod/big", "--timeout=30s")

    terminated = json.loads(kubectl(cluster, "get", "pod", "big", "-o", "json"))["status"][
        "containerStatuses"
    ]
    assert terminated[0]["state"]["terminated"]["reason"] == "OOMKilled"
    assert terminated[0]["state"]["terminated"]["exitCode"] == 137


def test_an_image_that_the_node_lacks_cannot_be_pulled_and_says_so_soon(cluster: api.Cluster) -> None:
    apply(cluster, named("absent", {"containers": [{"name": "absent", "image": "absent.invalid/image:1"}]}))
    waiting = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull"
    kubectl(cluster, "wait", waiting, "pod/absent", "--timeout=30s")
    kubectl(cluster, "delete", "pod", "absent", "--now")


def test_an_image_is_imported_once(cluster: api.Cluster) -> None:
    archive = made.base(PROGRESS)
    assert api.has_image(cluster, made.BASE_NAME)
    assert not api.has_image(cluster, "localhost/tfso-base:none")
    assert not api.load_image(cluster, archive)


def test_the_audit_log_has_every_request_once_with_its_end_and_no_body(cluster: api.Cluster) -> None:
    kubectl(cluster, "create", "configmap", "audited", "--from-literal=key=value")
    kubectl(cluster, "get", "configmap", "audited")

    records = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]

    about = [each for each in records if each.get("objectRef", {}).get("name") == "audited"]
    assert [each["verb"] for each in about] == ["create", "get"]
    assert {each["stage"] for each in about} == {"ResponseComplete"}
    assert {each["user"]["username"] for each in about} == {"admin"}
    assert all(each["stageTimestamp"] for each in about)
    assert all("requestObject" not in each and "responseObject" not in each for each in records)


def test_up_on_a_ready_cluster_changes_nothing(cluster: api.Cluster) -> None:
    before = namespaces.component_pids(layouts.selected(NAME))

    assert api.ensure_up(NAME) == cluster

    assert namespaces.component_pids(layouts.selected(NAME)) == before
    assert api.current(NAME) == cluster


def test_a_process_knows_the_cluster_that_it_started_from_others(cluster: api.Cluster) -> None:
    layout = layouts.selected(NAME)
    assert lifecycle.is_ours(layout)
    command = f"from local.cluster import layout, lifecycle; assert not lifecycle.is_ours(layout.selected({NAME!r}))"
    subprocess.run([sys.executable, "-c", command], check=True, cwd=layouts.checkout())


def test_killed_components_come_back_and_pods_live_on(cluster: api.Cluster) -> None:
    layout = layouts.selected(NAME)
    killed = namespaces.component_pids(layout)
    container = container_of_web(cluster)
    for name in ("etcd", "containerd", "kubelet", "kube-apiserver", "kube-proxy"):
        os.kill(killed[name], signal.SIGKILL)

    api.ensure_up(NAME)

    running = namespaces.component_pids(layout)
    assert running.keys() == killed.keys()
    assert all(running[name] != killed[name] for name in ("etcd", "containerd", "kubelet"))
    eventually(lambda: answer_of_web(cluster) == "web")
    assert container_of_web(cluster) == container


def test_up_recovers_a_node_that_was_killed(cluster: api.Cluster) -> None:
    uid = kubectl(cluster, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    pid = namespaces.node_pid(layouts.selected(NAME))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    api.ensure_up(NAME)

    assert kubectl(cluster, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}") == uid
    eventually(lambda: answer_of_web(cluster) == "web")


def test_up_recovers_from_a_reboot(cluster: api.Cluster) -> None:
    layout = layouts.selected(NAME)
    namespaces.kill_node(layout)
    cgroups.remove(layout.title)  # what a reboot takes away: processes, cgroups, namespaces and /run
    namespaces.remove_network(layout)
    shutil.rmtree(layout.run)

    api.ensure_up(NAME)

    eventually(lambda: answer_of_web(cluster) == "web")


def test_a_node_that_hangs_is_started_again(cluster: api.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layouts.selected(NAME)
    stopped = namespaces.component_pids(layout)["kube-apiserver"]
    os.kill(stopped, signal.SIGSTOP)
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 5.0)

    api.ensure_up(NAME)

    assert namespaces.component_pids(layout)["kube-apiserver"] != stopped
    eventually(lambda: answer_of_web(cluster) == "web")


def test_two_clusters_live_side_by_side_and_down_leaves_nothing_behind(
    cluster: api.Cluster, other: api.Cluster
) -> None:
    layout = layouts.selected(OTHER_NAME)
    api.load_image(other, made.base(PROGRESS))
    apply(other, POD, SERVICE)
    kubectl(other, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    assert container_of_web(other) != container_of_web(cluster)
    processes = processes_of(layout)
    programs = {Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] for pid, _ in processes}
    assert {b"python3", b"/busybox"} <= programs, "containers are among the node's processes"
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, check=True).stdout

    lifecycle.down(layout, PROGRESS, purge=True)

    assert not [pid for pid, started in processes if start_of(pid) == started]
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if is_of(layout, line)]
    assert not [group for root in cgroups.hierarchies() for group in root.glob(f"**/{layout.title}*")]
    assert not layout.netns.exists()
    assert not layout.run.exists()
    assert not layout.state.exists()
    for folder in (
        "/run/containerd",
        "/run/netns",
        "/var/lib/cni",
        "/var/lib/kubelet",
        "/var/log/containers",
    ):
        assert not [path for path in Path(folder).rglob("*") if not path.name.startswith("tfso-")]
    assert subprocess.run(["ip", "-br", "link"], capture_output=True, check=True).stdout == links
    assert api.current(OTHER_NAME) is None
    assert answer_of_web(cluster) == "web"


def test_a_node_whose_files_were_deleted_is_ended_by_down(other: api.Cluster) -> None:
    layout = layouts.selected(OTHER_NAME)
    processes = processes_of(layout)
    shutil.rmtree(layout.state)

    lifecycle.down(layout, PROGRESS)

    assert not [pid for pid, started in processes if start_of(pid) == started]
    assert not layout.netns.exists()


def test_down_tells_of_foreign_processes_in_the_network_and_leaves_them(
    other: api.Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen(api.command(other, ["sleep", "60"])) as foreign:
        layout = layouts.selected(OTHER_NAME)
        eventually(lambda: namespaces.is_in_network(layout, foreign.pid))

        lifecycle.down(layout, PROGRESS, purge=True)

        assert str(foreign.pid) in capfd.readouterr().err
        assert foreign.poll() is None
        foreign.kill()


def named(name: str, spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def apply(cluster: api.Cluster, *manifests: dict[str, object]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": manifests}
    api.run(cluster, ["kubectl", "apply", "-f", "-"], input=json.dumps(items), capture_output=True)


def kubectl(cluster: api.Cluster, *arguments: str) -> str:
    return api.run(cluster, ["kubectl", *arguments], capture_output=True).stdout.strip()


def answer_of_web(cluster: api.Cluster) -> str:
    address = kubectl(cluster, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    curl = ["curl", "--silent", "--max-time", "3", f"http://{address}/etc/hostname"]
    return api.run(cluster, curl, check=False, capture_output=True).stdout.strip()


def container_of_web(cluster: api.Cluster) -> str:
    return kubectl(cluster, "get", "pod", "web", "-o", "jsonpath={.status.containerStatuses[0].containerID}")


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if holds():
                return
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        time.sleep(0.3)


def processes_of(layout: layouts.Layout) -> set[tuple[int, str]]:
    """All processes in the node's PID namespace, with the times of their starts."""
    node = namespaces.node_pid(layout)
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_inside = (path / "ns/pid").samefile(f"/proc/{node}/ns/pid")
            is_inside |= layout.title in (path / "cgroup").read_text()  # containers have their own namespaces
        except OSError:
            continue
        if is_inside:
            found.add((int(path.name), start_of(int(path.name))))
    return found


def start_of(pid: int) -> str:
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "ended"
    return "ended" if state == "Z" else fields[18]


def is_of(layout: layouts.Layout, mount: str) -> bool:
    return layout.title in mount or f"{layout.state}/" in mount or "/run/netns/cni-" in mount
