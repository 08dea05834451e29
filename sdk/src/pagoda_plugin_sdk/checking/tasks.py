"""Check that the functions of a plugin's tasks exist, as its declaration says."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from pagoda_plugin_sdk.checking.defaults import default_findings
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.hooks import call_fault
from pagoda_plugin_sdk.params import params_schema
from pagoda_plugin_sdk.task_config import PluginTaskConfig
from pagoda_plugin_sdk.task_registry import load_task
from pagoda_plugin_sdk.tasks import task_offset, task_options


def task_fault(config: PluginTaskConfig, name: str) -> CheckFinding | None:
    """Import the function of task `name` and return what is wrong with it. Call it inside a fence.

    Raises:
        Exception: whatever its module raises.
    """
    offset, function_name = config.tasks[name]
    try:
        import_module(config.module_path)
    except PluginValidationError as error:  # as its decorators raise
        return CheckFinding(code="bad_tasks", text=f"Task {name!r}: {error}")
    try:
        function = load_task(config.module_path, function_name)
    except PluginValidationError as error:
        return CheckFinding(code="task_not_found", text=f"Task {name!r}: {error}")
    if (fault := _form_fault(function)) is not None:
        return CheckFinding(code="bad_tasks", text=f"Task {name!r}: its function {fault}.")
    marked, options = task_offset(function), task_options(function)
    if options is not None:
        dataclasses.replace(options)  # checks them: the mark may be anybody's
        if options.params_model is not None:
            try:
                params_schema(options.params_model)
            except PluginValidationError as error:
                return CheckFinding(code="bad_tasks", text=f"Task {name!r}: {error}.")
    if marked is None or marked == int(offset):
        return None
    path = f"{config.module_path}.{function_name}"
    return CheckFinding(
        code="task_offset_mismatch",
        text=f"Task {name!r}: its declaration has offset {int(offset)}, the decorator of {path} has "
        f"{marked}. Give both the same.",
    )


def _form_fault(function: Callable[..., Any]) -> str | None:
    """Return why a task can't be called: with its job, or, one of Celery, with the id of its job."""
    if not hasattr(function, "delay"):
        return call_fault(function, ("job",), "job")
    if any(task_options(each) for each in (function, getattr(function, "__wrapped__", None))):
        return "is marked with @plugin_task and is a Celery task, too: take one of the two away"
    return call_fault(getattr(function, "run", function), ("job_id",), "job_id; with bind=True: self, job_id")


def params_findings(config: PluginTaskConfig) -> Iterator[CheckFinding]:
    """Yield what is wrong with the defaults of what its tasks are given."""
    for name, (_, function) in config.tasks.items():
        options = task_options(getattr(sys.modules.get(config.module_path), function, None))
        if options is not None and options.params_model is not None:
            yield from default_findings(f"Task {name!r}: `params_model`", options.params_model, "bad_tasks")


def unnamed_tasks(config: PluginTaskConfig) -> Iterator[CheckFinding]:
    """Yield a warning for each function that is marked as a task and that the declaration leaves out."""
    named = {function for _, function in config.tasks.values()}
    module = sys.modules.get(config.module_path)  # one that can't be imported is told by each of its tasks
    for name, function in vars(module).items() if module is not None else ():
        is_here = inspect.isfunction(function) and function.__module__ == config.module_path
        if is_here and task_options(function) is not None and not named & {name, function.__name__}:
            text = f"{config.module_path}.{name} is marked as a task, but PluginTaskConfig does not name it."
            text += " Add it, or take the mark away."
            yield CheckFinding(code="bad_tasks", text=text, is_warning=True)
