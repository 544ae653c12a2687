from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrations.scheduling import picker, presets
from orchestrator_site.lib import cron


def test_the_choices_in_order() -> None:
    assert [label for _, label in presets.choices()] == [
        "Custom schedule",
        "Every 5 minutes",
        "Every 10 minutes",
        "Twice per hour",
        "Once per hour",
        "Once per 6 hours",
        "Twice a day (5 am, 5 pm)",
        "Once a day (12 pm)",
    ]
    keys = [key for key, _ in presets.choices()]
    assert len(set(keys)) == len(keys)
    assert [presets.find_preset(key) for key in keys] == list(presets.PRESETS)
    assert presets.find_preset("yearly") is None


def test_the_default_is_once_per_hour_at_minute_1() -> None:
    preset = presets.find_preset(presets.DEFAULT)
    assert preset == presets.Preset("hourly", "Once per hour", "1 * * * *")


@pytest.mark.parametrize(
    ("key", "words", "times_a_day"),
    [
        ("every-5-minutes", "Every 5 minutes", 288),
        ("every-10-minutes", "Every 10 minutes", 144),
        ("twice-per-hour", "Every hour at minutes 1 and 31", 48),
        ("hourly", "Every hour at minute 1", 24),
        ("every-6-hours", "Every day at 00:01, 06:01, 12:01 and 18:01", 4),
        ("twice-a-day", "Every day at 05:00 and 17:00", 2),
        ("daily", "Every day at 12:00", 1),
    ],
)
def test_a_preset_does_what_its_label_says(key: str, words: str, times_a_day: int) -> None:
    preset = presets.find_preset(key)
    assert preset is not None
    assert preset.expression is not None
    assert cron.describe(preset.expression, "UTC") == f"{words}, UTC"
    day = datetime(2026, 11, 21, 23, 59, tzinfo=UTC), datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert len(cron.occurrences_between(preset.expression, "UTC", *day, 2000)) == times_a_day
    assert presets.preset_of(preset.expression) == preset
    assert picker.from_cron(preset.expression) is not None


def test_the_preset_of_an_expression_goes_by_what_it_does() -> None:
    assert presets.preset_of("0-59/5 * * * *").key == "every-5-minutes"
    assert presets.preset_of("0 17,5 * * *").key == "twice-a-day"
    assert presets.preset_of("0 13 * * *").key == presets.CUSTOM
    # A step follows the clock through a repeated hour, the preset's list does not.
    assert presets.preset_of("1 */6 * * *").key == presets.CUSTOM
    with pytest.raises(cron.CronError):
        presets.preset_of("61 * * * *")


def test_the_custom_choice_has_no_expression() -> None:
    custom = presets.find_preset(presets.CUSTOM)
    assert custom == presets.Preset("custom", "Custom schedule", None)
    assert [preset.key for preset in presets.PRESETS if preset.expression is None] == ["custom"]
