"""What can be searched for among jobs, and what a search finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from components.enums import JobOrigin, JobStatus
from components.models import Component, Configuration, Job
from orchestrator_site.lib.search_fields import (
    DIGITS,
    Condition,
    Fields,
    Kind,
    Search,
    SearchField,
)
from orchestrator_site.lib.search_filters import (
    Maker,
    any_of,
    contains,
    filter_of,
    lasting,
    one_of,
    within,
)

ME = "me"
MOST_OFFERED = 20


def job_fields() -> Fields:
    """Return the keys of a search for jobs; one query, for the components."""
    return (
        SearchField("status", Kind.CHOICE, "how it stands", "status:error,warning",
                    choices=words(JobStatus.choices)),
        component_field("by the key of a component"),
        SearchField("configuration", Kind.TEXT, "by a part of the name, or by the number",
                    'configuration:"daily orders"'),
        *common_fields("created by somebody, yourself as “me”"),
        SearchField("startedBy", Kind.CHOICE, "what asked for it", "startedBy:orchestration",
                    ("origin",), words(JobOrigin.choices)),
    )  # fmt: skip


def component_field(said: str) -> SearchField:
    """Return the key `component`, which jobs and runs share; one query."""
    choices = dict(Component.objects.order_by("key").values_list("key", "name"))
    return SearchField("component", Kind.CHOICE, said, "component:ex-http", choices=choices)


def common_fields(user_help: str) -> Fields:
    """Return the keys that jobs and runs share."""
    return (
        SearchField("user", Kind.TEXT, user_help, "-user:ada", ("createdBy",)),
        SearchField("created", Kind.MOMENT, "when it was created", "created:>-7d", ("createdAt",)),
        SearchField("started", Kind.MOMENT, "when it began", "started:2026-11-01..2026-11-05"),
        SearchField("ended", Kind.MOMENT, "when it ended", "ended:today"),
        SearchField("duration", Kind.DURATION, "how long it ran, or has run so far",
                    "duration:>10m", ("durationSeconds",)),
        SearchField("error", Kind.TEXT, "a part of the error", 'error:"no such host"'),
        SearchField("id", Kind.NUMBER, "its number", "id:>100"),
    )  # fmt: skip


def words(choices: Iterable[tuple[object, object]]) -> Mapping[str, str]:
    """Return the choices of an enumeration as a search knows them."""
    return {str(value): str(label) for value, label in choices}


def jobs_found(search: Search, *, user: User | None, now: datetime) -> QuerySet[Job]:
    """Return the jobs that a search without problems finds; `user` is who asks, `me` in it.

    Names are looked up first, a query each: the filter has ids then, which have indexes.
    """
    return Job.objects.filter(filter_of(search, _makers(user, now)))


def _makers(user: User | None, now: datetime) -> dict[str, Maker]:
    return {
        "": _words,
        "status": one_of("status"),
        "component": _components,
        "configuration": _configurations,
        "startedBy": one_of("origin"),
        "error": contains("error"),
        **common_makers(user, now),
    }


def common_makers(user: User | None, now: datetime) -> dict[str, Maker]:
    """Return the filters of the keys that jobs and runs share."""
    return {
        "user": _users(user),
        "created": within("created_at"),
        "started": within("started_at"),
        "ended": within("ended_at"),
        "duration": lasting("started_at", "ended_at", now=now),
        "id": within("pk"),
    }


def named(path: str, texts: Sequence[str]) -> Q:
    """Return what contains one of the texts, or has it as its number."""
    return any_of(Q((f"{path}__icontains", text)) for text in texts) | numbered(texts)


def numbered(texts: Sequence[str], path: str = "pk") -> Q:
    """Return what has one of the texts as its number."""
    numbers = [text.removeprefix("#") for text in texts]
    known = [n for n in numbers if n.isascii() and n.isdecimal() and len(n) <= DIGITS]
    return Q((f"{path}__in", [int(number) for number in known]))


def _words(condition: Condition) -> Q:
    text = condition.texts[0]
    configurations = Configuration.objects.filter(name__icontains=text).order_by()
    components = Component.objects.filter(name__icontains=text).order_by()
    purged = Q(configuration=None, configuration_name__icontains=text)
    return (
        Q(configuration__in=list(configurations.values_list("pk", flat=True)))
        | Q(component__in=list(components.values_list("pk", flat=True)))
        | purged
        | contains("error")(condition)
        | numbered(condition.texts)
    )


def _components(condition: Condition) -> Q:
    found = Component.objects.filter(key__in=condition.texts).order_by()
    return Q(component__in=list(found.values_list("pk", flat=True)))


def _configurations(condition: Condition) -> Q:
    found = Configuration.objects.filter(named("name", condition.texts)).order_by()
    gone = any_of(Q(configuration_name__icontains=text) for text in condition.texts)
    ids = list(found.values_list("pk", flat=True))
    return Q(configuration__in=ids) | Q(configuration=None) & gone


def _users(user: User | None) -> Maker:
    def make(condition: Condition) -> Q:
        names = [text for text in condition.texts if text.lower() != ME]
        wanted = any_of(Q(username__iexact=name) for name in names)
        if len(names) < len(condition.texts) and user is not None:
            wanted |= Q(pk=user.pk)
        found = User.objects.filter(wanted).order_by()
        return Q(created_by__in=list(found.values_list("pk", flat=True)))

    return make


def job_values(key: str, begun: str) -> list[tuple[str, str]]:
    """Return what can be written after a key, with a note, for what is begun."""
    if key == "configuration":
        found = Configuration.objects.filter(deleted_at=None, name__icontains=begun)
        rows = found.order_by("name", "pk").values_list("name", "component__name")
        return list(dict(rows[:MOST_OFFERED]).items())
    return user_values(begun) if key == "user" else []


def user_values(begun: str) -> list[tuple[str, str]]:
    """Return the people who can be written after `user:`."""
    found = User.objects.filter(username__icontains=begun).order_by("username")
    people = [(user.username, user.get_full_name()) for user in found[:MOST_OFFERED]]
    return [(ME, "yourself"), *people]
