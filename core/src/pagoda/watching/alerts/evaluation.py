"""From findings to transitions: whoever changes an alert's row, compare-and-set, has seen it first."""

from __future__ import annotations

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from pagoda.audit.actions import Action
from pagoda.audit.recording import record
from pagoda.watching.alerts.rules import RULES, AlertFinding, Facts, Rule
from pagoda.watching.models import AlertState
from pagoda_plugin_sdk.washing import washed

log = structlog.get_logger(__name__)


def evaluate() -> int:
    """Look at every rule and note what began and what is over; return how many transitions that were."""
    facts = Facts()
    return sum(_evaluate(name, rule, facts) for name, rule in RULES.items())


def _evaluate(name: str, rule: Rule, facts: Facts) -> int:
    try:
        findings = {finding.subject[:200]: finding for finding in rule(facts)}
    except Exception:  # the fence: a rule that can't be read leaves its alerts as they are
        log.exception("alert_rule_failed", rule=name)
        return 0
    known = {state.subject: state for state in AlertState.objects.filter(rule=name)}
    begun = [
        finding
        for subject, finding in findings.items()
        if subject not in known or not known[subject].is_firing
    ]
    over = [state for subject, state in known.items() if state.is_firing and subject not in findings]
    fired = [_fire(name, finding, known.get(finding.subject[:200])) for finding in begun]
    return sum([*fired, *(_change(state, is_firing=False, text=state.text) for state in over)])


def _fire(rule: str, finding: AlertFinding, state: AlertState | None) -> bool:
    with transaction.atomic():
        is_mine = (
            _create(rule, finding)
            if state is None
            else _change(state, is_firing=True, text=washed(finding.text))
        )
        if is_mine and rule == "plugin_skipped":
            details = {"text": finding.text}
            record(
                Action.PLUGIN_SKIPPED,
                subject_type="plugin",
                subject_id=finding.subject,
                subject=finding.subject,
                details=details,
                plugin=finding.plugin,
            )
    return is_mine


def _create(rule: str, finding: AlertFinding) -> bool:
    try:
        with transaction.atomic():
            AlertState.objects.create(
                rule=rule,
                subject=finding.subject[:200],
                plugin=finding.plugin,
                text=washed(finding.text),
                is_firing=True,
                is_told=False,
                version=1,
            )
    except IntegrityError:  # another dispatcher was faster
        return False
    return True


def _change(state: AlertState, *, is_firing: bool, text: str) -> bool:
    changed = AlertState.objects.filter(pk=state.pk, version=state.version).update(
        is_firing=is_firing,
        text=text,
        changed_at=Now(),
        version=state.version + 1,
        is_told=False,
        is_silenced=False,
        tries=0,
        next_try_at=None,
    )
    return bool(changed)
