"""What the process says line by line: one JSON object a line for machines, or text for people, on one stream.

A line has `ts` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, and what the caller passed in `extra`: `partition`, `offset`,
`exit_code`. **No account, merchant, device or transaction id ever stands in a log line**; a record is named by its position.

Faust and mode set logging up by themselves when run by their worker class, and throw our handler out. Keep it by passing
`logging_config=KEEP_OURS, loghandlers=[handler], redirect_stdouts=False` with the handler `configure` returns.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

KEEP_OURS: Final[dict[str, Any]] = {"version": 1, "incremental": True}
"""A `logging_config` for Faust that changes nothing."""

LIBRARIES = ("faust", "mode", "aiokafka", "asyncio", "aiohttp", "httpx", "httpcore", "numba", "urllib3", "kafka")
"""Loggers that are held one step above ours: at info they recite each service they start, numba at debug each byte code."""

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _Lines(logging.Formatter):
    """Lines for people; the fields of `extra` are left to the JSON lines."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 (logging's own name)
        return _timestamp(record)


class _Objects(JsonFormatter):
    """One JSON object a line. Fields of our own come first, and nobody's `extra` replaces them."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        extra: dict[str, Any] = {}
        super().add_fields(extra, record, message_dict)
        ours = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": extra.pop("message", "") or record.getMessage(),
        }
        log_data.update(ours)
        log_data.update((key, value) for key, value in extra.items() if key not in ours)


def configure(
    level: Literal["debug", "info", "warning", "error"],
    log_format: Literal["json", "text"],
    stream: TextIO | None = None,
) -> logging.Handler:
    """Route the root logger to `stream` (default: standard error) and nothing else, and hold the libraries back.

    Returns the one handler. Calling it again replaces what it set before. Python warnings become log lines.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Objects() if log_format == "json" else _Lines(_TEXT))
    number = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    held_back = {logging.DEBUG: logging.INFO, logging.INFO: logging.WARNING}.get(number, number)
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(held_back)
        library.propagate = True
        for old in library.handlers[:]:
            library.removeHandler(old)
    logging.getLogger("numba").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return handler


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
