"""/healthz, /readyz and /metrics."""

from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from tfserving_operator.adapters import metrics as metric

Ailments = Callable[[], Mapping[str, float]]


def build_app(
    *, ailments: Ailments, is_ready: Callable[[], bool], metrics: metric.Metrics
) -> web.Application:
    """The HTTP application.

    Parameters
    ----------
    ailments
        What is wrong, and for how many seconds: /healthz fails for it, so that a process that only looks alive
        is restarted.
    is_ready
        Whether the operator works, or stands by for one that does.
    metrics
        For /metrics.
    """

    async def healthz(_: web.Request) -> web.Response:
        found = {name: round(seconds, 1) for name, seconds in ailments().items()}
        body = orjson.dumps({"ok": not found, "ailments": found})
        return web.Response(status=503 if found else 200, body=body, content_type="application/json")

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.Response(
            status=200 if ready else 503, body=orjson.dumps({"ok": ready}), content_type="application/json"
        )

    async def scrape(_: web.Request) -> web.Response:
        text = await metrics.render()
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    return app
