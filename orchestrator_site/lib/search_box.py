"""What the pages with a search box share: what is asked for, quick searches, what can come next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode

from orchestrator_site.lib.live import number
from orchestrator_site.lib.paging import KeysetPage, keyset_page
from orchestrator_site.lib.search_completion import Values, complete
from orchestrator_site.lib.search_fields import LONGEST, Fields, Search, understand

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class QuickSearch:
    """A search that people ask for often; choosing it again takes it back."""

    label: str
    text: str
    is_chosen: bool = False

    @property
    def query(self) -> str:
        """Return what the address says after the question mark."""
        return "" if self.is_chosen else urlencode({"q": self.text})


def understood(request: HttpRequest, fields: Fields) -> Search:
    """Return the search that an address asks for, with days in the viewer's zone."""
    text = request.GET.get("q", "")[: LONGEST + 1].strip()
    return understand(text, fields, now=timezone.localtime())


def page_of(
    request: HttpRequest, search: Search, rows: QuerySet[M], *, limit: int
) -> KeysetPage[M]:
    """Return the page of what was found that an address asks for."""
    return keyset_page(
        rows,
        limit=limit,
        after=number(request.GET.get("after")),
        before=number(request.GET.get("before")),
        moment="created_at" if search.ends_at("created") else "",
    )


def quick_searches(known: Iterable[tuple[str, str]], search: Search) -> list[QuickSearch]:
    """Return the quick searches with the present one marked."""
    return [QuickSearch(label, text, text == search.text) for label, text in known]


def options(request: HttpRequest, fields: Callable[[], Fields], values: Values) -> HttpResponse:
    """Answer what can stand at the caret of a search box."""
    text = request.GET.get("q", "")[:LONGEST].replace("\0", "")
    at = number(request.GET.get("at"))
    found = complete(text, len(text) if at is None else min(at, len(text)), fields(), values)
    return render(request, "shared/_search_options.html", {"found": found})


def person_of(request: HttpRequest) -> User | None:
    """Return who searches, for `me`."""
    return request.user if isinstance(request.user, User) else None


def box(search: Search, fields: Fields) -> dict[str, Any]:
    """Return what the box and its help show."""
    return {"search": search, "fields": fields, "longest": LONGEST}
