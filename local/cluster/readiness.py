"""Tells when a node is ready, and else what is in the way."""

import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from local import progress as progresses
from local.cluster import layout as layouts
from local.cluster import namespaces

READY_SECONDS = 90.0
"""How long a node may take from its start to be ready."""

PATIENCE_SECONDS = 45.0
"""How long a node that runs already may take before it counts as half dead."""

POLL_SECONDS = 0.25
"""How often the node is asked whether it is ready."""

SHOWN_LINES = 4
"""How many of the last lines of the node's log an error shows."""


def wait_until_ready(
    layout: layouts.Layout, programs: Path, progress: progresses.Progress, *, seconds: float
) -> None:
    """Wait for all components, the API server, the node, and Services.

    Raises
    ------
    TimeoutError
        The node does not get ready; says what is in the way.
    """
    deadline = time.monotonic() + seconds
    service = f"--server=https://{layouts.API_SERVICE_IP}"
    condition = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    account = ["get", "serviceaccount", "default", "-o", "name"]
    ask = partial(_kubectl_problem, layout, programs)
    steps: list[tuple[str, Callable[[], str]]] = [
        ("all components", partial(_components_problem, layout)),
        ("API server", partial(ask, ["get", "--raw=/readyz"], "ok")),
        ("node", partial(ask, ["get", "node", layouts.NODE_NAME, "-o", condition], "True")),
        ("Service network", partial(ask, [service, "get", "--raw=/readyz"], "ok")),
        ("default service account", partial(ask, account, "serviceaccount/default")),
    ]
    for what, problem in steps:
        wait(partial(_problem_of_living, layout, problem), deadline, layout)
        progress.say(f"{what} ready")


def wait(problem: Callable[[], str], deadline: float, layout: layouts.Layout) -> None:
    """Wait until there is no problem any more, or raise TimeoutError with the last one."""
    while found := problem():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found}\n{last_lines(layout)}")
        time.sleep(POLL_SECONDS)


def last_lines(layout: layouts.Layout) -> str:
    """Return the end of the node's log, where components that end are told, and where to read on."""
    log = layout.logs / "node.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(
        [*lines[-SHOWN_LINES:], f"(logs: {layout.logs}; make cluster-down cluster-up starts afresh)"]
    )


def _problem_of_living(layout: layouts.Layout, problem: Callable[[], str]) -> str:
    if namespaces.node_pid(layout) is None:
        raise TimeoutError("the node's first process has ended")
    return problem()


def _components_problem(layout: layouts.Layout) -> str:
    spec = json.loads((layout.config / "node.json").read_text())
    missing = {each["name"] for each in spec["components"]} - namespaces.component_pids(layout).keys()
    return f"not running: {', '.join(sorted(missing))}" if missing else ""


def _kubectl_problem(layout: layouts.Layout, programs: Path, arguments: list[str], wanted: str) -> str:
    kubectl = [f"{programs}/kubectl", f"--kubeconfig={layout.kubeconfig}", "--request-timeout=1s"]
    command = [*namespaces.enter(layout), *kubectl, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode == 0 and done.stdout.strip() == wanted:
        return ""
    return (done.stderr.strip() or done.stdout.strip() or "no answer").splitlines()[-1]
