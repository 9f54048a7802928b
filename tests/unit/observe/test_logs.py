"""Log lines as they reach the stream."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime

import mode.utils.logging
import pytest

from monitor.observe.logs import KEEP_OURS, LIBRARIES, configure

RESERVED = ("ts", "level", "logger", "message")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Whatever a test configures, the next one and pytest itself find logging as it was."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in LIBRARIES)]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_fields_of_its_caller():
    stream = io.StringIO()
    configure("info", "json", stream)
    before = datetime.now(UTC)
    logging.getLogger("monitor.app").warning("run %d committed", 7, extra={"partition": 3, "offset": 1003})
    (line,) = lines(stream)
    assert list(line)[:4] == list(RESERVED)
    assert line["level"] == "warning"
    assert line["logger"] == "monitor.app"
    assert line["message"] == "run 7 committed"
    assert (line["partition"], line["offset"]) == (3, 1003)
    assert set(line) == {*RESERVED, "partition", "offset"}
    assert str(line["ts"]).endswith("Z")
    written = datetime.fromisoformat(str(line["ts"]))
    assert abs((written - before).total_seconds()) < 60


def test_a_traceback_and_a_message_of_several_lines_stay_on_one_line():
    stream = io.StringIO()
    configure("info", "json", stream)
    try:
        raise ValueError("first\nsecond")  # noqa: TRY301
    except ValueError:
        logging.getLogger("monitor").exception("it\nfailed", extra={"exit_code": 75})
    (line,) = lines(stream)
    assert line["message"] == "it\nfailed"
    assert "ValueError: first\nsecond" in str(line["exc_info"])
    assert line["exit_code"] == 75


def test_an_extra_field_does_not_replace_a_field_of_ours():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("monitor").info("text", extra={"ts": "never", "level": "fatal", "logger": "x"})
    (line,) = lines(stream)
    assert line["level"] == "info"
    assert line["logger"] == "monitor"
    assert line["ts"] != "never"


def test_what_json_cannot_hold_is_written_in_words():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("monitor").info("text", extra={"reason": ValueError("x"), "raw": b"\xff", "set": {1}})
    assert lines(stream)[0]["message"] == "text"


def test_a_message_that_is_a_mapping_becomes_fields():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("monitor").info({"message": "told", "partition": 2})
    assert lines(stream)[0]["message"] == "told"
    assert lines(stream)[0]["partition"] == 2


def test_text_lines_are_for_people():
    stream = io.StringIO()
    configure("info", "text", stream)
    logging.getLogger("monitor").info("hello", extra={"partition": 3})
    stamp, level, rest = stream.getvalue().split(maxsplit=2)
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert (level, rest) == ("INFO", "monitor: hello\n")


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("debug", ["debug", "info", "warning", "error"], ["info", "warning", "error"]),
        ("info", ["info", "warning", "error"], ["warning", "error"]),
        ("warning", ["warning", "error"], ["warning", "error"]),
        ("error", ["error"], ["error"]),
    ],
)
@pytest.mark.parametrize("library", ["faust.tables.recovery", "mode.worker", "aiokafka.consumer.group_coordinator"])
def test_libraries_speak_one_step_later_than_we_do(level, ours, theirs, library):
    stream = io.StringIO()
    configure(level, "json", stream)
    for name in ("monitor.app", library):
        for severity in ("debug", "info", "warning", "error"):
            logging.getLogger(name).log(logging.getLevelNamesMapping()[severity.upper()], "text")
    written = lines(stream)
    assert [line["level"] for line in written if line["logger"] == "monitor.app"] == ours
    assert [line["level"] for line in written if line["logger"] == library] == theirs


def test_configured_twice_a_line_is_written_once():
    first, second = io.StringIO(), io.StringIO()
    configure("info", "json", first)
    configure("info", "json", second)
    logging.getLogger("monitor").info("text")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_warnings_of_python_become_lines():
    stream = io.StringIO()
    configure("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "old way" in str(line["message"])


def test_the_worker_class_of_faust_keeps_our_lines_when_told_so():
    stream = io.StringIO()
    handler = configure("info", "json", stream)
    mode.utils.logging.setup_logging(loglevel="INFO", logging_config=dict(KEEP_OURS), loghandlers=[handler])
    logging.getLogger("monitor").info("ours")
    logging.getLogger("faust").info("chatter")
    logging.getLogger("mode.worker").error("theirs: %s", "why")
    assert [line["message"] for line in lines(stream)] == ["ours", "theirs: why"]
