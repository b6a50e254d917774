"""What is asked of the served models of `export.py`."""

from typing import Any

import aiohttp
import numpy as np

from tests.adapters.serving import export_goldens
from tests.local.modelserver import servers
from tests.support import smoketests
from tfserving_operator.adapters import serving
from tfserving_operator.core.smoke import cases, plans

ROWS = np.random.default_rng(3).integers(0, 17, size=(6, 4)).astype(float)


async def smoke(
    session: aiohttp.ClientSession,
    server: servers.Server,
    model: str,
    given: list[dict[str, Any]] | None = None,
    **changed: Any,
) -> plans.TestOutcome:
    target = plans.Target(pod="digits-1-a", address=f"127.0.0.1:{server.port}")
    if control := changed.pop("control_server", None):
        address = f"127.0.0.1:{control.port}"
        changed |= {"control": plans.Target(pod="digits-0-a", address=address), "control_version": 1}
    request = smoketests.request(model_name=model, targets=(target,), **changed)
    return await serving.run_test(session, request, cases.resolve(given or []), smoketests.clock)


def rows(values: np.ndarray = ROWS, **golden: Any) -> list[dict[str, Any]]:
    return [{"name": f"row-{i}", "instances": [row.tolist()], **golden} for i, row in enumerate(values)]


def goldens() -> list[dict[str, Any]]:
    return [
        {
            **case,
            "expect": {
                "outputs": {"probabilities": export_goldens.good(np.array(case["instances"])).tolist()}
            },
        }
        for case in rows()
    ]
