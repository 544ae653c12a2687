"""Reads of components and configurations: the catalogue, last runs, versions."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from components.enums import ComponentType, JobStatus
from components.models import Component, Configuration, ConfigurationVersion, Job

PLURALS = {
    ComponentType.EXTRACTOR: "Extractors",
    ComponentType.TRANSFORMATION: "Transformations",
    ComponentType.WRITER: "Writers",
    ComponentType.APPLICATION: "Applications",
}


@dataclass(frozen=True)
class Shelf:
    """The components of one type."""

    type: ComponentType
    title: str
    components: list[Component]


def catalogue(words: str = "", type_: str = "") -> list[Shelf]:
    """Return the components by type, each with `configuration_count`; types without any left out.

    A component is found by every word in its name, key, summary or a configuration's name. One that
    is switched off is there only while it has configurations.
    """
    live = Q(configurations__deleted_at=None, configurations__isnull=False)
    components = Component.objects.annotate(
        configuration_count=Count("configurations", filter=live)
    ).filter(Q(is_active=True) | Q(configuration_count__gt=0))
    for word in words.split():
        named = Configuration.objects.filter(name__icontains=word, deleted_at=None)
        components = components.filter(
            Q(name__icontains=word)
            | Q(key__icontains=word)
            | Q(summary__icontains=word)
            | Q(pk__in=named.values("component"))
        )
    found = list(components.order_by("name"))
    shelves = [
        Shelf(kind, PLURALS[kind], [c for c in found if c.type == kind])
        for kind in ComponentType
        if type_ in ("", kind)
    ]
    return [shelf for shelf in shelves if shelf.components]


def configurations_of(component: Component, words: str = "") -> QuerySet[Configuration]:
    """Return a component's configurations by name, each with `last_status` and `last_at`.

    Both are None where it never ran; `last_job` is the job's number.
    """
    newest = Job.objects.filter(configuration=OuterRef("pk")).order_by("-pk")
    configurations = component.configurations.filter(deleted_at=None).annotate(
        last_job=Subquery(newest.values("pk")[:1]),
        last_status=Subquery(newest.values("status")[:1]),
        last_at=Subquery(newest.values("created_at")[:1]),
    )
    for word in words.split():
        configurations = configurations.filter(name__icontains=word)
    return configurations.select_related("created_by").order_by("name", "pk")


def last_jobs(configuration: Configuration, *, limit: int = 5) -> list[Job]:
    """Return the newest jobs, newest first."""
    return list(configuration.jobs.select_related("created_by").order_by("-pk")[:limit])


def versions_of(configuration: Configuration) -> QuerySet[ConfigurationVersion]:
    """Return the versions, newest first, without their content."""
    heavy = ("parameters", "input", "output", "description")
    return configuration.versions.select_related("created_by").defer(*heavy).order_by("-number")


def status_label(status: str | None) -> str:
    """Return a job status as people read it; empty for none."""
    return str(JobStatus(status).label) if status else ""
