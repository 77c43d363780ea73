"""One event, one line: structlog for our own events and for those of the libraries."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


def configure(options: dict[str, Any]) -> None:
    """Set up logging as JSON lines or for a console (settings LOG_FORMAT, LOG_LEVEL)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if options["format"] == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                }
            },
            "filters": {"refused_requests": {"()": RefusedRequests}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # not Django's own handlers, which would write each line twice; and no SQL, whatever the level
                "django": {"level": "INFO" if options["level"] == "DEBUG" else options["level"], "handlers": []},
                "django.request": {"filters": ["refused_requests"]},
                "django.security.csrf": {"filters": ["refused_requests"]},
                "django.server": {"level": "WARNING"},
            },
        }
    )


class RefusedRequests(logging.Filter):
    """Tell a refused request (4xx) in one line of level INFO; a failed one (5xx) stays an error with its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lower a refusal to INFO; keep it only where that level is asked for."""
        status = getattr(record, "status_code", 0)
        if not 400 <= status < 500:
            return True
        method = getattr(getattr(record, "request", None), "method", "")
        record.msg, record.args, record.exc_info = f"{status} {method} {record.getMessage()}", (), None
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return logging.getLogger(record.name).isEnabledFor(logging.INFO)


@contextmanager
def quietly(verbosity: int) -> Iterator[None]:
    """
    Keep what goes as expected out of a command's output, since its answer is for people; warnings stay.

    Args:
        verbosity: of the command; from 2 on everything is shown.
    """
    root = logging.getLogger()
    level = root.level
    if verbosity < 2:
        root.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        root.setLevel(level)
