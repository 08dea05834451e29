"""The models that tasks declare of their params: asked when a job is made, and told as JSON schema."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import structlog

from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.fencing.reporting import described
from pagoda.hooks.manager import manager
from pagoda.jobs.job_errors import InvalidParams
from pagoda.jobs.operations import OperationSpec
from pagoda_plugin_sdk.exceptions import ParamsRefused
from pagoda_plugin_sdk.params import SCHEMA_MAX_BYTES, checked_params, params_schema
from pagoda_plugin_sdk.washing import washed_json

if TYPE_CHECKING:
    from pydantic import BaseModel

MODEL_SECONDS = 1.0
"""How long a model may take: what it checks is at hand."""

log = structlog.get_logger(__name__)


def require_params(spec: OperationSpec, text: str) -> None:
    """Check params, as JSON text, by the model of their task, where it has one.

    Its validators are the plugin's code: they run as such, within a time budget, and what they raise beside
    pydantic's own error is contained.

    Raises:
        ParamsRefused: they do not fit.
        InvalidParams: the model fails.
    """
    model = spec.options.params_model if spec.options is not None else None
    if model is None:
        return
    try:
        manager().budget.run_within(MODEL_SECONDS, spec.plugin_id, checked_params, model, text)
    except ParamsRefused as error:
        raise ParamsRefused(error.faults, spec.task_name) from None
    except BaseException as error:  # the fence
        if is_host_interrupt(error):
            raise
        log.exception("params_model_failed", plugin=spec.plugin_id, operation=spec.name)
        raise InvalidParams(
            f"Params of task {spec.task_name} can't be checked, as its params_model fails: {described(error)}"
        ) from error


def schema_of(spec: OperationSpec) -> dict[str, Any] | None:
    """Return the JSON schema of an operation's params, its texts washed; None for a task without a model."""
    model = spec.options.params_model if spec.options is not None else None
    return None if model is None else _schema(model)


@cache  # at most one per operation of the process
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema: dict[str, Any] = washed_json(params_schema(model), max_bytes=2 * SCHEMA_MAX_BYTES)
    return schema
