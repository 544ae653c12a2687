from __future__ import annotations

from typing import Any, cast

import pytest

from orchestrations.models.orchestration import Definition, PhaseDesign, ScheduleDesign, TaskDesign
from orchestrations.queries.differences import Names, Part, as_text, differences, out_of_order
from orchestrator_site.lib.differences import STEP

NAMES = Names(
    {("configuration", 1): "Orders", ("configuration", 2): "Clean", ("orchestration", 3): "Shop"},
    {"ann@example.com": "ann@example.com", "enc::1": "hooks.example.com/…", "enc::2": "x.org/…"},
)


def definition(*phases: PhaseDesign, **fields: Any) -> Definition:
    usual: dict[str, Any] = {
        "name": "Shop",
        "description": "",
        "variables": {},
        "schedules": [],
        "triggers": [],
        "notifications": [],
    }
    return cast("Definition", usual | {"phases": list(phases)} | fields)


def phase(key: str, *tasks: TaskDesign, **fields: Any) -> PhaseDesign:
    usual: dict[str, Any] = {"name": key.title(), "depends_on": None}
    return cast("PhaseDesign", usual | {"key": key, "tasks": list(tasks)} | fields)


def task(key: str, configuration: int | None = 1, **fields: Any) -> TaskDesign:
    usual: dict[str, Any] = {
        "configuration": configuration,
        "orchestration": None,
        "is_active": True,
        "continue_on_failure": False,
        "parameters": {},
        "retries": 0,
        "retry_delay": 60,
        "retry_backoff": 2.0,
        "retry_match": "",
        "delay": 0,
        "timeout": None,
    }
    return cast("TaskDesign", usual | {"key": key} | fields)


def schedule(id_: int = 1, **fields: Any) -> ScheduleDesign:
    usual: dict[str, Any] = {
        "name": "",
        "cron": "0 5 * * *",
        "timezone": "UTC",
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
        "variables": {},
    }
    return cast("ScheduleDesign", usual | {"id": id_} | fields)


def text(old: Definition, new: Definition) -> list[str]:
    return as_text(differences(old, new, NAMES))


def test_equal_definitions_do_not_differ() -> None:
    same = definition(phase("a", task("t1")), schedules=[schedule()])
    assert differences(same, same, NAMES) == []


def test_names_descriptions_and_variables() -> None:
    old = definition(description="One\nTwo", variables={"day": "1", "gone": "x"})
    new = definition(name="Store", description="One\n2", variables={"day": "2", "new": "y"})
    assert text(old, new) == [
        "Name and description",
        "  ~ Name",
        "      Shop → Store",
        "  ~ Description",
        "        One",
        "      - Two",
        "      + 2",
        "Variables",
        "  ~ day",
        "      1 → 2",
        "  - gone",
        "  + new",
        "      y",
    ]


def test_phases_that_come_go_move_and_wait() -> None:
    old = definition(phase("a", task("1")), phase("b", task("2")), phase("c", task("3")))
    new = definition(
        phase("c", task("3")),
        phase("a", task("1"), name="Load"),
        phase("d", task("2"), depends_on=["a", "c"]),
    )
    assert text(old, new)[:5] == [
        "Phases",
        "  ~ C to the beginning",
        "  ~ Load",
        "      Name: A → Load",
        "  + D with 1 task",
    ]
    waits = definition(phase("a", task("1")), phase("b", task("2"), depends_on=["a"]))
    before = definition(phase("a", task("1")), phase("b", task("2"), depends_on=[]))
    assert text(before, waits) == [
        "Phases",
        "  ~ B",
        "      Waits for: nothing, it starts at once → “A”",
    ]


def test_a_renamed_phase_does_not_change_the_one_that_waits_for_it() -> None:
    old = definition(phase("a", task("1")), phase("b", task("2"), depends_on=["a"]))
    new = definition(phase("a", task("1"), name="X"), phase("b", task("2"), depends_on=["a"]))
    assert text(old, new) == ["Phases", "  ~ X", "      Name: A → X"]


def test_tasks_that_come_go_and_move() -> None:
    old = definition(
        phase("a", task("1"), task("2", 2)), phase("b", task("3", None, orchestration=3))
    )
    new = definition(
        phase("a", task("2", 2)),
        phase("b", task("3", None, orchestration=3), task("1"), task("4", 9, retries=2)),
    )
    assert text(old, new) == [
        "Tasks",
        "  ~ Orders from phase “A” to “B”",
        "  + something deleted in phase “B”",
        "      Retries: 2, after 1 min, doubling",
    ]
    assert text(new, old)[1:] == [
        "  ~ Orders from phase “B” to “A”",
        "  - something deleted from phase “B”",
    ]


def test_the_order_inside_a_phase() -> None:
    old = definition(phase("a", task("1"), task("2", 2), task("3", None, orchestration=3)))
    new = definition(phase("a", task("3", None, orchestration=3), task("1"), task("2", 2)))
    assert text(old, new) == ["Tasks", "  ~ Shop within phase “A”"]


def test_settings_and_parameters_of_a_task() -> None:
    old = task("1", parameters={"a": {"b": 1}, "#key": "enc::1", "list": [1, 2]})
    new = task(
        "1",
        2,
        is_active=False,
        continue_on_failure=True,
        retries=3,
        retry_delay=300,
        retry_backoff=1.0,
        retry_match="timeout",
        delay=90,
        timeout=3600,
        parameters={"a": {"b": 2}, "#key": "enc::2", "list": [1]},
    )
    assert text(definition(phase("a", old)), definition(phase("a", new))) == [
        "Tasks",
        "  ~ Clean in phase “A”",
        "      Configuration: Orders → Clean",
        "      Active: yes → no",
        "      Continue on failure: no → yes",
        "      Retries: none → 3, after 5 min, only where the error contains “timeout”",
        "      Delay before it starts: none → 1 min 30 sec",
        "      Time limit: none → 1 hr",
        f"      Parameters{STEP}a{STEP}b: 1 → 2",
        f"      Parameters{STEP}#key: a secret → another secret",
        f"      Parameters{STEP}list: 1, 2 → 1",
    ]


def test_a_pause_before_retries_that_there_are_not_yet() -> None:
    old, new = task("1"), task("1", retry_delay=0, retry_backoff=3.0)
    assert text(definition(phase("a", old)), definition(phase("a", new)))[2:] == [
        "      Retries: none → none (at once, once there are some)"
    ]


def test_schedules_in_words() -> None:
    old = definition(schedules=[schedule(1, name="Mornings"), schedule(2, cron="0 * * * *")])
    changed = schedule(
        1,
        name="Mornings",
        cron="0 6 * * 1-5",
        timezone="Europe/Prague",
        is_enabled=False,
        overlap="skip",
        misfire="all",
        valid_to="2026-12-01T10:00:00+00:00",
        variables={"day": "1"},
    )
    new = definition(schedules=[changed, schedule(3, cron="0 0 1 * *", is_enabled=False)])
    assert text(old, new) == [
        "Schedules",
        "  ~ Mornings",
        "      When: Every day at 05:00, UTC → Monday to Friday at 06:00, Europe/Prague",
        "      Enabled: yes → no",
        "      While a run is unfinished: Queue one → Skip",
        "      Missed moments: Run the last one → Run all, up to 10",
        "      Valid to: not set → 1 December 2026 10:00 UTC",
        f"      Variables{STEP}day: 1",
        "  + On day 1 of every month at 00:00, UTC",
        "      Enabled: no",
        "  - Every hour on the hour, UTC",
    ]


def test_what_words_do_not_tell_apart_is_said_otherwise() -> None:
    old = definition(schedules=[schedule(cron="0 5 * * *")])
    new = definition(schedules=[schedule(cron="0 5 */1 * *", misfire_limit=5)])
    assert text(old, new)[2:] == [
        "      Cron expression: 0 5 * * * → 0 5 */1 * *",
        "      Most missed moments: 10 → 5",
    ]


def test_triggers_and_notifications_with_masked_recipients() -> None:
    trigger: dict[str, Any] = {
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
    mail = {"key": "a", "event": "error", "channel": "email", "address": "ann@example.com"}
    hook = {"key": "b", "event": "processing", "channel": "slack", "address": "enc::1"}
    old = definition(
        triggers=[trigger],
        notifications=[mail | {"threshold": None}, hook | {"threshold": 20}],
    )
    new = definition(
        triggers=[trigger | {"cooldown": 1, "tables": ["in.c-shop.orders", "in.c-shop.items"]}],
        notifications=[
            hook | {"threshold": 50, "address": "enc::2"},
            {**hook, "key": "c", "event": "waiting", "address": "enc::1", "threshold": 10},
        ],
    )
    assert text(old, new) == [
        "Triggers",
        "  ~ When updated: in.c-shop.orders, in.c-shop.items",
        "      Tables: in.c-shop.orders → in.c-shop.orders, in.c-shop.items",
        "      At most one run in: 5 minutes → 1 minute",
        "Notifications",
        "  ~ Processing to x.org/…",
        "      To: hooks.example.com/… → x.org/…",
        "      When: 20 % longer than usual → 50 % longer than usual",
        "  + Waiting to hooks.example.com/… by Slack",
        "      When: 10 minutes on",
        "  - Errors to ann@example.com by E-mail",
    ]


def test_another_url_of_the_same_host_is_told_apart() -> None:
    names = Names({}, {"enc::1": "x.org/…", "enc::2": "x.org/…"})
    hook: dict[str, Any] = {"key": "b", "event": "error", "channel": "teams", "threshold": None}
    old = definition(notifications=[hook | {"address": "enc::1"}])
    new = definition(notifications=[hook | {"address": "enc::2"}])
    found: list[Part] = differences(old, new, names)
    assert as_text(found)[1:] == ["  ~ Errors to x.org/…", "      To: x.org/… → another x.org/…"]


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        ("abc", "abc", ""),
        ("abc", "acb", "b"),
        ("abc", "cab", "c"),
        ("abcd", "dcba", "bcd"),
        ("abc", "xaby", ""),
        ("abcde", "aecdb", "be"),
    ],
)
def test_the_fewest_that_moved(old: str, new: str, moved: str) -> None:
    found = out_of_order(list(old), list(new))
    assert len(found) == len(moved)
    rest = [key for key in new if key in old and key not in found]
    assert rest == [key for key in old if key in rest]
