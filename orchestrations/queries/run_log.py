"""The log of a run: its events and the lines of all its jobs, merged in order of time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone

from components.enums import LogLevel
from components.models import Job, JobLog
from components.queries.job_details import AT_LEAST
from orchestrations.enums import TaskStatus
from orchestrations.models import Run, RunEvent, TaskAttempt

PAGE = 500
CHUNK = 5000
# Jobs hand their lines over every second, each its own: what is older than this is complete.
SETTLED = timedelta(seconds=2)
# Of fewer lines all are sorted; of more, they are read along the index by time, which other jobs'
# lines of the same hours are in too.
SORTED = 20_000
CURSOR = re.compile(r"(\d{1,16})([el])(\d{1,18})")
M = TypeVar("M", RunEvent, JobLog)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEVELS = {
    TaskStatus.ERROR: LogLevel.ERROR,
    TaskStatus.WARNING: LogLevel.WARNING,
    TaskStatus.TERMINATING: LogLevel.WARNING,
    TaskStatus.TERMINATED: LogLevel.WARNING,
    TaskStatus.CANCELLED: LogLevel.WARNING,
}


class Cursor(NamedTuple):
    """A place in a log; its order is that of the log. Events come before lines of the moment."""

    at: datetime
    source: str  # "e" for an event, "l" for a line
    pk: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}{self.source}{self.pk}"

    @classmethod
    def of(cls, text: str | None) -> Cursor | None:
        """Return the place that a text from an address names, None for nothing and nonsense."""
        found = CURSOR.fullmatch(text or "")
        if found is None:
            return None
        return cls(EPOCH + timedelta(microseconds=int(found[1])), found[2], int(found[3]))


@dataclass(frozen=True)
class Entry:
    """One event or one line of a job; `task` is None for an event of the run itself."""

    place: Cursor
    level: LogLevel
    text: str
    task: str | None = None
    job: int | None = None

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.place.at


@dataclass(frozen=True)
class Wanted:
    """Which entries somebody wants to see; nothing means all."""

    level: str = ""
    words: str = ""
    task: int | None = None  # id of a TaskRun


@dataclass(frozen=True)
class LogPage:
    """Entries in order of time; `before` and `after` ask on from there, None: there are none.

    `after` is there also at the end of what there is by now.
    """

    entries: list[Entry]
    before: Cursor | None
    after: Cursor | None
    more: bool = False  # later ones are there already


def log_tail(
    run: Run, wanted: Wanted | None = None, *, before: Cursor | None = None, limit: int = PAGE
) -> LogPage:
    """Return the last entries, or the last ones before a place."""
    wanted = wanted or Wanted()
    names = _names(run, wanted.task)
    events, lines = _sources(run, wanted, names)
    if before is not None:
        events, lines = _before(events, before, "e"), _before(lines, before, "l")
    events, lines = events.order_by("-at", "-pk"), lines.order_by("-at", "-pk")
    found = _merged(names, events, lines, limit, is_backward=True)
    page = found[:limit][::-1]
    after = page[-1].place if page else None
    return LogPage(page, page[0].place if len(found) > limit else None, after)


def log_after(
    run: Run, wanted: Wanted | None = None, *, after: Cursor | None = None, limit: int = PAGE
) -> LogPage:
    """Return the first entries after a place, or the first of all."""
    wanted = wanted or Wanted()
    names = _names(run, wanted.task)
    events, lines = _sources(run, wanted, names)
    if after is not None:
        events, lines = _after(events, after, "e"), _after(lines, after, "l")
    events, lines = events.order_by("at", "pk"), lines.order_by("at", "pk")
    found = _merged(names, events, lines, limit, is_backward=False)
    page = found[:limit]
    return LogPage(page, None, page[-1].place if page else after, len(found) > limit)


def log_text(run: Run) -> Iterator[str]:
    """Yield the whole log as lines of text: time, level, task, message, parted by tabs."""
    place: Cursor | None = None
    while True:
        page = log_after(run, after=place, limit=CHUNK)
        for entry in page.entries:
            at = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # aware datetimes come in UTC
            yield f"{at}\t{entry.level}\t{entry.task or '-'}\t{entry.text}\n"
        if not page.more:
            return
        place = page.after


def _sources(
    run: Run, wanted: Wanted, jobs: Collection[int]
) -> tuple[QuerySet[RunEvent], QuerySet[JobLog]]:
    events, lines = RunEvent.objects.filter(run=run), _lines_of(run, jobs)
    if wanted.task is not None:
        events = events.filter(task_run=wanted.task)
    if wanted.level in AT_LEAST:
        levels = AT_LEAST[LogLevel(wanted.level)]
        # of the lowest, the others would be nearly all: an index of levels could only mislead
        low = wanted.level == LogLevel.INFO
        lines = lines.exclude(level=LogLevel.DEBUG) if low else lines.filter(level__in=levels)
        if not low:
            events = events.filter(new_status__in=[s for s, v in LEVELS.items() if v in levels])
    if words := wanted.words.replace("\0", ""):
        lines = lines.filter(message__icontains=words)
        events = events.filter(
            Q(reason__icontains=words)
            | Q(task_run__name__icontains=words)
            | Q(new_status__icontains=words)
            | Q(actor__icontains=words)
        )
    if not run.is_finished:
        until = timezone.now() - SETTLED
        events, lines = events.filter(at__lte=until), lines.filter(at__lte=until)
    return events, lines


def _names(run: Run, task: int | None) -> dict[int, str]:
    """Return the names of the tasks that the jobs of a run are attempts at, by job."""
    attempts = TaskAttempt.objects.filter(task_run__run=run)
    if task is not None:
        attempts = attempts.filter(task_run=task)
    return dict(attempts.order_by().values_list("job", "task_run__name"))


def _lines_of(run: Run, jobs: Collection[int]) -> QuerySet[JobLog]:
    if _count(jobs) <= SORTED:
        return JobLog.objects.filter(job__in=jobs)
    begin = run.started_at or run.created_at
    # The sum keeps databases from reading job by job and sorting all; and the jobs are named, since
    # of a subquery PostgreSQL expects so few lines that it reads all of them.
    along = JobLog.objects.alias(of_job=F("job_id") + 0).filter(of_job__in=jobs, at__gte=begin)
    return along.filter(at__lte=run.ended_at + SETTLED) if run.ended_at else along


def _count(jobs: Collection[int]) -> int:
    """Return how many lines some jobs have, by the numbers of their last ones."""
    last = JobLog.objects.filter(job=OuterRef("pk")).order_by("-seq").values("seq")[:1]
    found = Job.objects.filter(pk__in=jobs).annotate(last=Subquery(last)).aggregate(Sum("last"))
    return found["last__sum"] or 0


def _before(rows: QuerySet[M], place: Cursor, source: str) -> QuerySet[M]:
    rows = rows.filter(at__lte=place.at)
    if source == place.source:
        return rows.exclude(at=place.at, pk__gte=place.pk)
    return rows if source < place.source else rows.exclude(at=place.at)


def _after(rows: QuerySet[M], place: Cursor, source: str) -> QuerySet[M]:
    rows = rows.filter(at__gte=place.at)
    if source == place.source:
        return rows.exclude(at=place.at, pk__lte=place.pk)
    return rows if source > place.source else rows.exclude(at=place.at)


def _merged(
    names: Mapping[int, str],
    events: QuerySet[RunEvent],
    lines: QuerySet[JobLog],
    limit: int,
    *,
    is_backward: bool,
) -> list[Entry]:
    """Return up to one entry more than a page, in the order of the rows."""
    happened = [_event(each) for each in events.select_related("task_run")[: limit + 1]]
    written = list(lines[: limit + 1])
    found = happened + [
        Entry(
            Cursor(line.at, "l", line.pk),
            LogLevel(line.level),
            line.message,
            names.get(line.job_id),
            line.job_id,
        )
        for line in written
    ]
    found.sort(key=_place, reverse=is_backward)
    return found[: limit + 1]


def _place(entry: Entry) -> Cursor:
    return entry.place


def _event(event: RunEvent) -> Entry:
    label = TaskStatus(event.new_status).label if event.new_status else ""
    said: Sequence[str] = [text for text in (label, event.reason) if text]
    who = f" ({event.actor})" if event.actor else ""
    return Entry(
        place=Cursor(event.at, "e", event.pk),
        level=LEVELS.get(TaskStatus(event.new_status), LogLevel.INFO)
        if event.new_status
        else LogLevel.INFO,
        text=": ".join(said) + who,
        task=event.task_run.name if event.task_run else None,
    )
