"""When unfinished runs will have ended, by what earlier runs took."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrations.insights.progress import Forecast, PhaseTime, forecast
from orchestrations.models import Run
from orchestrations.queries.durations import usual_durations
from orchestrations.queries.run_history import usual_phases
from orchestrations.queries.run_page import RunDetail, run_detail


def expected_end(run: Run, usual: timedelta, now: datetime) -> datetime:
    """Return when an unfinished run will have ended; one that waits is taken to begin now.

    `usual` is what the orchestration's runs take.
    """
    detail = run_detail(run.pk) if run.started_at else None
    found = detail and forecast_of(detail, now)
    if found:
        return found.ready_at
    return max(now, (run.started_at or now) + usual)


def forecast_of(detail: RunDetail, now: datetime) -> Forecast | None:
    """Return when an unfinished run will have ended; None without a history, or not begun."""
    run = detail.run
    if run.is_finished or run.started_at is None or run.terminate_at is not None:
        return None
    usual = usual_durations([run.orchestration_id]).get(run.orchestration_id)
    if usual is None:
        return None
    times = usual_phases(run.orchestration_id) if detail.phases else {}
    return forecast(
        now=now,
        started=run.started_at,
        usual=usual.total_seconds(),
        phases=[
            PhaseTime(
                phase.key,
                phase.depends_on,
                times.get(phase.key),
                elapsed=(now - phase.started_at).total_seconds() if phase.started_at else 0.0,
                is_ended=phase.is_ended,
            )
            for phase in detail.phases
        ],
    )
