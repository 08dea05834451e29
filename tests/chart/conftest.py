from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml

from tools.chart import render
from tools.chart.rendering import CHART
from tools.chart.samples import EVERYTHING

Document = dict[str, Any]
Rendered = Callable[..., list[Document]]

CI_VALUES = {path.stem: path for path in sorted((CHART / "ci").glob("*.yaml"))}


@cache
def _rendered(values: str, options: str) -> str:
    return json.dumps(render(json.loads(values), **json.loads(options)))


@pytest.fixture(scope="session")
def rendered() -> Rendered:
    """Render values (by default none); each combination once per run."""

    def documents(values: Any = None, **options: Any) -> list[Document]:
        key = json.dumps(values or {}, sort_keys=True)
        found: list[Document] = json.loads(_rendered(key, json.dumps(options, sort_keys=True)))
        return found

    return documents


def migration_job(documents: list[Document]) -> Document:
    """Return the Job that migrates; the other one is a hook."""
    (job,) = [d for d in documents if d["kind"] == "Job" and d["metadata"]["name"] != "pagoda-check"]
    return job


def ci_values(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CI_VALUES[name].read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session", params=["defaults", "everything", *CI_VALUES])
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each set of values that the chart is to work with."""
    if request.param == "defaults":
        return {}
    if request.param == "everything":
        return copy.deepcopy(EVERYTHING)
    return ci_values(request.param)


@pytest.fixture(scope="session")
def documents(values: dict[str, Any], rendered: Rendered) -> list[Document]:
    return rendered(values)


@pytest.fixture(scope="session")
def everything(rendered: Rendered) -> list[Document]:
    return rendered(EVERYTHING)
