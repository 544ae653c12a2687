"""What can be searched for among runs, and what a search finds."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from components.queries.job_search import (
    MOST_OFFERED,
    common_fields,
    common_makers,
    component_field,
    named,
    numbered,
    user_values,
    words,
)
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, Run, TaskRun
from orchestrations.queries.runs import listed
from orchestrator_site.lib.search_fields import Condition, Fields, Kind, Search, SearchField
from orchestrator_site.lib.search_filters import Maker, contains, filter_of, one_of


def run_fields() -> Fields:
    """Return the keys of a search for runs; one query, for the components."""
    return (
        SearchField("status", Kind.CHOICE, "how it stands", "status:error,warning",
                    choices=words(RunStatus.choices)),
        SearchField("orchestration", Kind.TEXT, "by a part of the name, or by the number",
                    'orchestration:"daily sales"'),
        component_field("with a task of a component, by its key"),
        *common_fields("started by somebody, yourself as “me”"),
        SearchField("startedBy", Kind.CHOICE, "what started it", "startedBy:schedule",
                    choices=words(StartedBy.choices)),
    )  # fmt: skip


def runs_found(search: Search, *, user: User | None, now: datetime) -> QuerySet[Run]:
    """Return the runs that a search without problems finds; `user` is who asks, `me` in it."""
    makers: dict[str, Maker] = {
        "": _words,
        "status": one_of("status"),
        "orchestration": _orchestrations,
        "component": _components,
        "startedBy": one_of("started_by"),
        "error": contains("reason"),
        **common_makers(user, now),
    }
    return listed().filter(filter_of(search, makers))


def run_values(key: str, begun: str) -> list[tuple[str, str]]:
    """Return what can be written after a key, with a note, for what is begun."""
    if key == "orchestration":
        found = Orchestration.objects.filter(deleted_at=None, name__icontains=begun)
        names = found.order_by("name", "pk").values_list("name", flat=True)
        return [(name, "") for name in dict.fromkeys(names[:MOST_OFFERED])]
    return user_values(begun) if key == "user" else []


def _words(condition: Condition) -> Q:
    by_name = _orchestrations(condition, with_numbers=False)
    return by_name | contains("reason")(condition) | numbered(condition.texts)


def _components(condition: Condition) -> Q:
    tasks = TaskRun.objects.filter(run=OuterRef("pk"), component_key__in=condition.texts)
    return Q(Exists(tasks))


def _orchestrations(condition: Condition, *, with_numbers: bool = True) -> Q:
    texts = condition.texts
    wanted = named("name", texts) if with_numbers else Q(name__icontains=texts[0])
    found = Orchestration.objects.filter(wanted).order_by()
    return Q(orchestration__in=list(found.values_list("pk", flat=True)))
