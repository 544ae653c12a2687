"""Jobs for lists and pages: filters, keyset paging, log lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import User
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from components.enums import ACTIVE_JOB, JobStatus
from components.models import Configuration, Job, JobLog

PAGE = 50
LOG_PAGE = 1000
LONG_RUNNING = timedelta(minutes=10)
RECENT = timedelta(days=7)
DIGITS = 18  # of the largest number that a text is looked up as


class QuickFilter(StrEnum):
    """The lists that people ask for most."""

    LONG_RUNNING = "long-running"
    MINE = "mine"
    MY_FAILED = "my-failed"
    FAILED_LATELY = "failed"


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list shows; what is empty does not filter."""

    statuses: Sequence[str] = ()
    component: str = ""  # key
    configuration: int | None = None
    user: str = ""  # name
    created_from: datetime | None = None
    created_to: datetime | None = None  # not included
    text: str = ""  # in the names of configuration and component, the error, or the job's number
    longer_than: float | None = None  # seconds of running
    excluded_users: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class JobPage:
    """One page of jobs, newest first; `after` asks for the next, None means the last page."""

    jobs: list[Job]
    after: int | None


@dataclass(frozen=True)
class LogPage:
    """Log lines in order; `after` asks for those that come later, `more` tells of some now."""

    lines: list[JobLog]
    after: int
    more: bool


def list_jobs(
    where: JobFilter | None = None,
    *,
    quick: QuickFilter | None = None,
    user: User | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> JobPage:
    """Return jobs that match both filters, newest first; `after` is the last page's `after`.

    `user` is who looks, for the filters about oneself. One query, whatever the page.
    """
    jobs = filtered(where or JobFilter())
    if quick:
        jobs = jobs.filter(_quick(quick, user))
    if after is not None:
        jobs = jobs.filter(pk__lt=after)
    found = list(jobs.select_related("component", "created_by").order_by("-pk")[: limit + 1])
    page = found[:limit]
    return JobPage(page, page[-1].pk if len(found) > limit else None)


def filtered(where: JobFilter) -> QuerySet[Job]:
    """Return the jobs that match a filter, in no particular order."""
    found = Q()
    if where.statuses:
        found &= Q(status__in=where.statuses)
    if where.component:
        found &= Q(component__key=where.component)
    if where.configuration is not None:
        found &= Q(configuration=where.configuration)
    if where.user:
        found &= Q(created_by__username=where.user)
    if where.excluded_users:
        found &= Q(created_by=None) | ~Q(created_by__username__in=where.excluded_users)
    return Job.objects.filter(found & _in_time(where) & _with_text(where.text.strip()))


def job_detail(job_id: int) -> Job:
    """Return a job with what its page shows beside the log; raises Job.DoesNotExist."""
    related = ("component", "configuration", "created_by", "terminated_by")
    return Job.objects.select_related(*related).prefetch_related("events").get(pk=job_id)


def last_jobs(configuration: Configuration, *, limit: int = 5) -> list[Job]:
    """Return the latest jobs of a configuration, newest first."""
    jobs = Job.objects.filter(configuration=configuration).select_related("created_by")
    return list(jobs.order_by("-pk")[:limit])


def last_job_by_configuration(configurations: Sequence[int]) -> dict[int, Job]:
    """Return the newest job of each configuration that has one; two queries."""
    newest = (
        Job.objects.filter(configuration__in=configurations)
        .order_by()
        .values("configuration")
        .annotate(newest=Max("pk"))
        .values_list("newest", flat=True)
    )
    jobs = Job.objects.filter(pk__in=list(newest))
    return {job.configuration_id: job for job in jobs if job.configuration_id}


def log_lines(
    job: Job,
    *,
    after: int = 0,
    levels: Sequence[str] = (),
    text: str = "",
    limit: int = LOG_PAGE,
) -> LogPage:
    """Return the log lines whose number is greater than `after`, in order."""
    lines = JobLog.objects.filter(job=job, seq__gt=after)
    if levels:
        lines = lines.filter(level__in=levels)
    if text:
        lines = lines.filter(message__icontains=text)
    found = list(lines.order_by("seq")[: limit + 1])
    page = found[:limit]
    return LogPage(page, page[-1].seq if page else after, len(found) > limit)


def _quick(quick: QuickFilter, user: User | None) -> Q:
    mine = Q(created_by=user) if user else Q(pk=None)
    failed = Q(status=JobStatus.ERROR)
    if quick == QuickFilter.LONG_RUNNING:
        since = timezone.now() - LONG_RUNNING
        return Q(status__in=ACTIVE_JOB, started_at__lt=since)
    if quick == QuickFilter.MINE:
        return mine
    if quick == QuickFilter.MY_FAILED:
        return mine & failed
    return failed & Q(created_at__gte=timezone.now() - RECENT)


def _in_time(where: JobFilter) -> Q:
    found = Q()
    if where.created_from:
        found &= Q(created_at__gte=where.created_from)
    if where.created_to:
        found &= Q(created_at__lt=where.created_to)
    if where.longer_than is not None:
        length = timedelta(seconds=where.longer_than)
        ended = Q(ended_at__gt=F("started_at") + length)
        found &= ended | Q(ended_at=None, started_at__lt=Now() - length)
    return found


def _with_text(text: str) -> Q:
    if not text:
        return Q()
    found = Q(configuration_name__icontains=text) | Q(error__icontains=text)
    found |= Q(component__name__icontains=text)
    return found | Q(pk=int(text)) if text.isdecimal() and len(text) <= DIGITS else found
