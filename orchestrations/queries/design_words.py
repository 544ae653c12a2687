"""What a version's definition says, in words: one fact per label.

Pure functions over tasks, schedules, triggers and notifications. Two designs differ
where their facts do, so that everything kept has its fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrations.enums import (
    Channel,
    GapPolicy,
    HeldPolicy,
    Misfire,
    NotificationEvent,
    Overlap,
    RepeatPolicy,
    RunStatus,
    TriggerKind,
    TriggerNeeds,
)
from orchestrations.models.orchestration import (
    NotificationDesign,
    PhaseDesign,
    ScheduleDesign,
    TaskDesign,
    TriggerDesign,
)
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.cron_words import describe_cron
from orchestrator_site.lib.differences import places
from orchestrator_site.lib.durations import humanize
from orchestrator_site.lib.sentences import counted, joined

NO_LIMIT = "not set"
USUAL_PAUSE = 60  # seconds before a retry
USUAL_BACKOFF = 2.0

Facts = dict[str, Any]


def task_facts(task: TaskDesign) -> Facts:
    """Return what a task says besides its target."""
    return {
        "Active": task["is_active"],
        "Continue on failure": task["continue_on_failure"],
        "Retries": retry_words(task),
        "Delay before it starts": humanize(task["delay"]) if task["delay"] else "none",
        "Time limit": humanize(task["timeout"]) if task["timeout"] else "none",
        **dict(places("Parameters", task["parameters"])),
    }


def retry_words(task: TaskDesign) -> str:
    """Say how often a task is tried again, and when: “3, after 60 sec, doubling”."""
    pause, backoff = task["retry_delay"], task["retry_backoff"]
    parts = [f"after {humanize(pause)}" if pause else "at once"]
    if backoff != 1 and pause:
        parts.append("doubling" if backoff == USUAL_BACKOFF else f"then {backoff:g} times as long")
    if task["retry_match"]:
        parts.append(f"only where the error contains “{task['retry_match']}”")
    if task["retries"]:
        return ", ".join([str(task["retries"]), *parts])
    usual = (USUAL_PAUSE, USUAL_BACKOFF, "")
    if (pause, backoff, task["retry_match"]) == usual:
        return "none"
    return f"none ({', '.join(parts)}, once there are some)"


def waits_words(phase: PhaseDesign, names: Mapping[str, str]) -> str:
    """Say what a phase waits for; `names` gives the names of phases by key."""
    keys = phase["depends_on"]
    if keys is None:
        return "the phase before it"
    return quoted([names.get(key, key) for key in keys]) or "nothing, it starts at once"


def schedule_words(schedule: ScheduleDesign) -> str:
    """Say when a schedule fires, with its zone."""
    return f"{cron_words(schedule['cron'])}, {schedule['timezone']}"


def cron_words(cron: str) -> str:
    """Say when an expression fires; one that cannot be read stands for itself."""
    try:
        return describe_cron(crons.parse(cron))
    except crons.CronError:
        return cron


def schedule_facts(schedule: ScheduleDesign) -> Facts:
    """Return what a schedule says."""
    misfire = str(Misfire(schedule["misfire"]).label)
    if schedule["misfire"] == Misfire.ALL:
        misfire = f"Run all, up to {schedule['misfire_limit']}"
    if schedule["misfire_window"]:
        misfire += f", of the last {minutes_words(schedule['misfire_window'])}"
    return {
        "Name": schedule["name"],
        "When": schedule_words(schedule),
        "Enabled": schedule["is_enabled"],
        "While a run is unfinished": str(Overlap(schedule["overlap"]).label),
        "Missed moments": misfire,
        "Times that a clock change leaves out": str(GapPolicy(schedule["gap"]).label),
        "Times that a clock change repeats": str(RepeatPolicy(schedule["repeat"]).label),
        "Calendar": schedule["calendar"] or "none",
        "On days that it holds": str(HeldPolicy(schedule["on_held"]).label),
        "Ready by its times": ready_words(schedule["confidence"]),
        "Valid from": moment_words(schedule["valid_from"]),
        "Valid to": moment_words(schedule["valid_to"]),
        "Paused until": moment_words(schedule["paused_until"]),
        **dict(places("Variables", schedule["variables"])),
    }


def ready_words(confidence: int | None) -> str:
    """Say whether a schedule names when the work must be ready."""
    return "no" if confidence is None else f"with {confidence} %"


def trigger_facts(trigger: TriggerDesign) -> Facts:
    """Return what a trigger says."""
    return {
        "Name": trigger["name"],
        "Waits for": str(TriggerKind(trigger["kind"]).label),
        "Tables": trigger["tables"],
        "Needs": needs_words(trigger),
        "Updates count for": _minutes(trigger["fresh_for"]),
        "Runs with what is there after": _minutes(trigger["fallback_after"]),
        "Orchestration": trigger["source_name"] or "none",
        "Ends": [str(RunStatus(each).label) for each in trigger["outcomes"]],
        "Place": trigger["place"] or "none",
        "Names": trigger["pattern"] or "any",
        "At most one run in": minutes_words(trigger["cooldown"]),
        "Enabled": trigger["is_enabled"],
        **dict(places("Variables", trigger["variables"])),
    }


def needs_words(trigger: TriggerDesign) -> str:
    """Say how many of its tables a trigger needs."""
    if trigger["needs"] == TriggerNeeds.SOME:
        return f"{trigger['quorum']} of them"
    return str(TriggerNeeds(trigger["needs"]).label)


def _minutes(minutes: int | None) -> str:
    return NO_LIMIT if minutes is None else minutes_words(minutes)


def notification_facts(notification: NotificationDesign, recipient: str) -> Facts:
    """Return what a notification says; `recipient` is its address as people may see it."""
    return {
        "Of": str(NotificationEvent(notification["event"]).label),
        "By": str(Channel(notification["channel"]).label),
        "To": recipient,
        "When": threshold_words(notification),
    }


def threshold_words(notification: NotificationDesign) -> str:
    """Say from when on a notification is sent; “always” where its event knows no threshold."""
    threshold = notification["threshold"]
    if threshold is None:
        return "always"
    if notification["event"] == NotificationEvent.WAITING:
        return f"{minutes_words(threshold)} on"
    return f"{threshold} % longer than usual"


def minutes_words(minutes: int) -> str:
    """Say a number of minutes."""
    return counted(minutes, "minute")


def moment_words(moment: str | None) -> str:
    """Say a moment of a definition, in UTC."""
    if moment is None:
        return NO_LIMIT
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%d %B %Y %H:%M} UTC".lstrip("0")


def quoted(names: Sequence[str]) -> str:
    """Join names in quotation marks: “A”, “B” and “C”."""
    return joined(f"“{name}”" for name in names)
