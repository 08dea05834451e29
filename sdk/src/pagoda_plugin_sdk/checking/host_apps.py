"""The host's own Django apps: an app of a plugin has another label."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.apps.config import AppConfig
from django.core.checks import CheckMessage

HOST_LABELS = frozenset(
    {
        *("audit", "entity", "entry", "fencing", "hooks", "idempotency", "job", "pagoda_api", "plugins"),
        *("rates", "search", "transfer", "user", "watching"),
        *("admin", "auth", "contenttypes", "messages", "sessions", "staticfiles"),
        *("account", "allauth", "openid_connect", "socialaccount"),  # where people log in elsewhere
        *("django_filters", "django_htmx", "drf_spectacular", "drf_spectacular_sidecar"),
        *("rest_framework", "unfold"),
    }
)
"""Labels of the apps that a host installs; a test of the host's holds them against what it has."""

_TABLES = {
    "audit": "auditevent auditseal failedlogins pendingevent",
    "auth": "group group_permissions permission",
    "entity": "entity entityattr entityattr_referral formerstate",
    "entry": "attribute attributereference attributevalue entry",
    "fencing": "breaker pluginswitch",
    "idempotency": "keptanswer",
    "job": "job jobfile joblog scheduletick",
    "rates": "logincount ratecount",
    "search": "savedsearch savedsearch_entities",
    "user": "apitoken groupnesting role role_groups role_users rolepermission "
    "user user_groups user_user_permissions",
    "watching": "alertstate migrationfault permissionuse presence queueminute trafficminute",
}
HOST_TABLES = frozenset(f"{app}_{name}" for app, names in _TABLES.items() for name in names.split()) | {
    *("django_admin_log", "django_content_type", "django_migrations", "django_session"),
}
"""Tables that a host has in its database; the same test holds them against what it has."""


def is_hosts(label: str) -> bool:
    """Return whether the app of this label is there in a host alone: not where a plugin is checked."""
    return label in HOST_LABELS and label not in apps.app_configs


def may_be_elsewhere(fault: CheckMessage, *, has_others: bool) -> bool:
    """Return whether a fault is a relation to a model of the host, or, with `has_others`, of a plugin."""
    if fault.id not in ("fields.E300", "fields.E307"):
        return False
    relation = getattr(fault.obj, "remote_field", None)
    return has_others or is_hosts(str(getattr(relation, "model", "")).partition(".")[0])


def label_fault(config: AppConfig) -> str | None:
    """Return the sentence on an app that has the label of one of the host's, None when it has not."""
    if config.label not in HOST_LABELS:
        return None
    return (
        f"Its Django app {config.name!r} has the label {config.label!r}, which an app of the host has. "
        "Give its AppConfig another `label`, or take it out of `django_apps`: what the host has is "
        "there for all."
    )


def table_faults(config: AppConfig) -> Iterator[str]:
    """Yield a sentence on each model of an app whose table is one of the host's."""
    for model in config.get_models(include_auto_created=True):
        table = model._meta.db_table
        if model._meta.managed and not model._meta.proxy and table in HOST_TABLES:
            yield f"Its model {model._meta.label} has the table {table!r}, which the host has. Name another."
