from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrations.engine.planner import (
    ENDLESS,
    PhaseState,
    Plan,
    TaskState,
    in_order,
    outcome_of,
    plan_next,
)
from orchestrations.enums import FINISHED_TASK, RunStatus, TaskStatus

T, R = TaskStatus, RunStatus
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LETTERS = {
    "c": T.CREATED,
    "w": T.WAITING,
    "p": T.PROCESSING,
    "g": T.TERMINATING,
    "s": T.SUCCESS,
    "a": T.WARNING,
    "e": T.ERROR,
    "t": T.TERMINATED,
    "x": T.CANCELLED,
    "k": T.SKIPPED,
}


def phases_of(pattern: str, waits: list[list[int] | None] | None = None) -> list[PhaseState]:
    """Phases from "s p|c": a letter per task, `!` after it for continue on failure."""
    ids = iter(range(1, 1000))
    depends = in_order(
        [
            (
                str(i),
                None if waits is None or waits[i] is None else [str(k) for k in waits[i] or []],
            )
            for i in range(len(pattern.split("|")))
        ]
    )
    return [
        PhaseState(
            key=str(number),
            depends_on=depends[number],
            tasks=tuple(
                TaskState(
                    id=(pk := next(ids)),
                    name=f"t{pk}",
                    status=LETTERS[word[0]],
                    continue_on_failure=word.endswith("!"),
                )
                for word in phase.split()
            ),
        )
        for number, phase in enumerate(pattern.split("|"))
    ]


FAILED, STOPPED = "“t1” failed before it.", "“t1” was terminated before it."
CASES: dict[str, tuple[str, Plan]] = {
    "nothing to do is a success": ("", Plan(outcome=R.SUCCESS)),
    "empty phases pass": ("||", Plan(outcome=R.SUCCESS)),
    "the first phase starts, all its tasks at once": ("c c|c", Plan(start=(1, 2))),
    "an empty first phase passes": ("|c|c", Plan(start=(1,))),
    "an empty phase between passes": ("s||c", Plan(start=(2,))),
    "an empty phase between waits": ("p||c", Plan()),
    "a phase waits for the last task": ("s p|c", Plan()),
    "a phase waits for a waiting task": ("s w|c", Plan()),
    "a phase waits for a terminating task": ("s g|c", Plan()),
    "the next phase starts": ("s s|c c|c", Plan(start=(3, 4))),
    "the last phase starts": ("s|s|c", Plan(start=(3,))),
    "a warning goes on": ("a|c", Plan(start=(2,))),
    "skipped tasks count as done": ("k s|c", Plan(start=(3,))),
    "a phase of skipped tasks passes": ("s|k k|c", Plan(start=(4,))),
    "a phase of skipped tasks does not overtake": ("p|k k|c", Plan()),
    "a skipped task beside ones that start": ("k c|c", Plan(start=(2,))),
    "an error lets its siblings finish": ("e p|c", Plan()),
    "an error skips all later phases": (
        "e s|c c|c",
        Plan(skip={FAILED: (3, 4, 5)}, outcome=R.ERROR, reason="“t1” failed."),
    ),
    "an error leaves out what was skipped before": (
        "e|k c",
        Plan(skip={FAILED: (3,)}, outcome=R.ERROR, reason="“t1” failed."),
    ),
    "an error in the last phase": ("s|e", Plan(outcome=R.ERROR, reason="“t2” failed.")),
    "an error passes through an empty phase": (
        "e||c",
        Plan(skip={FAILED: (2,)}, outcome=R.ERROR, reason="“t1” failed."),
    ),
    "an error that continues": ("e!|c", Plan(start=(2,))),
    "an error that continues ends as a warning": (
        "e!|s",
        Plan(outcome=R.WARNING, reason="“t1” failed, and the run went on."),
    ),
    "an error outweighs one that continues": (
        "e! e|c",
        Plan(skip={"“t2” failed before it.": (3,)}, outcome=R.ERROR, reason="“t2” failed."),
    ),
    "a warning makes a warning": (
        "s a|s",
        Plan(outcome=R.WARNING, reason="“t2” ended with a warning."),
    ),
    "a terminated task terminates the run": (
        "t|c",
        Plan(skip={STOPPED: (2,)}, outcome=R.TERMINATED, reason="“t1” was terminated."),
    ),
    "a cancelled task terminates the run": (
        "x s|c",
        Plan(skip={STOPPED: (3,)}, outcome=R.TERMINATED, reason="“t1” was terminated."),
    ),
    "a terminated task that continues": ("t!|c", Plan(start=(2,))),
    "an error outweighs a termination": (
        "t e",
        Plan(outcome=R.ERROR, reason="“t2” failed."),
    ),
    "several errors are counted": (
        "e e e",
        Plan(outcome=R.ERROR, reason="“t1” failed (and 2 more)."),
    ),
    "all skipped is a success": ("k|k k", Plan(outcome=R.SUCCESS)),
    "all done is a success": ("s|s s|s", Plan(outcome=R.SUCCESS)),
    "nothing while all is on its way": ("w p", Plan()),
}


@pytest.mark.parametrize(("pattern", "plan"), CASES.values(), ids=CASES.keys())
def test_sequential(pattern: str, plan: Plan) -> None:
    assert plan_next(phases_of(pattern), now=NOW) == plan


GRAPHS: dict[str, tuple[str, list[list[int] | None], Plan]] = {
    "two beginnings start together": ("c|c", [[], []], Plan(start=(1, 2))),
    "a diamond waits for both sides": ("s|s|p|c", [[], [0], [0], [1, 2]], Plan()),
    "a diamond goes on": ("s|s|s|c", [[], [0], [0], [1, 2]], Plan(start=(4,))),
    "one side does not wait for the other": ("s|s|p|c", [[], [0], [0], [1]], Plan(start=(4,))),
    "an error stops only its side": (
        "e|s|c|c",
        [[], [], [0], [1]],
        Plan(start=(4,), skip={FAILED: (3,)}),
    ),
    "an error below one side skips at once what joins both": (
        "e|p|c",
        [[], [], [0, 1]],
        Plan(skip={FAILED: (3,)}),
    ),
    "none means the one before": ("s|p|c", [[], [], None], Plan()),
    "order in the list does not matter": ("c|s", [[1], []], Plan(start=(1,))),
    "unknown phases are not waited for": ("c", [[7]], Plan(start=(1,))),
    "a circle is skipped and the run fails": (
        "s|c|c",
        [[], [2], [1]],
        Plan(skip={ENDLESS: (2, 3)}, outcome=R.ERROR, reason=ENDLESS),
    ),
    "a circle ends with the rest": (
        "p|c|c",
        [[], [2], [1]],
        Plan(skip={ENDLESS: (2, 3)}),
    ),
}


@pytest.mark.parametrize(("pattern", "waits", "plan"), GRAPHS.values(), ids=GRAPHS.keys())
def test_graphs(pattern: str, waits: list[list[int] | None], plan: Plan) -> None:
    assert plan_next(phases_of(pattern, waits), now=NOW) == plan


def task(status: TaskStatus, **fields: object) -> TaskState:
    return replace(TaskState(1, "t1", status), **fields)  # type: ignore[arg-type]


DELAYS = {
    "a delay is waited for": (task(T.CREATED, delay=5), Plan(delay=(1,))),
    "a delay that runs": (task(T.WAITING, not_before=NOW + timedelta(seconds=1)), Plan()),
    "a delay that is over": (task(T.WAITING, not_before=NOW), Plan(start=(1,))),
    "a task that waits for its job": (task(T.WAITING), Plan()),
}


@pytest.mark.parametrize(("state", "plan"), DELAYS.values(), ids=DELAYS.keys())
def test_delays(state: TaskState, plan: Plan) -> None:
    assert plan_next([PhaseState("a", (), (state,))], now=NOW) == plan


def test_the_sentence_carries_the_reason_of_the_first() -> None:
    tasks = [task(T.ERROR, reason="The server answered 404."), task(T.ERROR, reason="Other.")]
    assert outcome_of(tasks) == (
        R.ERROR,
        "“t1” failed (and 1 more): The server answered 404.",
    )


def test_what_phases_wait_for() -> None:
    assert in_order([("a", None), ("b", None), ("c", []), ("d", ["a", "b", "a", "?"])]) == [
        (),
        ("a",),
        (),
        ("a", "b"),
    ]


Outcomes = dict[int, TaskStatus]


def make_graph(dice: random.Random) -> tuple[list[PhaseState], Outcomes]:
    """A random graph in random order, some tasks left out, and how each task will end."""
    count = dice.randint(0, 7)
    sequential = dice.random() < 0.4
    outcomes: Outcomes = {}
    phases = []
    for number in range(count):
        tasks = []
        for _ in range(dice.choice([0, 1, 1, 2, 4])):
            pk = len(outcomes) + 1
            outcomes[pk] = dice.choice([T.SUCCESS] * 6 + [T.ERROR, T.WARNING, T.TERMINATED])
            status = T.SKIPPED if dice.random() < 0.15 else T.CREATED
            tasks.append(TaskState(pk, f"t{pk}", status, dice.random() < 0.3))
        before = [str(k) for k in range(number)]
        waits = before[-1:] if sequential else dice.sample(before, dice.randint(0, min(3, number)))
        phases.append(PhaseState(str(number), tuple(waits), tuple(tasks)))
    dice.shuffle(phases)
    return phases, outcomes


def expected_ends(phases: list[PhaseState], outcomes: Outcomes) -> tuple[Outcomes, RunStatus]:
    """The rules read slowly: phase by phase, asking for each all phases above it."""
    by_key = {phase.key: phase for phase in phases}
    ends: Outcomes = {}

    def stops(key: str) -> bool:
        return any(
            ends[t.id] in {T.ERROR, T.TERMINATED} and not t.continue_on_failure
            for t in by_key[key].tasks
        )

    def above(key: str) -> set[str]:
        direct = set(by_key[key].depends_on)
        return direct.union(*(above(k) for k in direct))

    for key in sorted(by_key, key=int):  # only lower numbers are waited for
        blocked = any(stops(k) for k in above(key))
        for t in by_key[key].tasks:
            ends[t.id] = T.SKIPPED if blocked or t.status == T.SKIPPED else outcomes[t.id]
    return ends, expected_status(phases, ends)


def expected_status(phases: list[PhaseState], ends: Outcomes) -> RunStatus:
    tasks = [t for phase in phases for t in phase.tasks]
    fatal = {ends[t.id] for t in tasks if not t.continue_on_failure}
    if T.ERROR in fatal:
        return R.ERROR
    if T.TERMINATED in fatal:
        return R.TERMINATED
    doubtful = {T.ERROR, T.TERMINATED, T.WARNING} & set(ends.values())
    return R.WARNING if doubtful else R.SUCCESS


def carry_out(
    phases: list[PhaseState], outcomes: Outcomes, dice: random.Random
) -> tuple[Outcomes, RunStatus]:
    """Do what the planner says, ending running tasks in random order, and watch the rules."""
    status = {t.id: t.status for phase in phases for t in phase.tasks}
    phase_of = {t.id: phase for phase in phases for t in phase.tasks}
    by_key = {phase.key: phase for phase in phases}
    while True:
        now = [
            replace(p, tasks=tuple(replace(t, status=status[t.id]) for t in p.tasks))
            for p in phases
        ]
        plan = plan_next(now, now=NOW)
        for pk in plan.start:
            assert status[pk] == T.CREATED
            for key in phase_of[pk].depends_on:
                assert all(status[t.id] in FINISHED_TASK for t in by_key[key].tasks)
            status[pk] = T.PROCESSING
        for ids in plan.skip.values():
            for pk in ids:
                assert status[pk] == T.CREATED
                status[pk] = T.SKIPPED
        if plan.outcome:
            assert not plan.start
            return status, plan.outcome
        running = [pk for pk, s in status.items() if s == T.PROCESSING]
        assert running, "the run hangs"
        for pk in dice.sample(running, dice.randint(1, len(running))):
            status[pk] = outcomes[pk]


@pytest.mark.parametrize("block", range(10))
def test_random_graphs_end_as_the_rules_say(block: int) -> None:
    for seed in range(block * 200, block * 200 + 200):
        dice = random.Random(seed)
        phases, outcomes = make_graph(dice)
        assert carry_out(phases, outcomes, dice) == expected_ends(phases, outcomes), seed
