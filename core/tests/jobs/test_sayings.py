"""What the host said of a job, as it is stored, is told in the language of whoever reads it."""

from __future__ import annotations

from string import Formatter
from time import process_time

import pytest
from django.utils.translation import gettext, override

from pagoda.jobs import sayings
from pagoda.jobs.sayings import TEMPLATES, told_of_job


def filled(template: str) -> tuple[str, dict[str, str]]:
    named = {name: f"{name}-7" for _, name, _, _ in Formatter().parse(template) if name}
    return template.format(**named), named


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_is_told_in_japanese_with_what_it_names(template: str) -> None:
    text, named = filled(template)
    with override("ja"):
        told = told_of_job(text)
        assert told == gettext(template).format(**named)
    assert told != text
    assert all(each in told for each in named.values())


def test_what_one_quotes_of_another_is_told_too() -> None:
    cause = sayings.PROCESS_EXITED.format(how="signal 9 (SIGKILL)")
    with override("ja"):
        told = told_of_job(sayings.LOST_OFTEN.format(lost=3, cause=cause))
        assert told_of_job(cause) in told
    assert "Worker" not in told
    assert "signal 9 (SIGKILL)" in told


@pytest.mark.parametrize("text", ["", "all is cancelled", "worker", "done\nworker lost: no"])
def test_what_tasks_say_stays(text: str) -> None:
    with override("ja"):
        assert told_of_job(text) == text


def test_a_long_text_of_a_task_takes_no_time() -> None:
    many = 150  # of each: 6,000 characters, of 10,000 that are stored
    tried = "operation a" + " is number b" * many + " in the job and c" * many + ", number d" * many
    nested = "cancelled; " * 900 + "x"
    started = process_time()
    with override("ja"):
        assert told_of_job(tried) == tried
        assert told_of_job(nested).endswith("x" + "\uff09" * 3)
    assert process_time() - started < 1


def test_programs_are_told_in_english() -> None:
    text = sayings.HARD_LIMIT.format(seconds=30)
    for language in ("en", "en-gb", None):
        with override(language):
            assert told_of_job(text) == text
