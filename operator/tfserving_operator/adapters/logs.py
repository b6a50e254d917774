"""Structured logs on standard error: ours through structlog, everybody else's through the same formatter."""

import logging
import sys
from enum import StrEnum

import structlog


class Format(StrEnum):
    """How a line of the log looks."""

    Json = "json"
    """means one JSON object for each line"""
    Console = "console"
    """means for people, in colour on a terminal"""


def configure(form: Format, *, level: int = logging.INFO) -> None:
    """Set up logging for the whole process."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    match form:
        case Format.Json:
            last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        case Format.Console:
            last += [
                structlog.dev.ConsoleRenderer(
                    colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
                )
            ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:-1],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # What they tell of every request and object at INFO is our DEBUG.
    for chatty in ("aiohttp.access", "kopf"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
