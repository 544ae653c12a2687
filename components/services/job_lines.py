"""Who waits for whom: what keeps a queued job from running, and who is next where one has ended.

First in, first out within a configuration; the first of each configuration waits for a free place
in the project, or in its component. The statements are written by hand because every job asks
them, and to build them anew took longer than to answer them; each seeks in an index, so that
neither a long line nor a long history makes them slow.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from components.enums import ACTIVE_JOB, QUEUED_JOB, JobStatus
from components.models import Component, Job

# How the sentences begin that say which limit a job waits for.
WAITS_FOR_PROJECT = "Waiting for a free place"
WAITS_FOR_COMPONENT = "Waiting for another job of the component"

# Written out as the index `job_unfinished` has it: SQLite takes it for no other words.
UNFINISHED = "status IN ('created', 'waiting', 'processing', 'terminating')"
# What comes before a job: whatever runs, and what is older and due. A job whose time has not come
# stands in nobody's way.
AHEAD = f"""
    FROM components_job other
    WHERE other.configuration_id = job.configuration_id AND other.{UNFINISHED} AND (
        other.status IN ('processing', 'terminating')
        OR (other.id < job.id AND (other.not_before IS NULL OR other.not_before <= %(now)s))
    )
"""
# The sign before component_id keeps SQLite from reading all that the component ever ran.
OBSTACLES = f"""
    SELECT
        (SELECT other.id {AHEAD} ORDER BY other.id LIMIT 1),
        (SELECT count(*) FROM components_job WHERE status IN ('processing', 'terminating')),
        (
            SELECT count(*) FROM components_job
            WHERE status IN ('processing', 'terminating') AND +component_id = job.component_id
        )
    FROM components_job job WHERE job.id = %(job)s
"""  # noqa: S608  # only constants
FIRST = f"""(
    SELECT job.id FROM components_job job
    WHERE {{whose}} AND job.status = 'waiting'
        AND (job.not_before IS NULL OR job.not_before <= %(now)s)
        AND NOT EXISTS (SELECT 1 {AHEAD})
    ORDER BY job.id LIMIT 1
)"""  # noqa: S608  # only constants
OF_CONFIGURATION = f"job.configuration_id = %(configuration)s AND job.{UNFINISHED}"
KEPT_BY_PROJECT = f"job.waiting_for LIKE '{WAITS_FOR_PROJECT}%%'"
KEPT_BY_COMPONENT = (
    f"+job.component_id = %(component)s AND job.waiting_for LIKE '{WAITS_FOR_COMPONENT}%%'"
)
NEXT = "SELECT " + ", ".join(
    FIRST.format(whose=whose) for whose in (OF_CONFIGURATION, KEPT_BY_PROJECT, KEPT_BY_COMPONENT)
)
NEXT_FOR_PROJECT = "SELECT " + FIRST.format(whose=KEPT_BY_PROJECT)


def obstacle(job: Job, now: datetime) -> str:
    """Return what keeps a queued job from running, as a sentence; empty means nothing."""
    ahead, running, same = _ask(OBSTACLES, now, job=job.pk) or (None, 0, 0)
    if ahead:
        return f"Waiting for job {ahead} of the same configuration"
    if running >= settings.JOB_LIMIT:
        return f"{WAITS_FOR_PROJECT}: {_are(running)} running, which is the limit"
    limit = job.component.max_parallel
    if limit is not None and same >= limit:
        return f"{WAITS_FOR_COMPONENT}: {_are(same)} running, which is its limit"
    return ""


def next_after(job: Job, now: datetime) -> list[int]:
    """Return who may begin since this job has ended: three jobs at most, oldest first.

    The next of its configuration, the oldest that the project's limit keeps waiting, and the oldest
    that its component's does: the first to come takes the place, the others wait on.
    """
    found = _ask(NEXT, now, configuration=job.configuration_id, component=job.component_id)
    return sorted({pk for pk in found or () if pk})


def next_for_project(now: datetime) -> list[int]:
    """Return the oldest job that the project's limit keeps waiting, if there is one."""
    return [pk for pk in _ask(NEXT_FOR_PROJECT, now) or () if pk]


def kept_by_component(component: Component, now: datetime) -> QuerySet[Job]:
    """Return the jobs that the limit of a component keeps waiting, oldest first."""
    mine = {"component": component, "waiting_for__startswith": WAITS_FOR_COMPONENT}
    return claimable(now).filter(status=JobStatus.WAITING, **mine)


def claimable(now: datetime) -> QuerySet[Job]:
    """Return the queued jobs that nothing but a limit keeps from running, oldest first."""
    due = Q(not_before=None) | Q(not_before__lte=now)
    ahead = Job.objects.filter(
        RawSQL(UNFINISHED, [], BooleanField()),  # noqa: S611  # a constant
        Q(status__in=ACTIVE_JOB) | (due & Q(pk__lt=OuterRef("pk"))),
        configuration=OuterRef("configuration"),
    )
    return Job.objects.filter(due, ~Exists(ahead), status__in=QUEUED_JOB).order_by("pk")


def _ask(statement: str, now: datetime, **values: int | None) -> tuple[int, ...] | None:
    due = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"now": due, **values})
        row: tuple[int, ...] | None = cursor.fetchone()
    return row


def _are(count: int) -> str:
    return "1 job is" if count == 1 else f"{count} jobs are"
