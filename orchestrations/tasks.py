"""Celery's doors into the upper app: ids in, the engine or a service does the work."""

from __future__ import annotations

from celery import shared_task


@shared_task
def advance_run(run_id: int) -> None:
    """Bring one run as far as it can go now; safe to call twice."""
    from orchestrations.engine.dispatch import advance_run as advance  # noqa: PLC0415  # leaf

    advance(run_id)


@shared_task
def advance_runs(run_ids: list[int]) -> None:
    """Bring each of these runs as far as it can go now; safe to call twice."""
    from orchestrations.engine.dispatch import advance_run as advance  # noqa: PLC0415  # leaf

    for run_id in run_ids:
        advance(run_id)


@shared_task
def recover_runs() -> None:
    """Advance runs whose bell was lost."""
    from orchestrations.engine.recovery import recover_runs as recover  # noqa: PLC0415  # leaf

    recover()


@shared_task
def fire_schedule(schedule_id: int) -> None:
    """Fire what is due of one schedule, as beat's own scheduler would."""
    from orchestrations.services.schedules import fire_schedule as fire  # noqa: PLC0415  # leaf

    fire(schedule_id)


@shared_task
def fire_triggers(trigger_ids: list[int]) -> None:
    """Start the runs of those triggers that are ready; safe to call twice."""
    from orchestrations.services.triggers import fire_ready as fire  # noqa: PLC0415  # leaf

    fire(trigger_ids)


@shared_task
def sweep_triggers() -> None:
    """Fire ready triggers whose cool-down ended or whose bell was lost."""
    from orchestrations.services.triggers import sweep_triggers as sweep  # noqa: PLC0415  # leaf

    sweep()


@shared_task
def deliver_messages() -> None:
    """Send the messages that are due; safe to call twice, and at once."""
    from orchestrations.services.deliveries import deliver_due as deliver  # noqa: PLC0415  # leaf

    deliver()


@shared_task
def watch_runs() -> None:
    """Tell of runs that process longer than usual or wait for long."""
    from orchestrations.services.notices import watch_runs as watch  # noqa: PLC0415  # leaf

    watch()


@shared_task
def apply_retention(goes_on: int = 0) -> None:
    """Delete old history for some seconds, and ring again for the rest; safe to call twice."""
    from orchestrations.services.retention import apply_retention as apply  # noqa: PLC0415  # leaf

    apply(goes_on=bool(goes_on))


@shared_task
def retime_schedules(orchestration_id: int) -> None:
    """Bring the starts of schedules that must be ready by a time in step with history."""
    from orchestrations.services.ready_by import retime  # noqa: PLC0415  # leaf

    retime(orchestration_id)


@shared_task
def watch_files() -> None:
    """Look for files that arrived at the places that triggers watch."""
    from orchestrations.services.arrivals import watch_files as watch  # noqa: PLC0415  # leaf

    watch()


@shared_task
def check_slots() -> None:
    """Count all slots of the last day against the rule of time."""
    from orchestrations.services.slot_checks import check_slots as check  # noqa: PLC0415  # leaf

    check()
