from __future__ import annotations

from typing import Any, cast

import pytest

from orchestrations.models.orchestration import ScheduleDesign, TriggerDesign
from orchestrations.queries.change_words import schedule_sentence, trigger_sentence

SCHEDULE: dict[str, Any] = {
    "id": 1,
    "name": "Mornings",
    "cron": "0 5 * * *",
    "timezone": "Europe/Prague",
    "is_enabled": True,
    "overlap": "queue_one",
    "misfire": "last",
    "misfire_limit": 10,
    "misfire_window": None,
    "gap": "usual",
    "repeat": "usual",
    "calendar": None,
    "on_held": "skip",
    "confidence": None,
    "valid_from": None,
    "valid_to": None,
    "paused_until": None,
    "variables": {"day": "1"},
}
TRIGGER: dict[str, Any] = {
    "id": 1,
    "name": "",
    "is_enabled": True,
    "cooldown": 5,
    "kind": "tables",
    "needs": "all",
    "quorum": 1,
    "fresh_for": None,
    "fallback_after": None,
    "source": None,
    "source_name": "",
    "outcomes": [],
    "place": "",
    "pattern": "",
    "tables": ["in.c-shop.orders"],
    "variables": {},
}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ({}, {}, ""),
        (
            {},
            {"cron": "0 6 * * 1-5"},
            (
                "Changed schedule “Mornings”: every day at 05:00 → Monday to Friday at 06:00, "
                "Europe/Prague."
            ),
        ),
        (
            {},
            {"timezone": "UTC"},
            (
                "Changed schedule “Mornings”: every day at 05:00, Europe/Prague → "
                "every day at 05:00, UTC."
            ),
        ),
        (
            {"name": ""},
            {"cron": "0 * * * *", "is_enabled": False},
            (
                "Changed schedule “Every day at 05:00, Europe/Prague”: now every hour on the hour, "
                "Europe/Prague; switched off."
            ),
        ),
        (
            {"is_enabled": False},
            {"name": "Early", "is_enabled": True, "overlap": "skip", "variables": {}},
            (
                "Changed schedule “Mornings”: renamed to “Early”; switched on; while a run is "
                "unfinished: Queue one → Skip; removed variables \u203a day."
            ),
        ),
        ({}, {"name": ""}, "Changed schedule “Mornings”: no name any more."),
    ],
)
def test_a_schedule_says_what_changed(
    old: dict[str, Any], new: dict[str, Any], sentence: str
) -> None:
    found = schedule_sentence(
        cast("ScheduleDesign", SCHEDULE | old), cast("ScheduleDesign", SCHEDULE | old | new)
    )
    assert found == sentence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ({}, {}, ""),
        (
            {},
            {"cooldown": 15, "tables": ["in.c-shop.orders", "in.c-shop.items"]},
            (
                "Changed trigger “in.c-shop.orders”: tables: in.c-shop.orders → in.c-shop.orders, "
                "in.c-shop.items; at most one run in: 5 minutes → 15 minutes."
            ),
        ),
        (
            {"name": "Shop"},
            {"name": "Store", "is_enabled": False},
            "Changed trigger “Shop”: renamed to “Store”; switched off.",
        ),
    ],
)
def test_a_trigger_says_what_changed(
    old: dict[str, Any], new: dict[str, Any], sentence: str
) -> None:
    found = trigger_sentence(
        cast("TriggerDesign", TRIGGER | old), cast("TriggerDesign", TRIGGER | old | new)
    )
    assert found == sentence
