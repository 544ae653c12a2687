"""What the page of a run draws: phases open or closed, the Gantt chart, the progress."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.http import HttpRequest

from orchestrations.enums import TaskStatus
from orchestrations.insights import gantt
from orchestrations.insights.critical_path import TimedPhase, TimedTask, critical_path
from orchestrations.insights.gantt import Axis, Bar, Part, Span, Tick, Try
from orchestrations.models import Run
from orchestrations.queries.run_page import PhaseRow, RunDetail, TaskRow
from orchestrator_site.lib.live import number

ROWS = 40  # of one phase, before somebody asks for all
OPEN_ROWS = 100  # of all phases that are open at first
TABS = ("tasks", "gantt", "log")
NOTABLE = (
    *(TaskStatus.ERROR, TaskStatus.WARNING, TaskStatus.PROCESSING),
    *(TaskStatus.TERMINATING, TaskStatus.WAITING, TaskStatus.TERMINATED),
)


@dataclass(frozen=True)
class Asked:
    """What of a run somebody wants to see; phases by number."""

    tab: str
    opened: frozenset[int]
    shut: frozenset[int]
    whole: frozenset[int]  # with all of their tasks
    zoom: int | None

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """Read the address; what makes no sense there is left out."""

        def numbers(name: str) -> frozenset[int]:
            return frozenset(n for text in request.GET.getlist(name) if (n := number(text)))

        tab = request.GET.get("tab", "")
        return cls(
            tab=tab if tab in TABS else "tasks",
            opened=numbers("open") | numbers("all"),
            shut=numbers("shut"),
            whole=numbers("all"),
            zoom=number(request.GET.get("zoom")),
        )


@dataclass(frozen=True)
class PhaseView:
    """One phase as shown: the rows that are drawn, and how many are left out of an open one."""

    phase: PhaseRow
    is_open: bool
    rows: list[TaskRow]

    @property
    def hidden(self) -> int:
        """How many tasks of it are not drawn."""
        return len(self.phase.tasks) - len(self.rows)


@dataclass(frozen=True)
class GanttRow:
    """One line of the chart: a task with its bars."""

    row: TaskRow
    bars: list[Bar]
    is_critical: bool


@dataclass(frozen=True)
class GanttPhase:
    """One phase of the chart with a bar of its own for the time it took."""

    view: PhaseView
    bars: list[Bar]
    rows: list[GanttRow]


@dataclass(frozen=True)
class Gantt:
    """The chart; `critical` holds the tasks that decided how long the run took, in order."""

    ticks: list[Tick]
    phases: list[GanttPhase]
    critical: list[TaskRow]
    zoomed: PhaseRow | None


def shown_phases(phases: Sequence[PhaseRow], asked: Asked) -> list[PhaseView]:
    """Decide which phases are open and which rows are drawn.

    At first those with something to look at are open, and the others while the page stays small.
    """
    room = OPEN_ROWS
    views = []
    for phase in phases:
        size = min(len(phase.tasks), ROWS)
        is_open = phase.number in asked.opened or (
            phase.number not in asked.shut and (size <= room or _needs_eyes(phase))
        )
        rows = _rows(phase, asked.whole) if is_open else []
        room -= len(rows)
        views.append(PhaseView(phase, is_open, rows))
    return views


def _needs_eyes(phase: PhaseRow) -> bool:
    return any(row.task.status in NOTABLE for row in phase.tasks)


def _rows(phase: PhaseRow, whole: Collection[int]) -> list[TaskRow]:
    if len(phase.tasks) <= ROWS or phase.number in whole:
        return phase.tasks
    notable = [row for row in phase.tasks if row.task.status in NOTABLE][:ROWS]
    chosen = {row.task.pk for row in notable}
    for row in phase.tasks:
        if len(chosen) >= ROWS:
            break
        chosen.add(row.task.pk)
    return [row for row in phase.tasks if row.task.pk in chosen]


def draw_gantt(
    detail: RunDetail, views: Sequence[PhaseView], asked: Asked, *, now: datetime, zone: tzinfo
) -> Gantt:
    """Return the chart of a run, or of one phase of it."""
    path = critical_path([_timed(phase) for phase in detail.phases], now=now)
    by_id = {row.task.pk: row for phase in detail.phases for row in phase.tasks}
    zoomed = next((view for view in views if view.phase.number == asked.zoom), None)
    axis = _axis(detail.run, zoomed.phase if zoomed else None, now)
    phases = [
        GanttPhase(
            view,
            gantt.bars(_phase_span(view.phase), axis, now=now),
            [
                GanttRow(row, gantt.bars(spans_of(row), axis, now=now), row.task.pk in path)
                for row in view.rows
            ],
        )
        for view in ([zoomed] if zoomed else views)
    ]
    critical = [by_id[pk] for pk in path]
    return Gantt(gantt.ticks(axis, zone), phases, critical, zoomed.phase if zoomed else None)


def spans_of(row: TaskRow) -> list[Span]:
    """Return how a task spent its time."""
    tries = [
        Try(job.created_at, job.started_at, job.ended_at, job.status, job.get_status_display())
        for job in (attempt.job for attempt in row.attempts)
    ]
    if child := row.task.child:
        label = child.get_status_display()
        tries = [Try(child.created_at, child.started_at, child.ended_at, child.status, label)]
    delay = row.task.design["delay"] if row.task.status != TaskStatus.SKIPPED else 0
    return gantt.spans(tries, delay=delay, not_before=row.task.not_before)


def _phase_span(phase: PhaseRow) -> list[Span]:
    if phase.started_at is None:
        return []
    end, text = phase.ended_at, f"{phase.name}: {phase.status.label}"
    return [Span(Part.ATTEMPT, phase.started_at, end, phase.status, text)]


def _axis(run: Run, phase: PhaseRow | None, now: datetime) -> Axis:
    if phase:
        spans = [span for row in phase.tasks for span in spans_of(row)]
        if spans:
            return Axis(min(s.start for s in spans), max(s.end or now for s in spans))
    return Axis(run.started_at or run.created_at, run.ended_at or now)


def _timed(phase: PhaseRow) -> TimedPhase:
    return TimedPhase(
        phase.key,
        phase.depends_on,
        tuple(
            TimedTask(row.task.pk, row.task.started_at, row.task.ended_at)
            for row in phase.tasks
            if row.task.started_at
        ),
    )
