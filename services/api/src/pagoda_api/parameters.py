"""Query parameters: each view names those that it reads, and whatever else comes is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.views import APIView

from pagoda_api.strict import refuse_undecodable, refuse_unknown


class StrictView(APIView):
    """A view of the host's own: no misspelt query parameter passes in silence."""

    parameters: ClassVar[Mapping[str, Collection[str]]] = {}
    """What is read, by the action of a view set or the method of a view."""
    filtered: ClassVar[Collection[str]] = ("list",)
    """Actions whose parameters a `StrictFilterBackend` knows, and refuses."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # Any: as the base has them
        """Refuse what nobody reads, once it is known who asks and before anything is looked for."""
        super().initial(request, *args, **kwargs)
        done = self._done_by(request)
        if done is not None and done not in self.filtered:
            refuse_undecodable(request.META.get("QUERY_STRING", ""))
            refuse_unknown(request.query_params, self.parameters.get(done, ()), noun="query parameter")

    def _done_by(self, request: Request) -> str | None:
        """Return the action or method that answers; None: none does, or it tells what the path takes."""
        method = (request.method or "").lower()
        if method == "options":
            return None
        if hasattr(self, "action"):
            action: str | None = self.action
            return action
        name = "get" if method == "head" else method
        return name if hasattr(self, name) else None
