"""The pool of threads that answers REST requests, and what the HTTP server does by itself."""

import contextlib
import gzip
import socket
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import pytest

from local.modelserver import web
from tests.local.modelserver import servers

SLOW_REQUESTS = 64
WAIT_SECONDS = 2.0
BATCHING = (
    f"max_batch_size {{ value: 1000 }} batch_timeout_micros {{ value: {int(WAIT_SECONDS * 1e6)} }}"
    " num_batch_threads { value: 2 }"
)


@pytest.fixture(scope="module")
def base(models: Path) -> str:
    return f"--model_base_path={models / 'line'}"


def batching(folder: Path) -> tuple[str, str]:
    (folder / "batching.config").write_text(BATCHING)
    return "--enable_batching", f"--batching_parameters_file={folder / 'batching.config'}"


@pytest.fixture(scope="module")
def patient(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server whose every prediction waits for more, with threads for all that wait."""
    folder = tmp_path_factory.mktemp("patient")
    flags = ("--model_name=m", base, "--rest_api_num_threads=72", "--rest_api_enable_cors_support")
    with servers.running(folder, *flags, *batching(folder)) as process:
        yield process


def test_metadata_are_told_while_many_requests_wait_for_their_batch(patient: servers.Server) -> None:
    with futures.ThreadPoolExecutor(SLOW_REQUESTS) as clients:
        waiting = [clients.submit(patient.predict, "m", {"instances": [i]}) for i in range(SLOW_REQUESTS)]
        time.sleep(WAIT_SECONDS / 2)
        assert patient.get("/v1/models/m/metadata").status == 200
        assert not any(each.done() for each in waiting)
        answers = [each.result().json for each in waiting]
    assert answers == [{"predictions": [float(i)]} for i in range(SLOW_REQUESTS)]


def test_metadata_are_told_while_many_requests_are_computed(models: Path, tmp_path: Path) -> None:
    flags = ("--model_name=m", f"--model_base_path={models / 'slow'}", "--rest_api_num_threads=72")
    with servers.running(tmp_path, *flags) as server:
        server.predict("m", {"instances": [1]})
        with futures.ThreadPoolExecutor(SLOW_REQUESTS) as clients:
            computed = [
                clients.submit(server.predict, "m", {"instances": [100]}) for _ in range(SLOW_REQUESTS)
            ]
            time.sleep(0.2)
            assert server.get("/v1/models/m/metadata").status == 200
            assert not all(each.done() for each in computed), "metadata waited for the work"
            assert {each.result().status for each in computed} == {200}


def test_with_few_threads_metadata_wait_for_their_turn(base: str, tmp_path: Path) -> None:
    flags = ("--model_name=m", base, "--rest_api_num_threads=2")
    with (
        servers.running(tmp_path, *flags, *batching(tmp_path)) as server,
        futures.ThreadPoolExecutor(1) as client,
    ):
        began = time.monotonic()
        slow = client.submit(server.predict, "m", {"instances": [1]})
        time.sleep(WAIT_SECONDS / 4)
        assert server.get("/healthz").status == 404, "what no route knows needs no thread"
        assert not slow.done()
        assert server.get("/v1/models/m").status == 200
        assert time.monotonic() - began >= WAIT_SECONDS, "it was answered before the batch was due"
        assert slow.result().status == 200


GZIPPED = gzip.compress(b'{"instances": [0]}')
TOO_LARGE = gzip.compress(b'{"instances": [0]}' + b" " * web.MAX_UNCOMPRESSED_BYTES, compresslevel=1)


@pytest.mark.parametrize(
    "body",
    [b"no gzip", GZIPPED[:-12], GZIPPED + b"more", TOO_LARGE, b""],
    ids=["no gzip", "cut", "more", "too large", "empty"],
)
def test_a_body_that_cannot_be_uncompressed_is_no_body(server: servers.Server, body: bytes) -> None:
    answer = server.request("POST", "/v1/models/line:predict", body, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.error) == (400, "JSON Parse error: The document is empty")


def test_a_compressed_body_needs_its_header(server: servers.Server) -> None:
    answer = server.request("POST", "/v1/models/line:predict", GZIPPED)
    assert (answer.status, answer.error) == (400, "JSON Parse error: Invalid value. at offset: 0")


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1", "/v2/models/line", "/monitoring/prometheus/metrics"]
)
def test_the_http_library_answers_what_no_route_knows(server: servers.Server, path: str) -> None:
    answer = server.get(path)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html")
    assert answer.body == (
        "<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
    )


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_verbs_are_malformed(server: servers.Server, verb: str) -> None:
    answer = server.request(verb, "/v1/models/line")
    assert (answer.status, answer.error) == (400, f"Malformed request: {verb} /v1/models/line")


def test_the_verb_trace_is_the_http_librarys(server: servers.Server) -> None:
    answer = server.request("TRACE", "/v1/models/line")
    assert (answer.status, answer.headers["content-type"]) == (501, "text/html")


def test_the_api_answers_a_head_request_without_a_body(server: servers.Server) -> None:
    answer = server.request("HEAD", "/v1/models/line")
    assert (answer.status, answer.body) == (400, "")


CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}


@pytest.mark.parametrize("path", ["/v1/models/m", "/v1/models/none"])
def test_browsers_of_other_origins_are_let_in_if_the_flag_says_so(
    patient: servers.Server, server: servers.Server, path: str
) -> None:
    assert CORS.items() <= patient.get(path).headers.items()
    assert not CORS.keys() & server.get(path).headers.keys()


def test_a_browser_may_ask_before_it_posts(patient: servers.Server) -> None:
    answer = patient.request("OPTIONS", "/v1/models/m:predict")
    assert (answer.status, answer.body) == (200, "")
    assert CORS.items() <= answer.headers.items()


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")),
    ],
)
def test_both_families_of_addresses_are_listened_on(server: servers.Server, address: str) -> None:
    with socket.create_connection((address, server.port), timeout=10) as connection:
        connection.sendall(b"GET /v1/models/line HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in connection.recv(1000)
