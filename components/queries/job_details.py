"""What the page of one job shows besides the job: the end of its log, parameters, its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from components.enums import LogLevel
from components.models import ConfigurationVersion, Job, JobLog, Table

TAIL = 500
AT_LEAST = {
    LogLevel.INFO: [LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR],
    LogLevel.WARNING: [LogLevel.WARNING, LogLevel.ERROR],
    LogLevel.ERROR: [LogLevel.ERROR],
}
LEVELS = (
    ("", "All levels"),
    (LogLevel.INFO.value, "Info and above"),
    (LogLevel.WARNING.value, "Warnings and errors"),
    (LogLevel.ERROR.value, "Errors"),
)


@dataclass(frozen=True)
class LogTail:
    """Log lines in order; `before` asks for the ones that come earlier, None: there are none."""

    lines: list[JobLog]
    before: int | None
    last: int  # number of the last line there was, 0 for none


def log_tail(
    job: Job,
    *,
    before: int | None = None,
    levels: Sequence[str] = (),
    text: str = "",
    limit: int = TAIL,
) -> LogTail:
    """Return the last lines of a log that match, or the last ones before a number."""
    lines = JobLog.objects.filter(job=job)
    newest = lines.order_by("-seq").values_list("seq", flat=True).first()
    if before is not None:
        lines = lines.filter(seq__lt=before)
    if levels:
        lines = lines.filter(level__in=levels)
    if text:
        lines = lines.filter(message__icontains=text)
    found = list(lines.filter(seq__lte=newest or 0).order_by("-seq")[: limit + 1])
    page = found[:limit][::-1]
    return LogTail(page, page[0].seq if len(found) > limit else None, newest or 0)


def log_text(job: Job) -> Iterator[str]:
    """Yield the whole log as lines of text: time, level, message, parted by tabs."""
    lines = JobLog.objects.filter(job=job).order_by("seq").only("at", "level", "message")
    for line in lines.iterator(chunk_size=1000):
        at = line.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # aware datetimes come in UTC
        yield f"{at}\t{line.level}\t{line.message}\n"


def parameters_of(job: Job) -> Any:
    """Return the configuration's parameters in the version that the job ran; None if it is gone."""
    version = ConfigurationVersion.objects.filter(
        configuration=job.configuration_id, number=job.configuration_version
    )
    return version.values_list("parameters", flat=True).first()


def present_tables(job: Job) -> set[str]:
    """Return which of the tables that a job read or wrote are still there, by id."""
    keys = {entry.get("table") for entry in [*job.tables_in, *job.tables_out]}
    return set(Table.objects.filter(key__in=keys - {None}).values_list("key", flat=True))
