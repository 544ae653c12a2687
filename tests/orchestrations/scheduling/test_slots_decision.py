from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrations.enums import Misfire, Overlap, SlotOutcome
from orchestrations.scheduling import decision
from orchestrations.scheduling.decision import Decision, Downtime, Policy, Unfinished
from orchestrator_site.lib.cron import Occurrence

F, Q, S = SlotOutcome.FIRED, SlotOutcome.QUEUED, SlotOutcome.SKIPPED
C, M, P = SlotOutcome.COALESCED, SlotOutcome.MISSED, SlotOutcome.PAUSED
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """A moment so many minutes before noon, which is now."""
    return NOON - timedelta(minutes=minutes)


def policy(overlap: Overlap = Overlap.QUEUE_ONE, **fields: object) -> Policy:
    return Policy(timezone="UTC", overlap=overlap, **fields)  # type: ignore[arg-type]  # checked


def decide(
    rule: Policy, due: Sequence[datetime], *, unfinished: int, **known: Any
) -> list[Decision]:
    """What becomes of plain moments while so many runs, from number 1 on, have not ended."""
    moments = [Occurrence(m, m, "normal") for m in due]
    ahead = Unfinished(unfinished, "run 1", f"run {unfinished}") if unfinished else Unfinished()
    return decision.decide(rule, moments, unfinished=ahead, **known)


ONE, ALL, SKIP, END = Overlap.QUEUE_ONE, Overlap.QUEUE_ALL, Overlap.SKIP, Overlap.TERMINATE
OVERLAPS = [
    # policy, runs unfinished before, outcome, makes a run, ends the others
    (ONE, 0, F, True, False),
    (ONE, 1, Q, True, False),
    (ONE, 2, S, False, False),
    (ONE, 7, S, False, False),
    (SKIP, 0, F, True, False),
    (SKIP, 1, S, False, False),
    (SKIP, 2, S, False, False),
    (ALL, 0, F, True, False),
    (ALL, 1, Q, True, False),
    (ALL, 9, Q, True, False),
    (END, 0, F, True, False),
    (END, 1, F, True, True),
    (END, 3, F, True, True),
]


@pytest.mark.parametrize(("overlap", "unfinished", "outcome", "run", "ends"), OVERLAPS)
def test_a_moment_on_time_meets_unfinished_runs(
    overlap: Overlap, unfinished: int, outcome: SlotOutcome, *, run: bool, ends: bool
) -> None:
    (made,) = decide(policy(overlap), [at(0)], now=NOON, unfinished=unfinished)

    assert (made.due_at, made.outcome) == (NOON, outcome)
    assert (made.make_run, made.terminate) == (run, ends)
    assert bool(made.reason) == (unfinished > 0)


@pytest.mark.parametrize("misfire", Misfire)
@pytest.mark.parametrize(
    ("seconds", "is_on_time"), [(0, True), (9.9, True), (60, True), (60.001, False)]
)
def test_up_to_a_minute_late_is_on_time(
    misfire: Misfire, seconds: float, *, is_on_time: bool
) -> None:
    moment = NOON - timedelta(seconds=seconds)
    (made,) = decide(policy(misfire=misfire), [moment], now=NOON, unfinished=0)

    runs = is_on_time or misfire != Misfire.SKIP
    assert made.outcome == (F if runs else M)
    assert made.make_run is runs
    said = "" if seconds < 10 else "1 min late."
    assert (made.reason == said) is is_on_time


LATE3 = [at(180), at(120), at(60)]
MISFIRES = [
    ("skip", Misfire.SKIP, 10, LATE3, [M, M, M]),
    ("skip, then on time", Misfire.SKIP, 10, [*LATE3, at(0)], [M, M, M, F]),
    ("last", Misfire.LAST, 10, LATE3, [C, C, F]),
    ("last is the one on time", Misfire.LAST, 10, [*LATE3, at(0)], [C, C, C, F]),
    ("last of one", Misfire.LAST, 10, [at(60)], [F]),
    ("all, fewer than allowed", Misfire.ALL, 4, LATE3, [F, Q, Q]),
    ("all, just as many", Misfire.ALL, 3, LATE3, [F, Q, Q]),
    ("all, more than allowed", Misfire.ALL, 2, LATE3, [M, F, Q]),
    ("all and one on time", Misfire.ALL, 2, [*LATE3, at(0)], [M, F, Q, Q]),
    ("two on time", Misfire.LAST, 10, [at(1), at(0)], [F, Q]),
]


@pytest.mark.parametrize(
    ("misfire", "limit", "due", "outcomes"), [m[1:] for m in MISFIRES], ids=[m[0] for m in MISFIRES]
)
def test_missed_moments_follow_the_misfire_policy(
    misfire: Misfire, limit: int, due: list[datetime], outcomes: list[SlotOutcome]
) -> None:
    rule = policy(ALL, misfire=misfire, misfire_limit=limit)
    decisions = decide(rule, due, now=NOON, unfinished=0)

    assert [(d.due_at, d.outcome) for d in decisions] == list(zip(due, outcomes, strict=True))
    assert [d.make_run for d in decisions] == [outcome in (F, Q) for outcome in outcomes]


def test_runs_made_for_earlier_moments_count_as_unfinished() -> None:
    rule = policy(ONE, misfire=Misfire.ALL, misfire_limit=5)
    decisions = decide(rule, [at(4), at(3), at(2)], now=NOON, unfinished=0)

    assert [d.outcome for d in decisions] == [F, Q, S]


def test_terminate_makes_one_run_however_many_moments_are_due() -> None:
    rule = policy(END, misfire=Misfire.ALL, misfire_limit=5)
    decisions = decide(rule, [at(3), at(2), at(1), at(0)], now=NOON, unfinished=1)

    assert [(d.outcome, d.terminate) for d in decisions] == [
        (C, False),
        (C, False),
        (C, False),
        (F, True),
    ]


def test_moments_before_the_end_of_a_pause_are_paused() -> None:
    rule = policy(paused_until=at(60), misfire=Misfire.ALL)
    decisions = decide(rule, [at(180), at(61), at(60), at(0)], now=NOON, unfinished=0)

    assert [d.outcome for d in decisions] == [P, P, F, Q]
    assert decisions[0].reason == "The schedule is paused until 2026-06-01 11:00 UTC."


def test_a_pause_is_not_made_up_for() -> None:
    decisions = decide(policy(paused_until=at(-60)), [*LATE3, at(0)], now=NOON, unfinished=0)

    assert [d.outcome for d in decisions] == [P, P, P, P]


def test_a_refusal_is_the_answer_for_every_moment() -> None:
    refusal = (SlotOutcome.REJECTED, "There is nothing to run.")
    rule = policy(refusal=refusal, paused_until=at(-60))
    decisions = decide(rule, [at(60), at(0)], now=NOON, unfinished=0)

    assert [(d.outcome, d.reason, d.make_run) for d in decisions] == [(*refusal, False)] * 2


@pytest.mark.parametrize("misfire", Misfire)
def test_a_backlog_in_parts_runs_what_it_would_run_at_once(misfire: Misfire) -> None:
    moments = [at(n) for n in range(50, -1, -1)]
    rule = policy(ALL, misfire=misfire, misfire_limit=3)
    whole = decide(rule, moments, now=NOON, unfinished=0)
    decided: dict[datetime, bool] = {}
    for start in range(0, len(moments), 7):
        part = moments[start : start + 7]
        due = part + [m for m in moments[-5:] if m > part[-1]]
        for d in decide(rule, due, now=NOON, unfinished=0, decided=decided.keys()):
            decided[d.due_at] = d.make_run

    assert sorted(decided.items()) == [(d.due_at, d.make_run) for d in whole]


def test_late_and_coalesced_moments_say_so_in_the_schedules_zone() -> None:
    rule = Policy(timezone="Europe/Prague")
    first, last = decide(rule, [at(185), at(125)], now=NOON, unfinished=0)

    assert first.reason == (
        "Nothing could start it in time. "
        "The moment of 2026-06-01 11:55 Europe/Prague stands for it."
    )
    assert last.reason == "Missed, run 2 hr 5 min late."


@pytest.mark.parametrize(
    ("overlap", "unfinished", "reason"),
    [
        (ONE, 1, "Waits behind run 1."),
        (ALL, 2, "Waits behind run 1 and run 2."),
        (ALL, 5, "Waits behind 5 runs, the first of them run 1 and the last run 5."),
        (SKIP, 1, "Run 1 had not ended."),
        (ONE, 2, "Run 1 had not ended, and run 2 waited already."),
        (END, 1, "Terminates run 1 to make room."),
    ],
)
def test_a_moment_names_the_runs_that_it_meets(
    overlap: Overlap, unfinished: int, reason: str
) -> None:
    (made,) = decide(policy(overlap), [at(0)], now=NOON, unfinished=unfinished)

    assert made.reason == reason


def test_a_run_made_on_the_way_is_named_by_its_moment() -> None:
    rule = policy(ONE, misfire=Misfire.ALL)
    _, second, third = decide(rule, [at(3), at(2), at(1)], now=NOON, unfinished=0)

    name = "the run due at 2026-06-01 11:57 UTC"
    assert second.reason == f"Missed, run 2 min late. Waits behind {name}."
    assert third.reason.startswith(f"T{name[1:]} had not ended, and the run due at")


def test_a_missed_moment_says_when_nothing_fired() -> None:
    downtimes = [Downtime(at(121), at(61), "Nothing fired")]
    rule = Policy(timezone="Europe/Prague", misfire=Misfire.SKIP, downtimes=downtimes)
    decisions = decide(rule, [at(125), at(120), at(61), at(60)], now=NOON, unfinished=0)

    sentence = (
        "Nothing fired from 2026-06-01 11:59:00 to 12:59:00 Europe/Prague. "
        "Missed moments are skipped."
    )
    unknown = "Nothing could start it in time. Missed moments are skipped."
    assert [d.reason for d in decisions] == [unknown, sentence, sentence, unknown]


def test_a_moment_with_a_lead_was_missed_when_it_was_to_start() -> None:
    downtimes = [Downtime(at(130), at(90), "Nothing fired")]
    rule = policy(downtimes=downtimes, lead=timedelta(minutes=60))
    (made,) = decide(rule, [at(60)], now=NOON, unfinished=0)

    assert made.reason == (
        "Missed, run 2 hr late. Nothing fired from 2026-06-01 09:50:00 to 10:30:00 UTC."
    )


@pytest.mark.parametrize(
    ("overlap", "misfire"), [(ONE, Misfire.LAST), (END, Misfire.ALL), (END, Misfire.LAST)]
)
def test_what_is_older_than_the_window_was_missed(overlap: Overlap, misfire: Misfire) -> None:
    rule = policy(overlap, misfire=misfire, misfire_window=30)
    decisions = decide(rule, LATE3, now=NOON, unfinished=0)

    assert [d.outcome for d in decisions] == [M, M, M]
    assert not any(d.make_run for d in decisions)
    assert all(d.reason.endswith("It is older than what is made up for.") for d in decisions)
