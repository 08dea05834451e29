"""Log records: one JSON object a line, with the ids that are bound to the context."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from pagoda.config.loading import load_settings
from pagoda.config.logging import configure_logging


@pytest.fixture
def stderr() -> Iterator[io.StringIO]:
    configuration, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with redirect_stderr(io.StringIO()) as stream:
        configure_logging(load_settings({"PAGODA_LOG_FORMAT": "json"}), service="api")
        yield stream
    structlog.contextvars.clear_contextvars()
    structlog.configure(**configuration)
    root.handlers[:] = handlers
    root.setLevel(level)


def records(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_bound_ids_are_in_every_record_of_both_libraries(stderr: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1", job_id=7, plugin="inventory")
    structlog.get_logger("pagoda.jobs").info("job claimed", attempt=1)
    logging.getLogger("django.request").warning("Not Found: %s", "/x")
    first, second = records(stderr)
    ids = {"request_id": "r1", "job_id": 7, "plugin": "inventory", "service": "api"}
    assert ids.items() <= first.items()
    assert ids.items() <= second.items()
    assert (first["event"], first["attempt"], first["level"]) == ("job claimed", 1, "info")
    assert (second["event"], second["logger"]) == ("Not Found: /x", "django.request")


def test_an_exception_keeps_its_traceback(stderr: io.StringIO) -> None:
    try:
        int("broken")
    except ValueError:
        structlog.get_logger("pagoda").exception("failed")
    (record,) = records(stderr)
    assert "ValueError: invalid literal" in str(record["exception"])


def test_records_below_the_level_are_dropped(stderr: io.StringIO) -> None:
    structlog.get_logger("pagoda").debug("detail")
    assert records(stderr) == []
