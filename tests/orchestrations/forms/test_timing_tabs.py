"""The tabs of the schedule dialog: what a switch carries along, keeps, and offers back."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from orchestrations.forms import tabs, timing
from orchestrations.models import Schedule


def posted(**values: str | list[str]) -> QueryDict:
    """What a browser sends: each value, or several of one name."""
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, [value] if isinstance(value, str) else value)
    return data


def opened(cron: str) -> QueryDict:
    return timing.of_schedule(Schedule(cron=cron, timezone="Europe/Prague"))


def switched(data: QueryDict, **values: str | list[str]) -> timing.Settled:
    """What is shown after some fields of what was shown were changed."""
    data = data.copy()
    for name, value in values.items():
        data.setlist(name, [value] if isinstance(value, str) else value)
    return timing.settle(data, tabs.TAB)


def said(settled: timing.Settled, *names: str) -> dict[str, list[str]]:
    return {name: settled.data.getlist(name) for name in names}


@pytest.mark.parametrize(
    ("cron", "values"),
    [
        ("0 * * * *", {"tab": ["hourly"], "at_minute": ["0"]}),
        ("59 * * * *", {"tab": ["hourly"], "at_minute": ["59"]}),
        ("5 6 * * *", {"tab": ["daily"], "at_hour": ["6"], "at_minute": ["5"]}),
        (
            "0 0 * * sun",
            {"tab": ["weekly"], "on_days": ["0"], "at_hour": ["0"], "at_minute": ["0"]},
        ),
        (
            "30 6 * * 5,1",
            {"tab": ["weekly"], "on_days": ["1", "5"], "at_hour": ["6"], "at_minute": ["30"]},
        ),
        ("* * * * *", None),
        ("0,30 * * * *", None),
        ("0 5,17 * * *", None),
        ("* 6 * * *", None),
        ("0 * * * 1", None),
        ("0 0 1 * *", None),
        ("0 0 L * *", None),
        ("0 0 * * 1#2", None),
        ("*/15 * * * *", None),
        ("@every 1 hours from 2026-11-22T00:00", None),
        ("61 * * * *", None),
        ("", None),
    ],
)
def test_a_tab_shows_just_what_it_says_exactly(
    cron: str, values: dict[str, list[str]] | None
) -> None:
    assert tabs.tab_values(cron) == values


@pytest.mark.parametrize(
    ("key", "values", "cron"),
    [
        ("hourly", {"at_minute": "7"}, "7 * * * *"),
        ("daily", {"at_minute": "7", "at_hour": "23"}, "7 23 * * *"),
        ("weekly", {"at_minute": "7", "at_hour": "23", "on_days": ["5", "1"]}, "7 23 * * 1,5"),
        ("weekly", {"at_minute": "7", "at_hour": "23"}, None),
        ("daily", {"at_minute": "7"}, None),
        ("daily", {"at_minute": "7", "at_hour": "24"}, None),
        ("hourly", {"at_minute": "x\0"}, None),
    ],
)
def test_a_tab_says_an_expression(key: str, values: dict[str, Any], cron: str | None) -> None:
    tab = tabs.simple_tab(key)
    assert tab is not None
    assert tabs.tab_expression(posted(**values), tab) == cron


def test_a_new_dialog_begins_with_a_day_at_midnight() -> None:
    settled = timing.settle(timing.fresh_tabs("Asia/Kathmandu"), tabs.TAB)
    assert said(settled, "tab", "shown", "at_hour", "at_minute", "timezone") == {
        "tab": ["daily"],
        "shown": ["daily"],
        "at_hour": ["0"],
        "at_minute": ["0"],
        "timezone": ["Asia/Kathmandu"],
    }
    assert (settled.note, settled.not_seen, settled.replaced) == ("", False, "")


def test_the_simple_tabs_share_their_times_and_forget_none() -> None:
    weekly = opened("30 6 * * 1,5")
    hourly = switched(weekly, tab="hourly", at_minute="45")
    assert said(hourly, "shown", "at_minute", "at_hour", "on_days") == {
        "shown": ["hourly"],
        "at_minute": ["45"],
        "at_hour": ["6"],
        "on_days": ["1", "5"],
    }
    back = switched(hourly.data, tab="weekly")
    assert said(back, "at_minute", "at_hour", "on_days") == {
        "at_minute": ["45"],
        "at_hour": ["6"],
        "on_days": ["1", "5"],
    }
    assert (hourly.note, back.note) == ("", "")


@pytest.mark.parametrize(
    ("cron", "shown"),
    [
        ("45 * * * *", {"period": ["hour"], "minutes": ["45"]}),
        ("45 6 * * *", {"period": ["day"], "hours": ["6"], "minutes": ["45"]}),
        (
            "45 6 * * 1,5",
            {"period": ["week"], "weekdays": ["1", "5"], "hours": ["6"], "minutes": ["45"]},
        ),
    ],
)
def test_custom_begins_with_what_the_tab_says(cron: str, shown: dict[str, list[str]]) -> None:
    custom = switched(opened(cron), tab="custom")
    assert said(custom, *shown) == shown
    assert said(custom, "mode", "shown") == {"mode": ["picker"], "shown": ["picker"]}
    assert custom.replaced == ""
    typed = switched(custom.data, mode="cron")
    assert said(typed, "cron", "shown") == {"cron": [cron], "shown": ["cron"]}
    assert tabs.tab_values(cron) is not None
    again = switched(typed.data, tab=str(opened(cron)["tab"]))
    assert again.note == ""
    assert said(again, *tabs.FIELDS) == {n: opened(cron).getlist(n) for n in tabs.FIELDS}


def test_a_changed_expression_is_taken_along_to_the_tab() -> None:
    custom = switched(opened("0 0 1 * *"), mode="cron", cron="0 0 1 * *", shown="cron")
    weekly = switched(custom.data, cron="20 7 * * 2,4", tab="weekly")
    assert said(weekly, "on_days", "at_hour", "at_minute") == {
        "on_days": ["2", "4"],
        "at_hour": ["7"],
        "at_minute": ["20"],
    }
    assert weekly.note == ""


@pytest.mark.parametrize(
    ("cron", "tab", "carried", "words"),
    [
        (
            "20 7 1 * *",
            "daily",
            {"at_hour": ["7"], "at_minute": ["20"]},
            "On day 1 of every month at 07:20",
        ),
        (
            "20 5,17 * * *",
            "hourly",
            {"at_hour": ["0"], "at_minute": ["20"]},
            "Every day at 05:20 and 17:20",
        ),
        (
            "0 9 L * *",
            "weekly",
            {"at_hour": ["9"], "at_minute": ["0"], "on_days": ["1"]},
            "On the last day of every month at 09:00",
        ),
        (
            "15 * 1-7 * 1-5",
            "weekly",
            {"at_hour": ["0"], "at_minute": ["15"], "on_days": list("12345")},
            "Every hour at minute 15, on days 1 to 7 of every month and Monday to Friday",
        ),
    ],
)
def test_what_a_tab_cannot_say_is_told_and_kept(
    cron: str, tab: str, carried: dict[str, list[str]], words: str
) -> None:
    custom = opened(cron)
    simple = switched(custom, tab=tab)
    assert said(simple, *carried) == carried
    told = "says only a part of the custom schedule. Custom keeps all of it"
    assert simple.note == f"{tab.capitalize()} {told}: {words}, Europe/Prague."
    back = switched(simple.data, tab="custom")
    kept = ("mode", "cron", "period", "minutes", "hours", "days", "months", "weekdays")
    assert said(back, *kept) == {name: custom.getlist(name) for name in kept}
    assert (back.note, back.replaced) == ("", "")


def test_looking_through_the_tabs_changes_nothing() -> None:
    data = opened("0 9 L * *")
    for tab in ("weekly", "hourly", "daily", "custom"):
        data = switched(data, tab=tab).data
    assert (data["cron"], data["shown"]) == ("0 9 L * *", "cron")


def test_nonsense_stays_under_custom_while_another_tab_is_looked_at() -> None:
    custom = switched(opened("0 9 L * *"), cron="61 * * * *")
    daily = switched(custom.data, tab="daily")
    assert said(daily, "at_hour", "at_minute", "cron") == {
        "at_hour": ["0"],
        "at_minute": ["0"],
        "cron": ["61 * * * *"],
    }
    assert daily.note == ""
    assert switched(daily.data, tab="custom").data["cron"] == "61 * * * *"


@pytest.mark.parametrize("text", ["0 9 L * *", "61 * * * *", 'no "such" <b>thing'])
def test_a_changed_tab_takes_the_place_of_custom_and_offers_it_back(text: str) -> None:
    custom = switched(opened("0 9 L * *"), cron=text)
    daily = switched(custom.data, tab="daily")
    changed = switched(daily.data, at_hour="4")
    again = switched(changed.data, tab="custom")
    assert said(again, "mode", "cron") == {"mode": ["cron"], "cron": ["0 4 * * *"]}
    assert again.replaced == text
    back = switched(again.data, action=f"take:{text}")
    assert said(back, "tab", "mode", "cron") == {
        "tab": ["custom"],
        "mode": ["cron"],
        "cron": [text],
    }
    assert back.replaced == "0 4 * * *"


def test_a_ready_made_schedule_opens_its_tab_and_offers_what_was_written() -> None:
    custom = switched(opened("0 9 L * *"), cron="0 9 1 * *")
    weekly = switched(custom.data, action="take:0 0 * * 1")
    assert said(weekly, "tab", "shown", "on_days", "at_hour") == {
        "tab": ["weekly"],
        "shown": ["weekly"],
        "on_days": ["1"],
        "at_hour": ["0"],
    }
    again = switched(weekly.data, tab="custom", action="show")
    assert said(again, "cron") == {"cron": ["0 0 * * 1"]}
    assert again.replaced == "0 9 1 * *"


def test_a_ready_made_custom_schedule_offers_what_it_replaced() -> None:
    custom = switched(opened("0 9 L * *"), cron="0 9 1 * *")
    month = switched(custom.data, action="take:0 0 L * *")
    assert said(month, "tab", "cron") == {"tab": ["custom"], "cron": ["0 0 L * *"]}
    assert month.replaced == "0 9 1 * *"
    same = switched(month.data, action="take:0 0 L * *")
    assert same.replaced == ""
    fresh = switched(timing.fresh_tabs(), action="take:0 0 L * *")
    assert (said(fresh, "tab"), fresh.replaced) == ({"tab": ["custom"]}, "")


def test_an_interval_is_kept_too() -> None:
    every = "@every 7 hours from 2026-11-22 19:30"
    daily = switched(opened(every), tab="daily", at_hour="3")
    assert daily.note.startswith("Daily says only a part")
    again = switched(daily.data, tab="custom", at_hour="4")
    assert said(again, "mode", "hours") == {"mode": ["picker"], "hours": ["4"]}
    assert again.replaced == every


@pytest.mark.parametrize(
    ("shown", "tab", "mode", "not_seen"),
    [
        ("daily", "daily", "picker", False),
        ("daily", "weekly", "picker", True),
        ("daily", "custom", "picker", True),
        ("cron", "custom", "cron", False),
        ("picker", "custom", "cron", False),
        ("picker", "hourly", "picker", True),
        ("", "daily", "picker", True),
        ("\0", "custom", "picker", True),
        (None, "weekly", "picker", False),
    ],
)
def test_it_tells_whether_the_fields_were_seen(
    shown: str | None, tab: str, mode: str, *, not_seen: bool
) -> None:
    values = {"tab": tab, "mode": mode, "period": "day", "cron": "0 9 * * *"}
    data = posted(**values if shown is None else values | {"shown": shown})
    assert timing.settle(data, tabs.TAB).not_seen is not_seen


@pytest.mark.parametrize(
    ("values", "tab"),
    [({"mode": "cron", "cron": "x"}, "custom"), ({"cron": "x"}, "custom"), ({}, None)],
)
def test_without_a_tab_only_what_is_custom_is_taken_for_custom(
    values: dict[str, Any], tab: str | None
) -> None:
    assert timing.settle(posted(**values), tabs.TAB).data.get("tab") == tab
