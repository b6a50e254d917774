"""The versions behind the development model server: they answer as TensorFlow does, and need what they claim."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
import requests

from local.demo import manifests, models, traffic
from local.progress import Progress

SERVER = Path(__file__).parents[3] / "local" / "bin" / "tensorflow_model_server"
MEBIBYTE = 2**20
LIMIT = 384 * MEBIBYTE


@pytest.fixture(scope="session")
def known() -> models.Models:
    return models.ensure(Progress(name="tests"))


@contextlib.contextmanager
def served(version: int, known: models.Models, folder: Path):
    """Serve one version and yield the process and the URL of its predict API."""
    (folder / "one").mkdir()
    (folder / "one" / str(version)).symlink_to(known.folder / models.MODEL / str(version))
    port = free_port()
    flags = [f"--rest_api_port={port}", f"--port={free_port()}", f"--model_name={models.MODEL}"]
    flags += [f"--model_base_path={folder / 'one'}"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([SERVER, *flags], stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}/v1/models/{models.MODEL}"
        wait_for(f"{url}/versions/{version}/metadata")
        yield process, f"{url}:predict"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=5).status_code == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def anonymous_bytes(process: subprocess.Popen) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the server has ended")


def predict(url: str, rows) -> np.ndarray:
    answer = requests.post(url, json={"instances": rows}, timeout=60)
    assert answer.status_code == 200, answer.text
    return np.array(answer.json()["predictions"])


def test_the_manifests_set_the_limit_that_these_tests_hold_the_versions_against(known):
    spec = manifests.model_deployment(4, known=known, image="i:1")["spec"]
    assert spec["resources"]["limits"]["memory"] == f"{LIMIT // MEBIBYTE}Mi"


@pytest.mark.parametrize("version", models.VERSIONS)
def test_a_version_answers_as_tensorflow_said_in_a_batch_and_alone(version, known, tmp_path):
    with served(version, known, tmp_path) as (_, url):
        rows = [list(image) for image in known.images]
        wanted = np.array(known.answers[version])
        np.testing.assert_allclose(predict(url, rows), wanted, atol=1e-5)
        np.testing.assert_allclose(predict(url, rows[:1]), wanted[:1], atol=1e-5)


def test_version_4_holds_more_than_its_limit_as_soon_as_it_is_loaded(known, tmp_path):
    with served(4, known, tmp_path) as (process, _):
        assert anonymous_bytes(process) > LIMIT + 64 * MEBIBYTE


def test_version_5_is_small_until_a_large_batch_comes(known, tmp_path):
    with served(5, known, tmp_path) as (process, url):
        predict(url, [list(known.images[0])] * 16)
        assert anonymous_bytes(process) < LIMIT / 2
        large = [list(known.images[0])] * traffic.BURST_ROWS
        with futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(predict, url, large)
            most = anonymous_bytes(process)
            while not answer.done():
                most = max(most, anonymous_bytes(process))
                time.sleep(0.02)
        np.testing.assert_allclose(answer.result()[-1], known.answers[5][0], atol=1e-5)
        assert most > 2 * LIMIT
