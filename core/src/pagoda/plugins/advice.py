"""What the author of a plugin that is served would mend: told by `pagoda plugins check`, and no fault."""

from __future__ import annotations

from collections.abc import Iterator

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.loaded import class_findings
from pagoda_plugin_sdk.checking.tasks import params_findings
from pagoda_plugin_sdk.checking.urls import url_findings
from pagoda_plugin_sdk.metadata import URL_MODULES
from pagoda_plugin_sdk.plugin import Plugin


def finding_texts(plugin: Plugin, label: str) -> Iterator[str]:
    """Yield a sentence for each finding; `label` begins the one on a plugin that can't be looked at.

    Its URL modules have been served before, or are told as faults.
    """
    try:
        with plugin_fence(ReasonCode.INVALID_PLUGIN, f"{label} can't be looked at", "Correct its class."):
            found = list(_findings(plugin))
    except PluginRefused as refused:
        yield str(refused)
        return
    for finding in found:
        yield finding.text


def _findings(plugin: Plugin) -> Iterator[CheckFinding]:
    yield from class_findings(plugin)
    if plugin.task_config is not None:
        yield from params_findings(plugin.task_config)
    for path in filter(None, (getattr(plugin, field) for field in URL_MODULES)):
        yield from url_findings(plugin, path)
