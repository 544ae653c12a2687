"""Jobs as pages show them, and their log lines; `job_search` has the list of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.models import Configuration, Job, JobLog

LOG_PAGE = 1000


@dataclass(frozen=True)
class LogPage:
    """Log lines in order; `after` asks for those that come later, `more` tells of some now."""

    lines: list[JobLog]
    after: int
    more: bool


def job_detail(job_id: int) -> Job:
    """Return a job with what its page shows beside the log; raises Job.DoesNotExist."""
    related = ("component", "configuration", "created_by", "terminated_by")
    return Job.objects.select_related(*related).prefetch_related("events").get(pk=job_id)


def last_jobs(configuration: Configuration, *, limit: int = 5) -> list[Job]:
    """Return the latest jobs of a configuration, newest first."""
    jobs = Job.objects.filter(configuration=configuration).select_related("created_by")
    return list(jobs.order_by("-pk")[:limit])


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
