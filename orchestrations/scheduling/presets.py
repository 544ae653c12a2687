"""The ready-made schedules of the Automate dialog."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_site.lib import cron

CUSTOM = "custom"
DEFAULT = "hourly"


@dataclass(frozen=True)
class Preset:
    """One choice of the schedule select; `expression` is None where the picker is used instead."""

    key: str
    label: str
    expression: str | None


# Hours are lists rather than steps, so that no run is lost or doubled by a clock change and the
# picker can show them. Minute 1, where the label names no time, keeps clear of the crowd on the
# full hour.
PRESETS = (
    Preset(CUSTOM, "Custom schedule", None),
    Preset("every-5-minutes", "Every 5 minutes", "*/5 * * * *"),
    Preset("every-10-minutes", "Every 10 minutes", "*/10 * * * *"),
    Preset("twice-per-hour", "Twice per hour", "1,31 * * * *"),
    Preset(DEFAULT, "Once per hour", "1 * * * *"),
    Preset("every-6-hours", "Once per 6 hours", "1 0,6,12,18 * * *"),
    Preset("twice-a-day", "Twice a day (5 am, 5 pm)", "0 5,17 * * *"),
    Preset("daily", "Once a day (12 pm)", "0 12 * * *"),
)
QUICK = (
    ("Every 15 minutes", "*/15 * * * *"),
    ("Every hour", "0 * * * *"),
    ("Once a day", "0 0 * * *"),
    ("Once a week", "0 0 * * 1"),
    ("End of month", "0 0 L * *"),
)
"""(label, expression) of the schedules that the schedule dialog offers first."""
_BY_KEY = {preset.key: preset for preset in PRESETS}


def find_preset(key: str) -> Preset | None:
    """Return the preset of a key; None if there is none."""
    return _BY_KEY.get(key)


def preset_of(expression: str) -> Preset:
    """Return the preset that fires as this expression does, or else the custom one.

    Raises CronError.
    """
    wanted = cron.parse(expression)
    for preset in PRESETS:
        if preset.expression and cron.parse(preset.expression).fires_like(wanted):
            return preset
    return _BY_KEY[CUSTOM]


def choices() -> list[tuple[str, str]]:
    """Return (key, label) of every preset, in the order of the select."""
    return [(preset.key, preset.label) for preset in PRESETS]
