"""What the host says of jobs: stored in English, as nobody reads it yet, and told in the reader's language.

A text that fits one of the templates is said anew, what it quotes too; others, such as those of tasks, stay
as they are.
"""

from __future__ import annotations

import re
from itertools import batched

from django.utils.translation import get_language, gettext

TEMPLATES: list[str] = []


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogues, and note it. Django's asks for settings, which commands do without."""
    TEMPLATES.append(text)
    return text


CANCELED = gettext_noop("cancelled")
CANCELED_BY_OPERATOR = gettext_noop("cancelled by an operator")
CANCELED_WORKER_GONE = gettext_noop("cancelled; its worker is gone")
CANCELED_KILLED = gettext_noop("cancelled; the task did not stop by itself and was killed")
CANCELED_AS = gettext_noop("cancelled; {reason}")
LOST = gettext_noop("worker lost: {cause}")
LOST_ONCE = gettext_noop("worker lost 1 time (poison): {cause}")
LOST_OFTEN = gettext_noop("worker lost {lost} times (poison): {cause}")
HARD_LIMIT = gettext_noop("ran past its hard limit of {seconds} s")
SOFT_LIMIT = gettext_noop("Job {job} ran past its soft limit of {seconds} s.")
NO_HEARTBEAT = gettext_noop("no heartbeat from {owner}")
NODE_KILLED = gettext_noop("{node} was killed")
PROCESS_GONE = gettext_noop("its process is gone")
PROCESS_EXITED = gettext_noop("Worker exited prematurely: {how}.")
WORKER_STOPPED = gettext_noop("its worker was stopped")
OUT_OF_SERVICE = gettext_noop("the tasks of plugin {plugin} are out of service, as they failed too often")
TASK_UNKNOWN = gettext_noop("a worker of its queue does not know task {task}")
OTHER_NUMBER = gettext_noop(
    "operation {name} is number {number} in the job and {other}, number {other_number}, in this worker"
)
OTHER_NOW = gettext_noop("operation {number} is {other} now, not {name}; bring it back, or cancel the job")
NONE_OF_PLUGIN = gettext_noop(
    "plugin {plugin} has no operation {name}, number {number}; bring it back, or cancel the job"
)
NONE_OF_HOST = gettext_noop(
    "the host has no operation {name}, number {number}; bring it back, or cancel the job"
)
NOT_ACTIVE = gettext_noop(
    "plugin {plugin} is not active, `pagoda plugins list` says why; bring it back, or cancel the job"
)
NOT_ENABLED = gettext_noop("plugin {plugin} is not enabled; bring it back, or cancel the job")
SCHEDULED = gettext_noop("scheduled for {tick} UTC")
CANARY = gettext_noop("canary of {queue}")

_DEEPEST = 3  # a lost worker's cause, which names another's end


def told_of_job(text: str) -> str:
    """Return what the host said of a job in the language of this moment, any other text as it is."""
    return text if (get_language() or "en").startswith("en") else _told(text, _DEEPEST)


def _told(text: str, depth: int) -> str:
    for template, pattern in _PATTERNS if text and depth else ():
        if found := pattern.fullmatch(text):
            return gettext(template).format(
                **{name: _told(each, depth - 1) for name, each in found.groupdict().items()}
            )
    return text


def _pattern(template: str) -> re.Pattern[str]:
    """Return what fits a template. A place that has ended stays so: long texts of tasks take no time."""
    first, *others = re.split(r"\{(\w+)\}", template)
    places = [f"(?P<{name}>.+?){re.escape(fixed)}" for name, fixed in batched(others, 2)]
    ended = "".join(f"(?>{place})" for place in places[:-1])
    return re.compile(re.escape(first) + ended + "".join(places[-1:]), re.DOTALL)


_PATTERNS = [(each, _pattern(each)) for each in sorted(TEMPLATES, key=lambda each: each.count("{"))]
"""Those without places first: what they say fits others, too."""
