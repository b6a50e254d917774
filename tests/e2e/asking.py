"""Run as a script in the cluster's network: asks a model over and over, each time by a connection of its own.

``python asking.py URL`` prints, until its standard input ends, a line for each request: when it began and ended, the
port that it came from, and ``ok`` or what went wrong.
"""

import http.client
import json
import socket
import sys
import threading
import time
from http import HTTPStatus
from urllib.parse import urlsplit

CLIENTS = 6
PAUSE_SECONDS = 0.02
TIMEOUT_SECONDS = 20
BODY = json.dumps({"instances": [[0.0, 5.0]]})
WANT = {"predictions": [5.0]}


def ask(url: str) -> tuple[int, str]:
    """One request by a connection of its own: the port that it came from, and how it went."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind(("", 0))  # so that the port is known of a connection that is refused, too
        port = int(connection.getsockname()[1])
        try:
            connection.connect((parts.hostname, parts.port))
            client = http.client.HTTPConnection(str(parts.hostname), parts.port)
            client.sock = connection
            client.request("POST", parts.path, BODY, {"Connection": "close"})
            answer = client.getresponse()
            said = answer.read()
            is_right = answer.status == HTTPStatus.OK and json.loads(said) == WANT
            return port, "ok" if is_right else f"{answer.status} {said[:80]!r}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return port, f"{type(error).__name__} {error}"


def run(url: str, ended: threading.Event) -> None:
    while not ended.is_set():
        began = time.time()
        port, result = ask(url)
        line = f"{began:.4f}\t{time.time():.4f}\t{port}\t{' '.join(result.split())}\n"
        sys.stdout.write(line)
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    ended = threading.Event()
    threads = [threading.Thread(target=run, args=(sys.argv[1], ended)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
