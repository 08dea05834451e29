"""The paths of the console, below ``/console/``."""

from __future__ import annotations

from django.urls import path, re_path
from django.views.i18n import set_language

from pagoda_api.console import (
    accounts,
    around,
    entity_forms,
    entries,
    home,
    jobs,
    many,
    operating,
    people,
    places,
    plugins,
    saved,
    schema,
    tasks,
)

urlpatterns = [
    path("", home.home, name="console-home"),
    path("login/", people.ConsoleLoginView.as_view(), name="console-login"),
    path("logout/", people.ConsoleLogoutView.as_view(), name="console-logout"),
    path("theme/", people.theme, name="console-theme"),
    path("language/", set_language, name="console-language"),
    path("me/", people.me, name="console-me"),
    path("me/tokens/", people.new_token, name="console-token-new"),
    path("me/tokens/<int:pk>/revoke/", people.revoke_token, name="console-token-revoke"),
    path("me/password/", people.password, name="console-password"),
    path("access/", accounts.access, name="console-access"),
    re_path(r"^accounts/(?P<kind>user|group|role)/$", accounts.listing, name="console-accounts"),
    re_path(r"^accounts/(?P<kind>user|group|role)/new/$", accounts.create, name="console-account-new"),
    re_path(r"^accounts/(?P<kind>user|group|role)/(?P<pk>\d+)/$", accounts.change, name="console-account"),
    re_path(
        r"^accounts/(?P<kind>user|group|role)/(?P<pk>\d+)/delete/$",
        accounts.delete,
        name="console-account-delete",
    ),
    path("search/", home.search, name="console-search"),
    path("entities/", entries.entities, name="console-entities"),
    path("entities/new/", entity_forms.create, name="console-entity-new"),
    path("entities/<int:pk>/edit/", entity_forms.change, name="console-entity-edit"),
    path("entities/<int:pk>/", entries.entity, name="console-entity"),
    path("entities/<int:pk>/new/", entries.create, name="console-entry-new"),
    path("entities/<int:pk>/bulk/", many.bulk, name="console-entity-bulk"),
    path("entities/<int:pk>/attributes/", schema.attributes, name="console-attributes"),
    path("entities/<int:pk>/attributes/new/", schema.add, name="console-attribute-new"),
    path("entities/<int:pk>/attributes/<int:attr>/", schema.change, name="console-attribute"),
    path("entities/<int:pk>/attributes/<int:attr>/remove/", schema.remove, name="console-attribute-remove"),
    path(
        "entities/<int:pk>/attributes/<int:attr>/restore/", schema.restore, name="console-attribute-restore"
    ),
    path("entities/<int:pk>/views/", saved.views, name="console-entity-views"),
    path("entities/<int:pk>/views/<int:saved>/delete/", saved.delete, name="console-view-delete"),
    path("entities/<int:pk>/export/", many.export, name="console-entity-export"),
    path("entities/<int:pk>/import/", many.upload, name="console-entity-import"),
    path("entries/<int:pk>/", entries.entry, name="console-entry"),
    path("entries/<int:pk>/history/", entries.history, name="console-entry-history"),
    path("entries/<int:pk>/revert/<int:version>/", around.revert, name="console-entry-revert"),
    path("entries/<int:pk>/revert/", around.revert_entry, name="console-entry-revert-all"),
    path("entries/<int:pk>/edit/", entries.edit, name="console-entry-edit"),
    path("entries/<int:pk>/delete/", entries.delete, name="console-entry-delete"),
    path("entries/<int:pk>/restore/", entries.restore, name="console-entry-restore"),
    path("suggestions/", entries.suggestions, name="console-suggestions"),
    path("jobs/", jobs.jobs, name="console-jobs"),
    path("jobs/<int:pk>/", jobs.job, name="console-job"),
    path("requests/<str:request_id>/", jobs.of_request, name="console-request"),
    path("jobs/<int:pk>/live/", jobs.live, name="console-job-live"),
    re_path(r"^jobs/(?P<pk>\d+)/(?P<action>cancel|retry)/$", jobs.control, name="console-job-control"),
    path("entries/<int:pk>/actions/<str:plugin>/<str:name>/", places.act, name="console-entry-action"),
    path("plugins/", plugins.plugins, name="console-plugins"),
    # Not below plugins/<id>/, whose paths are the plugin's own
    path("operating/<str:name>/retry/<str:surface>/", operating.retry, name="console-breaker-retry"),
    path("operating/<str:name>/switch/<str:kind>/", operating.switch, name="console-switch"),
    path("hooks/", plugins.hooks, name="console-hooks"),
    path("plugins/<str:name>/", plugins.plugin, name="console-plugin"),
    path("tasks/<str:name>/<str:operation>/", tasks.task, name="console-task"),
    path("plugins/<str:name>/settings/", plugins.settings, name="console-plugin-settings"),
]
