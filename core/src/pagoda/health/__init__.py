"""Whether this process can do its work: checks of database, migrations, broker and plugin registry."""

from pagoda.health.checks import CHECKS, run_checks
from pagoda.health.results import CheckFailed, CheckResult, CheckStatus, Finding

__all__ = ["CHECKS", "CheckFailed", "CheckResult", "CheckStatus", "Finding", "run_checks"]
