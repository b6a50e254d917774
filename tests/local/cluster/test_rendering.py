"""What is pure: names, files, flags, and what is said where a cluster cannot run."""

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from local import cache
from local import progress as progresses
from local.cluster import (
    __main__ as command_line,
)
from local.cluster import (
    binaries,
    certificates,
    cgroups,
    components,
    configuration,
    containers,
    node,
    prerequisites,
    readiness,
)
from local.cluster import layout as layouts
from local.images import made

PROGRESS = progresses.Progress(name="test")


def test_checkouts_and_names_share_nothing_on_the_machine() -> None:
    found = [
        layouts.layout_for(Path(root), name) for root in ("/home/a/x", "/home/b/x") for name in ("", "other")
    ]
    assert len({(each.netns, each.run, each.title, each.state) for each in found}) == 4
    assert len({each.id for each in found}) == 4


def test_a_deep_checkout_has_short_sockets() -> None:
    layout = layouts.layout_for(Path("/" + "deep/" * 60))
    assert len(f"{layout.containerd_socket}.ttrpc") < 107


def test_the_environment_selects_a_further_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "other")
    assert layouts.selected() == layouts.layout_for(layouts.checkout(), "other")
    assert layouts.selected("").state == layouts.checkout() / "build/cluster"


def test_configuration_files_are_complete_and_of_their_format() -> None:
    layout = layouts.layout_for(Path("/home/a/x"))
    files = configuration.render_files(layout)
    assert not [name for name, text in files.items() if "$" in text]

    containerd = tomllib.loads(files["containerd.toml"])
    assert containerd["root"] == "/home/a/x/build/cluster/containerd"
    assert containerd["grpc"]["address"] == f"/run/{layout.title}/containerd.sock"
    kubelet = yaml.safe_load(files["kubelet.yaml"])
    assert kubelet["cgroupRoot"] == f"/{layout.title}"
    assert kubelet["evictionHard"]["nodefs.available"] == "0%"
    assert yaml.safe_load(files["audit-policy.yaml"])["rules"] == [{"level": "Metadata"}]
    assert json.loads(files["10-pods.conflist"])["plugins"][0]["ipam"]["ranges"] == [
        [{"subnet": layouts.POD_CIDR}]
    ]


def test_certificates_fit_the_kubeconfigs_and_the_addresses(tmp_path: Path) -> None:
    layout = layouts.Layout(id="0", state=tmp_path)
    certificates.write_all(layout.pki)
    configuration.write_all(layout)

    kubeconfig = yaml.safe_load(layout.kubeconfig.read_text())
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://10.77.0.1:6443"
    serving = x509.load_pem_x509_certificate((layout.pki / "apiserver.crt").read_bytes())
    names = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert {layouts.NODE_IP, layouts.API_SERVICE_IP} <= addresses
    authority = x509.load_pem_x509_certificate((layout.pki / "ca.crt").read_bytes())
    for user in (*certificates.CLIENTS, *certificates.SERVERS):
        x509.load_pem_x509_certificate((layout.pki / f"{user}.crt").read_bytes()).verify_directly_issued_by(
            authority
        )
        assert (layout.pki / f"{user}.key").stat().st_mode & 0o077 == 0
    assert layout.kubeconfig.stat().st_mode & 0o077 == 0
    proxy = x509.load_pem_x509_certificate((layout.pki / f"{certificates.FRONT_PROXY}.crt").read_bytes())
    of_proxies = x509.load_pem_x509_certificate((layout.pki / "front-proxy-ca.crt").read_bytes())
    proxy.verify_directly_issued_by(of_proxies)
    with pytest.raises(ValueError, match="Issuer"):  # whoever is issued by it speaks for anybody
        proxy.verify_directly_issued_by(authority)


def test_every_component_is_described_to_the_node() -> None:
    layout = layouts.layout_for(Path("/home/a/x"))
    built = components.build_components(layout, Path("/cache/bin"), "/usr/bin/containerd")
    assert [each.name for each in built] == [Path(each.argv[0]).name for each in built]
    assert f"--audit-log-path={layout.audit_log}" in built[2].argv
    assert built[2].waits_for == "127.0.0.1:2379"


def test_programs_report_the_version_that_go_mod_pins() -> None:
    version = binaries.version_of(binaries.KUBERNETES)
    assert re.fullmatch(r"v1\.34\.\d+", version)
    flags = binaries.linker_flags(binaries.KUBERNETES)
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=34" in flags
    assert binaries.folder_of(binaries.KUBERNETES) != binaries.folder_of(binaries.HELM)


@pytest.mark.parametrize(
    ("platform", "user", "words"),
    [("darwin", 0, "needs Linux"), ("linux", 1000, "needs root")],
)
def test_a_machine_that_cannot_have_a_cluster_is_told_in_one_line(
    platform: str,
    user: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(sys, "argv", ["local.cluster", "up"])

    assert command_line.main() == 3

    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert "CONTEXT=" in line


def test_missing_go_and_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(progresses.MissingError, match=r"Go >= .*CONTEXT="):
        prerequisites.ensure(PROGRESS)
    monkeypatch.setattr(prerequisites, "SEARCH_PATH", "/nowhere")
    with pytest.raises(progresses.MissingError, match=r"missing .*: buildah runc; .*CONTEXT="):
        prerequisites.ensure_packages(["buildah", "runc"], PROGRESS)


def test_a_failing_apt_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: no network' >&2\nexit 100\n")
    apt.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(prerequisites, "SEARCH_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(
        progresses.MissingError, match=r"missing: runc; apt-get update failed \(E: no network"
    ):
        prerequisites.ensure_packages(["runc"], PROGRESS)


def test_a_component_that_ends_soon_waits_longer_each_time() -> None:
    component = node.Supervised(name="x", argv=["x"], waits_for="", authority="", pid=7)
    delays = []
    for _ in range(7):
        component.started = node.time.monotonic()
        node._schedule_restart(component, 1)
        delays.append(round(component.start_at - component.started, 1))
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    component.started = node.time.monotonic() - node.STABLE_SECONDS - 1
    node._schedule_restart(component, 1)
    assert round(component.start_at - node.time.monotonic(), 1) == 0.5


def test_cgroups_go_from_the_leaves_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "cgroup.subtree_control").write_text("")
    cgroups.create("tfso-1")
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory", "the last one written"
    (tmp_path / "tfso-1/kubepods/pod1").mkdir(parents=True)
    (tmp_path / "tfso-2").mkdir()

    cgroups.remove("tfso-1")

    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["tfso-2"]


def test_a_cache_entry_is_made_once_though_many_want_it(tmp_path: Path) -> None:
    made_at: list[Path] = []

    def make(path: Path) -> None:
        made_at.append(path)
        path.write_text("x")

    target = tmp_path / "entry"
    (tmp_path / ".entry.tmp-killed").mkdir()
    threads = [threading.Thread(target=cache.entry, args=(target, make)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made_at) == 1
    assert target.read_text() == "x"
    assert [path.name for path in tmp_path.iterdir() if ".tmp-" in path.name] == []


def test_a_failed_cache_entry_is_not_there(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.entry(tmp_path / "entry", make)
    assert not (tmp_path / "entry").exists()


def test_an_images_archive_names_what_it_holds() -> None:
    if not prerequisites.find("busybox"):
        pytest.skip("needs busybox-static")
    assert [*containers.images_in(made.pause())] == [configuration.PAUSE_IMAGE]


def test_errors_show_the_end_of_the_nodes_log(tmp_path: Path) -> None:
    layout = layouts.Layout(id="0", state=tmp_path)
    layout.logs.mkdir()
    (layout.logs / "node.log").write_text("".join(f"line {number}\n" for number in range(9)))
    assert readiness.last_lines(layout).splitlines()[:4] == ["line 5", "line 6", "line 7", "line 8"]


def test_the_command_line_lists_its_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.cluster", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=layouts.checkout(),
    )
    assert all(name in done.stdout for name in command_line.COMMANDS)
