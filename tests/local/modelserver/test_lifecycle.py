"""From a folder to an available version and to its end: order, threads, retries, policies."""

import datetime as dt
import re
import shutil
import time
from concurrent import futures
from pathlib import Path

import pytest

from local.modelserver import errors, savedmodel, versions
from tests.local.modelserver import management, servers

ALL = "model_version_policy { all {} }"
SLOW_ROUNDS = 6000.0
LOADING = re.compile(
    r"^(\S+ \S+): I \S+ Loading servable version \{name: (\w+) version: (\d+)\}$", re.MULTILINE
)


def link(base: Path, version: str, target: Path) -> None:
    base.mkdir(exist_ok=True)
    (base / version).symlink_to(target)


def begun(server: servers.Server) -> list[tuple[dt.datetime, str, int]]:
    return [
        (dt.datetime.fromisoformat(at), name, int(version))
        for at, name, version in LOADING.findall(server.log)
    ]


def wait_for_states(server: servers.Server, wanted: dict[int, str], model: str = "m") -> None:
    servers.wait_for(lambda: server.states(model) == wanted, f"{model} is {wanted}")


def test_the_manager_begins_one_load_every_100_ms_the_highest_version_first(
    models: Path, tmp_path: Path
) -> None:
    flag = servers.config_file(tmp_path, servers.model("m", models / "line", ALL))
    with servers.running(tmp_path, flag, "--num_load_threads=4") as server:
        wait_for_states(server, dict.fromkeys((1, 2, 10), "AVAILABLE"))
        loads = begun(server)
        assert [version for _, _, version in loads] == [10, 2, 1]
        # A late beginning is followed by one in time: only the first and the last are far from each other
        assert loads[-1][0] - loads[0][0] > dt.timedelta(seconds=0.05), "they began in one look"


def test_the_first_loads_run_at_once_and_the_ports_open_when_all_that_began_are_done(
    models: Path, loading_models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    link(base, "2", models / "line" / "2")
    link(base, "1", loading_models / "warm_slow" / "1")
    link(base, "3", loading_models / "warm_slow" / "1")
    flag = servers.config_file(tmp_path, servers.model("m", base, ALL))
    with servers.running(tmp_path, flag) as server:
        # One version was available long before; nobody could ask it until the slow one was, too.
        loaded = server.log.index("Successfully loaded servable version {name: m version: 3}")
        assert server.log.index("Loading servable version {name: m version: 2}") < loaded
        assert server.states("m")[3] == server.states("m")[2] == "AVAILABLE"


@pytest.mark.parametrize(("threads", "is_concurrent"), [(0, False), (1, False), (2, True)])
def test_later_loads_run_one_by_one_or_on_as_many_threads_as_the_flag_says(
    models: Path, loading_models: Path, tmp_path: Path, threads: int, is_concurrent: bool
) -> None:
    bases = [tmp_path / name for name in ("a", "b")]
    for base in bases:
        link(base, "1", models / "line" / "1")
    flag = servers.config_file(tmp_path, *(servers.model(base.name, base) for base in bases))
    with servers.running(tmp_path, flag, f"--num_load_threads={threads}") as server:
        link(bases[0], "2", loading_models / "warm_slow" / "1")
        servers.wait_for(lambda: server.states("a").get(2) == "LOADING", "a is loading")
        link(bases[1], "2", models / "line" / "2")
        servers.wait_for(lambda: server.states("b").get(2) == "AVAILABLE", "b is loaded")
        end_of_a = server.log.find("Successfully loaded servable version {name: a version: 2}")
        begin_of_b = server.log.index("Loading servable version {name: b version: 2}")
        assert (end_of_a == -1 or end_of_a > begin_of_b) is is_concurrent
        # Whatever the threads do, requests are answered.
        assert server.predict("a", {"instances": [0]}).status == 200


def test_a_version_is_unloaded_only_when_its_last_request_is_answered(
    models: Path, loading_models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    link(base, "1", loading_models / "slow" / "1")
    flags = ("--model_name=m", f"--model_base_path={base}", "--num_unload_threads=1")
    with servers.running(tmp_path, *flags) as server, futures.ThreadPoolExecutor(1) as client:
        answer = client.submit(server.predict, "m", {"instances": [2 * SLOW_ROUNDS]})
        link(base, "2", models / "line" / "2")
        wait_for_states(server, {1: "UNLOADING", 2: "AVAILABLE"})
        assert server.predict("m", {"instances": [0]}).json == {"predictions": [3.0]}
        assert not answer.done()
        assert answer.result().status == 200
        wait_for_states(server, {1: "END", 2: "AVAILABLE"})
        log = server.log
        steps = ("Quiescing", "Done quiescing", "Unloading", "Done unloading")
        places = [log.index(f"{step} servable version {{name: m version: 1}}") for step in steps]
        assert places == sorted(places)


@pytest.mark.parametrize(("threads", "is_held_up"), [(0, True), (1, False)])
def test_an_unload_in_the_managers_own_thread_holds_up_the_loads_of_all_models(
    models: Path, loading_models: Path, tmp_path: Path, threads: int, is_held_up: bool
) -> None:
    bases = [tmp_path / name for name in ("a", "b")]
    link(bases[0], "1", loading_models / "slow" / "1")
    link(bases[1], "1", models / "line" / "1")
    flag = servers.config_file(tmp_path, *(servers.model(base.name, base) for base in bases))
    given = (flag, f"--num_unload_threads={threads}")
    with servers.running(tmp_path, *given) as server, futures.ThreadPoolExecutor(1) as client:
        answer = client.submit(server.predict, "a", {"instances": [2 * SLOW_ROUNDS]})
        link(bases[0], "2", models / "line" / "2")
        servers.wait_for(lambda: server.states("a").get(1) == "UNLOADING", "the slow one is in the way")
        link(bases[1], "2", models / "line" / "2")
        servers.wait_for(lambda: server.states("b").get(2) == "AVAILABLE", "the other model is loaded")
        assert answer.result().status == 200
        servers.wait_for(lambda: server.states("a").get(1) == "END", "the slow one is gone")
        end_of_a = server.log.index("Done unloading servable version {name: a version: 1}")
        begin_of_b = server.log.index("Loading servable version {name: b version: 2}")
        assert (end_of_a < begin_of_b) is is_held_up


def test_a_load_that_fails_stays_loading_until_the_retries_are_used_up_and_ends_with_the_error(
    models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    flags = (
        *("--model_name=m", f"--model_base_path={base}", "--num_load_threads=1"),
        *("--max_num_load_retries=2", "--load_retry_interval_micros=700000"),
    )
    with servers.running(tmp_path, *flags) as server:
        begin = time.monotonic()
        link(base, "2", models / "truncated" / "1")
        servers.wait_for(lambda: "retry: 1" in server.log, "it is tried again")
        assert server.states("m") == {1: "AVAILABLE", 2: "LOADING"}
        assert server.predict("m", {"instances": [0]}).json == {"predictions": [2.0]}
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        assert time.monotonic() - begin > 1.4
        status = server.get("/v1/models/m").json["model_version_status"][0]["status"]
        assert status["error_code"] == "OUT_OF_RANGE"
        what = "Loading servable: {name: m version: 2}"
        assert server.log.count(f"{what} failed: OUT_OF_RANGE: Read less bytes than requested") == 3
        assert f"Retrying of {what} exhausted max_num_retries: 2" in server.log


def test_a_version_that_leaves_during_its_retries_is_not_tried_on(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    flags = (
        servers.config_file(tmp_path, servers.model("m", base, ALL)),
        *("--num_load_threads=1", "--max_num_load_retries=100", "--load_retry_interval_micros=500000"),
    )
    with servers.running(tmp_path, *flags) as server:
        link(base, "2", models / "nograph" / "1")
        servers.wait_for(lambda: "retry: 1" in server.log, "it is tried again")
        (base / "2").unlink()
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        assert "Retrying of Loading servable: {name: m version: 2} was cancelled." in server.log


def test_a_version_that_failed_is_tried_anew_only_after_it_has_left(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    flag = servers.config_file(tmp_path, servers.model("m", base, ALL))
    with servers.running(tmp_path, flag, *management.ONCE) as server:
        link(base, "2", models / "truncated" / "1")
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        (base / "2").unlink()
        link(base, "2", models / "line" / "2")  # between two looks: it never left
        time.sleep(1.5)
        assert server.states("m") == {1: "AVAILABLE", 2: "END"}
        (base / "2").unlink()
        time.sleep(1.5)
        link(base, "2", models / "line" / "2")
        wait_for_states(server, {1: "AVAILABLE", 2: "AVAILABLE"})


def test_a_failed_version_does_not_leave_as_long_as_an_older_one_serves_in_its_place(
    models: Path, tmp_path: Path
) -> None:
    # Only the latest version is wanted. The old one is wanted again once the failed one is gone: the original waits
    # for its end before it takes that wish up, and it does not end, because it is the only one that serves.
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    flags = ("--model_name=m", f"--model_base_path={base}", *management.ONCE)
    with servers.running(tmp_path, *flags) as server:
        link(base, "2", models / "truncated" / "1")
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        (base / "2").unlink()
        time.sleep(1.5)
        link(base, "2", models / "line" / "2")
        time.sleep(1.5)
        assert server.states("m") == {1: "AVAILABLE", 2: "END"}
        link(base, "3", models / "line" / "2")
        wait_for_states(server, {1: "END", 2: "END", 3: "AVAILABLE"})


def test_the_version_before_is_loaded_again_if_the_latest_one_leaves(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    for version in ("1", "2"):
        link(base, version, models / "line" / version)
    flags = ("--model_name=m", f"--model_base_path={base}")
    with servers.running(tmp_path, *flags) as server:
        assert server.states("m") == {2: "AVAILABLE"}
        (base / "2").unlink()
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        assert server.predict("m", {"instances": [0]}).json == {"predictions": [2.0]}


def test_a_version_that_comes_back_after_its_end_is_loaded_again(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    for version in ("1", "2"):
        link(base, version, models / "line" / version)
    flag = servers.config_file(tmp_path, servers.model("m", base, ALL))
    with servers.running(tmp_path, flag) as server:
        wait_for_states(server, dict.fromkeys((1, 2), "AVAILABLE"))
        (base / "2").unlink()
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        assert server.predict("m", {"instances": [0]}).json == {"predictions": [2.0]}
        link(base, "2", models / "line" / "2")
        wait_for_states(server, dict.fromkeys((1, 2), "AVAILABLE"))


def test_a_folder_that_is_looked_at_never_leaves_the_server_waiting(models: Path, tmp_path: Path) -> None:
    flags = (f"--model_base_path={models / 'line'}", "--file_system_poll_wait_seconds=-1")
    with servers.launched(tmp_path, *flags) as server:
        servers.wait_for(lambda: "(Re-)adding model: default" in server.log, "it has begun")
        time.sleep(1.5)
        assert server.process.poll() is None
        assert not server.is_listening()
        assert "Loading servable version" not in server.log


def test_one_missing_base_path_keeps_all_models_from_being_loaded(models: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    flag = servers.config_file(tmp_path, servers.model("m", models / "line"), servers.model("n", missing))
    with servers.launched(tmp_path, flag) as server:
        servers.wait_for(
            lambda: server.log.count("Could not find base path") > 1, "the base path is missed twice"
        )
        assert begun(server) == []
        missing.symlink_to(models / "dense")
        server.wait_until_listening()
        assert server.states("m") == {10: "AVAILABLE"}
        assert server.states("n") == {1: "AVAILABLE"}


def test_the_highest_version_that_has_come_to_something_decides_the_start(
    models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    link(base, "2", models / "nograph" / "1")
    flag = servers.config_file(tmp_path, servers.model("m", base, ALL))
    with servers.launched(tmp_path, flag, *management.ONCE) as server:
        assert server.wait_for_exit() == 255
        assert "{{{name: m version: 2} due to error: NOT_FOUND: " in server.output


@pytest.mark.parametrize(("policy", "want"), [("", {1: 3.0}), (ALL, {1: 2.0})])
def test_of_two_folders_of_one_version_the_policy_decides_which_is_loaded(
    models: Path, tmp_path: Path, policy: str, want: dict[int, float]
) -> None:
    base = tmp_path / "base"
    link(base, "01", models / "line" / "1")
    link(base, "1", models / "line" / "2")
    flag = servers.config_file(tmp_path, servers.model("m", base, policy))
    with servers.running(tmp_path, flag) as server:
        found = {
            version: server.predict("m", {"instances": [0]}, version=version).json["predictions"][0]
            for version in server.states("m")
        }
        assert found == want
        assert "Duplicate version directories detected. Version 1 will be loaded from 1, 01" in server.log


def test_what_is_no_number_is_no_version(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in ("1.0", "v1", "9223372036854775808", "1e3", "007"):
        link(base, name, models / "line" / "1")
    (base / ".hidden").mkdir()
    flag = servers.config_file(tmp_path, servers.model("m", base, ALL))
    with servers.running(tmp_path, flag) as server:
        assert server.states("m") == {7: "AVAILABLE"}


def test_a_latest_policy_of_no_versions_is_one_of_one(models: Path, tmp_path: Path) -> None:
    policy = "model_version_policy { latest { num_versions: 0 } }"
    flag = servers.config_file(tmp_path, servers.model("m", models / "line", policy))
    with servers.running(tmp_path, flag) as server:
        assert server.states("m") == {10: "AVAILABLE"}


def test_a_specific_version_that_is_missing_is_warned_of_and_loaded_when_it_comes(
    models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    link(base, "10", models / "line" / "10")
    policy = "model_version_policy { specific { versions: 1 versions: 2 } }"
    flag = servers.config_file(tmp_path, servers.model("m", base, policy))
    with servers.running(tmp_path, flag) as server:
        want = (
            "Version 2 of servable m, which was requested to be served as a 'specific' version in the servable's"
            " version policy, was not found in the file system"
        )
        assert want in server.log
        assert server.states("m") == {1: "AVAILABLE"}
        link(base, "2", models / "line" / "2")
        wait_for_states(server, dict.fromkeys((1, 2), "AVAILABLE"))


def test_a_copy_that_is_not_whole_fails_and_is_not_looked_at_again_when_it_is(
    models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    link(base, "1", models / "line" / "1")
    flags = ("--model_name=m", f"--model_base_path={base}", *management.ONCE)
    with servers.running(tmp_path, *flags) as server:
        (base / "2").mkdir()
        wait_for_states(server, {1: "AVAILABLE", 2: "END"})
        shutil.copytree(models / "line" / "2", base / "2", dirs_exist_ok=True)
        time.sleep(1.5)
        assert server.states("m") == {1: "AVAILABLE", 2: "END"}


def test_a_failure_that_nobody_expects_is_an_internal_error_of_the_version() -> None:
    def load(_: str) -> savedmodel.SavedModel:
        raise OSError("the disk is gone")

    version = versions.Version("m", 1, "/m/1")
    with pytest.raises(errors.ServingError, match="OSError") as raised:
        version.load(load, versions.Retries(count=0, interval_seconds=0))
    assert raised.value.code is errors.Code.INTERNAL
    assert version.phase is versions.Phase.ERROR
