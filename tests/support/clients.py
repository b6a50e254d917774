"""A client that asks served models all the time, and what became of its requests."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from local.cluster import api as clusters

_PROGRAM = """
import json, sys, threading, time
import requests

urls, body = json.loads(sys.argv[1]), json.loads(sys.argv[2])
answers = {name: {"sent": 0, "failures": []} for name in urls}
ended = threading.Event()

def ask(name):
    while not ended.is_set():
        mine = answers[name]
        mine["sent"] += 1
        try:
            said = requests.post(urls[name], json=body, timeout=20)  # a connection of its own
            if said.status_code != 200:
                mine["failures"].append(f"{time.time():.2f}: {said.status_code} {said.text[:200]}")
        except requests.RequestException as error:
            mine["failures"].append(f"{time.time():.2f}: {error}")
        ended.wait(0.1)

threads = [threading.Thread(target=ask, args=(name,)) for name in urls]
for thread in threads:
    thread.start()
sys.stdin.read()
ended.set()
for thread in threads:
    thread.join()
print(json.dumps(answers))
"""


@dataclass
class Answers:
    """What a client got; filled when it has ended."""

    sent: dict[str, int] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)


@contextlib.contextmanager
def asking(
    cluster: clusters.Cluster, urls: Mapping[str, str], body: Mapping[str, object]
) -> Iterator[Answers]:
    """Post a body to each of some URLs, ten times a second and each time by a new connection."""
    answers = Answers()
    process = subprocess.Popen(
        clusters.command(
            cluster, [sys.executable, "-c", _PROGRAM, json.dumps(dict(urls)), json.dumps(dict(body))]
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield answers
        said, _ = process.communicate("", timeout=60)
        for name, one in json.loads(said).items():
            answers.sent[name], answers.failures[name] = one["sent"], one["failures"]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
