"""Refuse a plugin whose declared requirements are not met, before any of its code runs."""

from __future__ import annotations

from pagoda.plugins.candidates import Candidate
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.requirements import VersionOf, requirement_faults


def check_compatibility(candidate: Candidate, version_of: VersionOf) -> None:
    """Check the SDK, the Python version and all other requirements of a plugin's distribution.

    Raises:
        PluginRefused: one of them does not fit; the message lists all that do not.
    """
    of = candidate.distribution
    found = requirement_faults(candidate.label, of.version, of.requires_python, of.requires, version_of)
    if (fault := next(found, None)) is not None:
        raise PluginRefused(ReasonCode(fault.code), fault.text)
