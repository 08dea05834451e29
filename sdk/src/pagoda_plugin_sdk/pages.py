"""Pages of plugins in the console's frame: a view base, and what stands in the console's menu.

`Plugin.console_patterns` names a URL module, served below ``/console/plugins/<id>/`` to who is logged in, and
`Plugin.navigation` what of it is in the menu. Templates extend ``console/page.html`` and fill its block
``page``; they lie below ``templates/`` of the package of the plugin's class: no others are found.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.generic import TemplateView

from pagoda_plugin_sdk.metadata import NavigationEntry

__all__ = ["NavigationEntry", "PluginPage"]


class PluginPage(TemplateView):
    """A page: set `title` and `template_name`, and add to `get_context_data` what the template shows.

    It is Django's `TemplateView`, with a `post` where a subclass has one, whose form holds
    ``{% csrf_token %}``. It acts as whoever looks at it.
    """

    title: ClassVar[str] = ""
    permission: ClassVar[str | None] = None  # of Django, "app.codename"; who lacks it is answered 403

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer who may see the page. Any: what its URL names."""
        if self.permission is not None and not request.user.has_perm(self.permission):
            raise PermissionDenied(f"You need the permission {self.permission!r} for this page.")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template shows, its ``title`` among it; Any: what templates take."""
        return {"title": self.title, **super().get_context_data(**kwargs)}
