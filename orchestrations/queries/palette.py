"""What the command palette offers: pages, actions, and everything that has a name or a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.db.models.functions import Length
from django.urls import reverse

from components.models import Component, Configuration, Job, Table
from orchestrations.models import Orchestration, Run
from orchestrations.queries.search import numbered_jobs, numbered_runs
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW
from orchestrator_site.lib.fuzzy import fitting, rank, score

M = TypeVar("M", bound=Model)
MOST = 12
EACH = 6
RECENT = 8
RECENT_BONUS = 15.0  # less than lies between two ways to fit
VERBS = ("run", "automate")
_NEW = re.compile(r"^(new\s+)?(configuration\s+)?(of\s+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One thing to choose. `way` says how: a link, a dialog over the page, or a theme to set.

    `key` names it among the recent ones; empty where it is not remembered.
    """

    title: str
    url: str
    icon: str
    kind: str
    note: str = ""
    key: str = ""
    way: str = "link"
    tone: str = ""  # of the icon: the type of a component

    @property
    def is_dialog(self) -> bool:
        """Whether it opens over the page."""
        return self.way == "dialog"


@dataclass(frozen=True)
class Palette:
    """What is offered for a text, best first; without one, `items` are the recent ones."""

    text: str
    items: list[Item]


def palette(text: str, *, user: User, recent: Sequence[str] = ()) -> Palette:
    """Return what fits a text among all that a person may see and do.

    `recent` names what was chosen lately, the last one first: it comes first, and alone without a
    text, before the pages. At most six queries, whatever is there.
    """
    text = " ".join(text.split())
    pages = list(_commands(user))
    may_see = user.has_perm(VIEW)
    if not text:
        remembered = _remembered(recent, pages) if may_see else []
        keys = {item.key for item in remembered}
        rest = [item for item in pages if item.key not in keys]
        return Palette(text, [*remembered, *rest][:MOST])
    found = _best(text, pages, recent)
    if may_see:
        found += [*_numbered(text), *_best(text, _objects(text, user), recent)]
        found += _verbs(text, user)
    ranked = sorted(found, key=lambda pair: -pair[0])
    items = list(dict.fromkeys(item for _, item in ranked))
    return Palette(text, items[:MOST])


def _best(text: str, items: Iterable[Item], recent: Sequence[str]) -> list[tuple[float, Item]]:
    found = []
    for item in items:
        fit = score(text, item.title)
        if fit is not None:
            found.append((fit + RECENT_BONUS * (item.key in recent), item))
    return found


def _commands(user: User) -> Iterator[Item]:
    if user.has_perm(VIEW):
        for title, name, icon in (
            ("Dashboard", "dashboard", "layout-dashboard"),
            ("Orchestrations", "orchestrations", "hierarchy-2"),
            ("Runs", "runs", "player-play"),
            ("Jobs", "jobs", "list-details"),
            ("Timeline", "timeline", "timeline"),
            ("Calendars", "calendars", "calendar"),
            ("Components", "components", "stack-2"),
            ("Storage", "storage", "database"),
            ("Status", "status", "activity"),
            ("Trash", "trash", "trash"),
            ("API tokens", "tokens", "key"),
        ):
            yield Item(title, reverse(name), icon, "Page", key=f"p:{name}")
    if user.has_perm(EDIT):
        yield Item("New orchestration", reverse("orchestration-new"), "plus", "Action")
        yield Item("Upload a table", reverse("table-new"), "upload", "Action", way="dialog")
    if user.is_staff:
        yield Item("Administration", reverse("admin:index"), "settings", "Page", key="p:admin")
        yield Item("Retention", reverse("retention"), "archive", "Page", key="p:retention")
    for title, theme, icon in (
        ("Switch to the light theme", "light", "sun"),
        ("Switch to the dark theme", "dark", "moon"),
        ("Switch to the theme of the system", "auto", "device-desktop"),
    ):
        yield Item(title, theme, icon, "Action", way="theme")


def _objects(text: str, user: User) -> list[Item]:
    orchestrations = _fit(Orchestration.objects.filter(deleted_at=None), text)
    configurations = _fit(
        Configuration.objects.filter(deleted_at=None).select_related("component"), text
    )
    tables = _fit(Table.objects.all(), text, column="key")
    items = [
        *map(_orchestration, orchestrations),
        *map(_configuration, configurations),
        *map(_table, tables),
    ]
    if user.has_perm(EDIT):
        components = Component.objects.filter(is_active=True)
        items += map(_new_configuration, _fit(components, _NEW.sub("", text)))
    return items


def _fit(rows: QuerySet[M], text: str, *, column: str = "name") -> list[M]:
    found = rows.filter(fitting(text, column)).order_by(rank(text, column), Length(column), column)
    return list(found[:EACH])


def _verbs(text: str, user: User) -> list[tuple[float, Item]]:
    """Return “Run …” and “Automate …”, for what follows the verb, or its beginning."""
    verb, _, rest = text.lower().partition(" ")
    found: list[Item] = []
    if len(verb) > 1 and VERBS[0].startswith(verb) and user.has_perm(OPERATE):
        rows = _fit(Orchestration.objects.filter(deleted_at=None), rest)
        found += map(_run, rows)
    if len(verb) > 1 and VERBS[1].startswith(verb) and user.has_perm(EDIT):
        rows_to_automate = _fit(Configuration.objects.filter(deleted_at=None), rest)
        found += map(_automate, rows_to_automate)
    return [(score(text, item.title) or 0.0, item) for item in found]


def _numbered(text: str) -> list[tuple[float, Item]]:
    number = text.rpartition(" ")[2].lstrip("#")
    wanted = int(number) if number.isascii() and number.isdecimal() else 0
    items = [*map(_run_page, numbered_runs(wanted)), *map(_job_page, numbered_jobs(wanted))]
    return [(score(text.replace("#", ""), item.title) or 0.0, item) for item in items]


def _remembered(recent: Sequence[str], pages: Sequence[Item]) -> list[Item]:
    """Return what was chosen lately and is still there; three queries at most."""
    wanted = list(dict.fromkeys(recent))[:RECENT]
    numbers: dict[str, list[int]] = {"o": [], "c": []}
    for kind, _, name in (key.partition(":") for key in wanted):
        if kind in numbers and name.isascii() and name.isdecimal() and len(name) < len(str(2**63)):
            numbers[kind].append(int(name))
    tables = [key.removeprefix("t:") for key in wanted if key.startswith("t:")]
    items = list(pages)
    if numbers["o"]:
        kept = Orchestration.objects.filter(pk__in=numbers["o"], deleted_at=None)
        items += map(_orchestration, kept)
    if numbers["c"]:
        saved = Configuration.objects.filter(pk__in=numbers["c"], deleted_at=None)
        items += map(_configuration, saved.select_related("component"))
    if tables:
        items += map(_table, Table.objects.filter(key__in=tables))
    known = {item.key: item for item in items if item.key}
    return [known[key] for key in wanted if key in known]


def _orchestration(row: Orchestration) -> Item:
    url = row.get_absolute_url()
    return Item(row.name, url, "hierarchy-2", "Orchestration", key=f"o:{row.pk}")


def _configuration(row: Configuration) -> Item:
    component = row.component
    return Item(
        row.name,
        row.get_absolute_url(),
        component.icon,
        "Configuration",
        note=component.name,
        key=f"c:{row.pk}",
        tone=component.type,
    )


def _table(row: Table) -> Item:
    return Item(row.key, row.get_absolute_url(), "table", "Table", key=f"t:{row.key}")


def _new_configuration(row: Component) -> Item:
    url = reverse("configuration-new", args=[row.key])
    title = f"New configuration of {row.name}"
    return Item(title, url, row.icon, "Action", tone=row.type)


def _run(row: Orchestration) -> Item:
    url = reverse("orchestration-run", args=[row.pk])
    return Item(f"Run {row.name}", url, "player-play", "Action", way="dialog")


def _automate(row: Configuration) -> Item:
    url = reverse("automate", args=[row.pk])
    return Item(f"Automate {row.name}", url, "clock-play", "Action", way="dialog")


def _run_page(row: Run) -> Item:
    note = f"{row.orchestration}, {row.get_status_display()}"
    return Item(f"Run {row.pk}", row.get_absolute_url(), "player-play", "Run", note=note)


def _job_page(row: Job) -> Item:
    note = f"{row.configuration_name}, {row.get_status_display()}"
    return Item(f"Job {row.pk}", row.get_absolute_url(), "list-details", "Job", note=note)
