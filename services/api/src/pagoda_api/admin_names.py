"""What the admin calls tables and fields, and what its look says, in the language of whoever reads it.

Names of fields are Django's, made of the fields' own: a `verbose_name` of each would be a migration of each.
Unfold marks its texts and ships no Japanese; its catalogue is in ours, as Django looks a text up in all.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps
from django.contrib.admin import AdminSite
from django.db.models import Model
from django.utils.functional import lazy
from django.utils.translation import gettext, gettext_lazy, gettext_noop

_NOOP = gettext_noop

APPS = (
    *(_NOOP("Audit"), _NOOP("Entity"), _NOOP("Entry"), _NOOP("Fencing"), _NOOP("Jobs")),
    *(_NOOP("User"), _NOOP("Watching")),
)

NAMES = (
    *(_NOOP("action"), _NOOP("actor"), _NOOP("actor id"), _NOOP("alert state"), _NOOP("api token")),
    *(_NOOP("attempt"), _NOOP("attempt base"), _NOOP("attrs version"), _NOOP("audit event")),
    *(_NOOP("breaker"), _NOOP("calls"), _NOOP("can add entities"), _NOOP("cancel requested at")),
    *(_NOOP("changed at"), _NOOP("choices"), _NOOP("created at"), _NOOP("created time")),
    *(_NOOP("created user"), _NOOP("current values"), _NOOP("default permission")),
    *(_NOOP("default value"), _NOOP("depend on"), _NOOP("details"), _NOOP("digest")),
    *(_NOOP("entities"), _NOOP("entity attr"), _NOOP("entries"), _NOOP("expires time")),
    *(_NOOP("failures"), _NOOP("file name"), _NOOP("file size"), _NOOP("file type")),
    *(_NOOP("finished at"), _NOOP("happened at"), _NOOP("hard limit seconds")),
    *(_NOOP("hold reason"), _NOOP("holder"), _NOOP("host"), _NOOP("idempotency key")),
    *(_NOOP("index"), _NOOP("is active"), _NOOP("is delete in chain"), _NOOP("is firing")),
    *(_NOOP("is indexed"), _NOOP("is mandatory"), _NOOP("is silenced"), _NOOP("is summarized")),
    *(_NOOP("is told"), _NOOP("is waiting"), _NOOP("job"), _NOOP("job id"), _NOOP("kind")),
    *(_NOOP("last error"), _NOOP("last used time"), _NOOP("lease expires at")),
    *(_NOOP("lease owner"), _NOOP("level"), _NOOP("lost count"), _NOOP("max attempts")),
    *(_NOOP("networks"), _NOOP("next try at"), _NOOP("node"), _NOOP("note"), _NOOP("on behalf of")),
    *(_NOOP("on behalf of id"), _NOOP("on delete"), _NOOP("operation"), _NOOP("operation name")),
    *(_NOOP("owner"), _NOOP("params"), _NOOP("parent entity"), _NOOP("pid"), _NOOP("plugin")),
    *(_NOOP("plugin switch"), _NOOP("presence"), _NOOP("progress percent"), _NOOP("progress text")),
    *(_NOOP("publish at"), _NOOP("publish count"), _NOOP("published at"), _NOOP("queue")),
    *(_NOOP("reason"), _NOOP("referral"), _NOOP("registry digest"), _NOOP("request id")),
    *(_NOOP("result"), _NOOP("retry at"), _NOOP("retry backoff seconds"), _NOOP("role")),
    *(_NOOP("role permission"), _NOOP("rule"), _NOOP("run at"), _NOOP("schema"), _NOOP("scope")),
    *(_NOOP("seen at"), _NOOP("serial key"), _NOOP("service"), _NOOP("session salt")),
    *(_NOOP("since"), _NOOP("singleton key"), _NOOP("soft limit seconds"), _NOOP("started at")),
    *(_NOOP("status"), _NOOP("streaks"), _NOOP("subject"), _NOOP("subject id")),
    *(_NOOP("subject type"), _NOOP("surface"), _NOOP("target entity"), _NOOP("target entry")),
    *(_NOOP("target type"), _NOOP("task id"), _NOOP("text"), _NOOP("tries"), _NOOP("until")),
    *(_NOOP("updated at"), _NOOP("updated time"), _NOOP("window")),
)

OF_UNFOLD = (
    *(_NOOP("Add row"),),
    *(_NOOP("After you've created a user, you\u2019ll be able to edit more user options."),),
    *(_NOOP("All applications"), _NOOP("Apply Filters"), _NOOP("Available shortcuts")),
    *(_NOOP("Changelist shortcuts"), _NOOP("Choose file to upload"), _NOOP("Click to cancel")),
    *(_NOOP("Click to download"), _NOOP("Command tool shortcuts"), _NOOP("Create new record")),
    *(_NOOP("Dark"), _NOOP("Dataset not found. No action performed."), _NOOP("Date")),
    *(_NOOP("False"), _NOOP("Filters"), _NOOP("Forgotten your password or username?")),
    *(_NOOP("General"), _NOOP("Global shortcuts"), _NOOP("Go back"), _NOOP("Image preview")),
    *(_NOOP("Light"), _NOOP("Navigate"), _NOOP("No data"), _NOOP("No results found")),
    *(_NOOP("Nothing matched your search"), _NOOP("Open command tool"), _NOOP("Open selection")),
    *(_NOOP("Open selection in new tab"), _NOOP("Open shortcuts list")),
    _NOOP(
        "Raw passwords are not stored, so there is no way to see this user\u2019s password, but you can "
        'change the password using <a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    *(_NOOP("Recent searches"), _NOOP("Record picture"), _NOOP("Reset filters")),
    *(_NOOP("Return to site"), _NOOP("Search apps and models..."), _NOOP("Select")),
    *(_NOOP("Select action"), _NOOP("Select action to run"), _NOOP("Select currency")),
    *(_NOOP("Select record"), _NOOP("Select value"), _NOOP("Submit"), _NOOP("System")),
    *(_NOOP("This item will be deleted."), _NOOP("This page yielded into no results.")),
    *(_NOOP("Toggle dark/light mode"), _NOOP("Toggle filter"), _NOOP("Toggle password visibility")),
    *(_NOOP("Toggle sidebar"), _NOOP("True"), _NOOP("Type to search"), _NOOP("Welcome")),
    *(_NOOP("Welcome back to"),),
    *(_NOOP("You have been successfully logged out from the administration"),),
)


def named_in_languages(site: AdminSite) -> None:
    """Have what `site` shows of models without translated names be named in the reader's language."""
    shown = {model: admin.inlines for model, admin in site._registry.items()}  # noqa: SLF001 - no other way to them
    inlines = [each.model for admin in shown.values() for each in admin]
    _name({*shown, *inlines})
    for app in apps.get_app_configs():
        if app.verbose_name in APPS:
            app.verbose_name = gettext_lazy(app.verbose_name)


def _of_many(one: str, many: str) -> str:
    """Return what Django makes of a table's name for many, or the name alone in languages that add no s."""
    translated = gettext(one)
    return many if translated == one else translated


_lazily_of_many = lazy(_of_many, str)


def _name(models: Iterable[type[Model]]) -> None:
    for model in models:
        if "verbose_name_plural" not in model._meta.original_attrs:
            one, many = str(model._meta.verbose_name), str(model._meta.verbose_name_plural)
            model._meta.verbose_name_plural = _lazily_of_many(one, many)
        named = [model._meta, *model._meta.fields, *model._meta.many_to_many]
        for each in named:
            for attribute in ("verbose_name", "verbose_name_plural"):
                text = getattr(each, attribute, None)
                if isinstance(text, str):
                    setattr(each, attribute, gettext_lazy(text))
