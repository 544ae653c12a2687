"""The record of changes for lists: filters, keyset paging, each entry as a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from components.enums import AuditAction
from components.models import AuditEntry
from orchestrator_site.lib.csv_stream import plain
from orchestrator_site.lib.differences import Change, text_lines

PAGE = 50
SHORT, NAMED = 3, 4  # places that are shown at once, that are named
TRASH = "In the trash"
SWITCHES = ("On", "Enabled")
AT_THE_DOOR = {
    AuditAction.LOGGED_IN: "logged in",
    AuditAction.LOGGED_OUT: "logged out",
    AuditAction.LOGIN_FAILED: "failed to log in as",
}


@dataclass(frozen=True)
class AuditFilter:
    """Which entries a list shows; what is empty does not filter."""

    type: str = ""
    id: str = ""  # of the object; together with the type
    about: str = ""  # such as orchestration:7, with all that belongs to it
    person: str = ""  # a part of the name
    channel: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None  # not included
    text: str = ""  # in names, addresses, and in what was changed


@dataclass(frozen=True)
class AuditRow:
    """One entry as a sentence: who, `verb`, the object, `tail`; and what it was and is."""

    entry: AuditEntry
    verb: str
    tail: str
    url: str  # of the object, or of what it belongs to; empty where neither has a page
    changes: list[Change]

    @property
    def is_short(self) -> bool:
        """Tell whether all that changed can be shown at once."""
        return len(self.changes) <= SHORT and not any(change.lines for change in self.changes)

    @property
    def places(self) -> str:
        """Return what changed by name: the first few, and how many more."""
        names = [change.path for change in self.changes]
        more = len(names) - NAMED
        return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class AuditPage:
    """One page of entries, newest first; `after` asks for the next, None means the last page."""

    rows: list[AuditRow]
    after: int | None


def list_entries(
    where: AuditFilter,
    *,
    models: Mapping[str, type[Model]],
    after: int | None = None,
    limit: int = PAGE,
) -> AuditPage:
    """Return a page of entries; `models` are those with pages of their own, by word."""
    entries = filtered(where)
    if after is not None:
        entries = entries.filter(pk__lt=after)
    found = list(entries.order_by("-pk")[: limit + 1])
    page = found[:limit]
    urls = _urls(page, models)
    rows = [_row(entry, urls) for entry in page]
    return AuditPage(rows, page[-1].pk if len(found) > limit else None)


def filtered(where: AuditFilter) -> QuerySet[AuditEntry]:
    """Return the entries that match a filter, in no particular order."""
    found = Q()
    exact = {
        "object_type": where.type,
        "object_id": where.id,
        "about": where.about,
        "channel": where.channel,
        "action": where.action,
        "at__gte": where.since,
        "at__lt": where.until,
        "actor__icontains": where.person,
    }
    found &= Q(**{name: value for name, value in exact.items() if value})
    entries = AuditEntry.objects.filter(found)
    return _with_text(entries, where.text) if where.text else entries


def _with_text(entries: QuerySet[AuditEntry], text: str) -> QuerySet[AuditEntry]:
    """Return those with the text anywhere; JSON may be stored with its letters escaped."""
    wanted = Q(object_name__icontains=text) | Q(actor__icontains=text)
    wanted |= Q(token_name__icontains=text) | Q(address__startswith=text)
    escaped = json.dumps(text)[1:-1]
    wanted |= Q(told__icontains=text) | Q(told__icontains=escaped)
    return entries.annotate(told=Cast("changes", TextField())).filter(wanted)


def entry_types() -> list[str]:
    """Return the kinds of objects that there are entries of."""
    kinds = AuditEntry.objects.order_by("object_type").values_list("object_type", flat=True)
    return list(kinds.distinct())


def csv_rows(where: AuditFilter, *, chunk: int = 500) -> Iterator[list[str]]:
    """Return the rows of a table: its head, then one for each place that changed, newest first.

    What a spreadsheet would take for a formula gets an apostrophe before it.
    """
    yield [
        *("at", "actor", "channel", "address", "token", "action"),
        *("object_type", "object_id", "object_name", "place", "before", "after"),
    ]
    for entry in filtered(where).order_by("-pk").iterator(chunk_size=chunk):
        head = [
            *(entry.at.isoformat(), entry.actor, entry.channel, entry.address or ""),
            *(entry.token_name, entry.action, entry.object_type, entry.object_id),
            entry.object_name,
        ]
        for place, (before, after) in entry.changes.items() or [("", ("", ""))]:
            yield [plain(value) for value in [*head, place, before or "", after or ""]]


def _row(entry: AuditEntry, urls: Mapping[str, str]) -> AuditRow:
    verb, tail = _words(entry)
    changes = [
        Change(place, before, after, lines=text_lines(before, after))
        for place, (before, after) in entry.changes.items()
    ]
    own = f"{entry.object_type}:{entry.object_id}"
    return AuditRow(entry, verb, tail, urls.get(own) or urls.get(entry.about, ""), changes)


def _words(entry: AuditEntry) -> tuple[str, str]:
    """Return what was done, before and after the name of the object."""
    if entry.action in AT_THE_DOOR:
        return AT_THE_DOOR[AuditAction(entry.action)], ""
    if entry.action == AuditAction.CHANGED and len(entry.changes) == 1:
        ((place, (_, after)),) = entry.changes.items()
        if place == TRASH:
            return "moved", "to the trash" if after else "out of the trash"
        if place in SWITCHES:
            return "switched", "on" if after == "yes" else "off"
    return entry.action, ""


def _urls(entries: Sequence[AuditEntry], models: Mapping[str, type[Model]]) -> dict[str, str]:
    """Return the addresses of what the entries tell of, as far as it is still there."""
    wanted = {(e.object_type, e.object_id) for e in entries}
    for entry in entries:
        kind, _, pk = entry.about.partition(":")
        wanted.add((kind, pk))
    urls: dict[str, str] = {}
    for word, model in models.items():
        ids = [int(pk) for kind, pk in wanted if kind == word and pk.isdecimal()]
        rows: dict[Any, Any] = model._base_manager.in_bulk(ids) if ids else {}  # noqa: SLF001
        urls |= {f"{word}:{pk}": row.get_absolute_url() for pk, row in rows.items()}
    return urls
