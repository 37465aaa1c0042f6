"""Logs: one line an event, JSON or for a console, with the object's name and a reconcile number on each.

What libraries log through `logging` (kopf, aiohttp) goes the same way.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog

_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
"""The peer's names and Python's."""


def configure(*, level: str, form: str) -> None:
    """`level`: one of the table above. `form`: `json`, or anything else for the console. Raises ValueError."""
    if level.lower() not in _LEVELS:
        raise ValueError(f"log level {level} is not known: use one of {', '.join(_LEVELS)}")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # without the values of local variables, which its default prints: they may be tokens and Secrets
    plain = structlog.dev.plain_traceback
    final: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    if form == "json":
        final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level.lower()])
    for chatty in ("kopf", "aiohttp.access", "asyncio", "urllib3"):  # urllib3 logs URLs, which may hold secrets
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
