"""What kopf calls: login, and each event of a ModelDeployment."""

import asyncio
import signal
from typing import Any

import kopf

from tfserving_operator.adapters.kube import login
from tfserving_operator.api import constants
from tfserving_operator.handlers import sessions
from tfserving_operator.reconcile import objects


def build_registry(
    *, account: login.Login, tokens: login.TokenSource, known: objects.Objects
) -> kopf.OperatorRegistry:
    """The handlers; nothing is registered globally."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def log_in(**_: Any) -> kopf.AiohttpSession:
        tokens.forget()  # called again after a 401, when kopf wants no session that it has had before
        return kopf.AiohttpSession(
            server=account.server,
            default_namespace=account.namespace,
            aiohttp_session=sessions.open_session(account, tokens.current()),
        )

    @kopf.on.event(constants.GROUP, constants.VERSION, constants.PLURAL, registry=registry)
    async def model_deployment(event: Any, **_: Any) -> None:
        raw = event["object"]
        if event["type"] == "DELETED":
            known.remove(raw)
        else:
            known.apply(raw)

    return registry


def handle_signals(stop: asyncio.Event) -> None:
    """Have SIGTERM and SIGINT set the event."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
