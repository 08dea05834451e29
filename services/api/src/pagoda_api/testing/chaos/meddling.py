"""What is done to one call of a handler or task, and what is seen of it meanwhile."""

from __future__ import annotations

import ast
import enum
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from django.db import DatabaseError, OperationalError, connection

from pagoda_plugin_sdk.exceptions import JobCanceled
from pagoda_plugin_sdk.washing import washed_error

EDGES = frozenset({"__enter__", "__exit__", "__del__"})
"""Nothing is cut off in them: what a block holds is given back there, and the host spares them, too."""

PASSED_OVER = ("importlib", "weakref")
"""Parts of names of files whose code is called where nothing names it: by imports, for what is dropped."""


class Harm(enum.Enum):
    """What a host may do."""

    ABSENT = "absent"  # it is not called, to know what is there without it
    NONE = "no fault"
    CUT = "cut off"
    CANCELED = "cancelled"
    AWAY = "database away"
    TWICE = "run twice"
    UNDONE = "rolled back"


@dataclass(slots=True)
class Meddler:
    """Calls a handler or task as its fault wants. Any below: arguments and results are of every type."""

    fault: Harm
    at: int  # which of the places, queries or checkpoints is hit, from 0
    sources: tuple[str, ...]  # folders and files of the plugin's code
    cutting: Callable[[], BaseException]  # makes what the host raises to cut it off
    refuses: Callable[[BaseException], bool]  # whether an error is its verdict
    is_armed: bool = False
    calls: int = 0
    places: list[str] = field(default_factory=list)  # "file:line" of each call that the plugin's code made
    queries: list[str] = field(default_factory=list)
    checkpoints: int = 0
    fences: int = 0
    raised: str = ""  # what came out of it although nothing was done to it that explains it
    went_on: bool = False  # it returned after it was cut off
    _hit: BaseException | None = None

    def call(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        """Call the function; what it raises is noted and raised."""
        if not self.is_armed:
            return function(*args, **keywords)
        self.calls += 1
        if self.fault is Harm.ABSENT:
            return None
        made = self.cutting()  # here, as it is to be meant for what runs now
        self.cutting = lambda: made
        try:
            with connection.execute_wrapper(self._query):
                sys.setprofile(self._profile)
                try:
                    result = function(*args, **keywords)
                finally:
                    sys.setprofile(None)
        except BaseException as error:
            self._note(error)
            raise
        self.went_on = self.fault is Harm.CUT and self._hit is not None
        return result

    def _note(self, error: BaseException) -> None:
        if self._hit is None and self.refuses(error):
            return
        expected = (self._hit, self._hit and self._hit.__cause__)
        chain = {error, error.__cause__, getattr(error.__cause__, "__cause__", None)}
        of_database = self.fault is Harm.AWAY and isinstance(error, DatabaseError)
        if not (chain - {None}) & set(expected) and not of_database and not isinstance(error, JobCanceled):
            self.raised = washed_error(error)

    def _query(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        found = re.search(r'(?:FROM|INTO|UPDATE)\s+"?(\w+)', str(sql))
        self.queries.append(f"{str(sql).split()[0]} {found[1] if found else ''}".strip())
        if self.fault is Harm.AWAY and len(self.queries) > self.at:
            self._hit = OperationalError("the database is away (chaos)")
            raise self._hit
        return execute(sql, *rest)

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        """See a call of the plugin's code, and raise in its place: so does what runs too long end."""
        if event == "c_call":
            caller, name = frame, arg.__name__
        elif event == "call" and frame.f_back is not None:
            caller, name = frame.f_back, frame.f_code.co_name
        else:
            return
        file = caller.f_code.co_filename
        is_passed_over = name in EDGES or any(part in frame.f_code.co_filename for part in PASSED_OVER)
        if not file.startswith(self.sources) or is_passed_over or _is_cleaning(caller, self.sources):
            return
        self.places.append(f"{Path(file).name}:{caller.f_lineno}")
        if self.fault is Harm.CUT and len(self.places) == self.at + 1:
            self._hit = self.cutting()
            raise self._hit


def _is_cleaning(frame: FrameType | None, sources: tuple[str, ...]) -> bool:
    """Return whether the code is in a ``finally`` or ``except``, or ends a block: it gives things back."""
    while frame is not None and frame.f_code is not Meddler.call.__code__:  # the host's frames are around it
        code = frame.f_code
        if code.co_name in EDGES:
            return True
        if code.co_filename.startswith(sources) and frame.f_lineno in _cleaning_lines(code.co_filename):
            return True
        frame = frame.f_back
    return False


@cache
def _cleaning_lines(file: str) -> frozenset[int]:
    """Return the lines of a file within ``finally`` and ``except``."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    nodes: list[ast.stmt | ast.ExceptHandler] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar):
            nodes += [*node.handlers, *node.finalbody]
    return frozenset(line for node in nodes for line in range(node.lineno, (node.end_lineno or 0) + 1))
