"""What the pages with a search box share: what is asked for, quick searches, what can come next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode

from orchestrator_site.lib.live import number
from orchestrator_site.lib.search_completion import Values, complete
from orchestrator_site.lib.search_fields import LONGEST, Fields, Search, understand


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


def place_of(request: HttpRequest) -> dict[str, int | None]:
    """Return which page of the list an address asks for."""
    return {name: number(request.GET.get(name)) for name in ("after", "before")}


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
