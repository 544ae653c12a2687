from __future__ import annotations

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
from orchestrations.enums import RunStatus, TaskStatus

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
    "a warning that continues": ("a!|c", Plan(start=(2,))),
    "a warning lets its siblings finish": ("a p|c", Plan()),
    "a warning is no success: nothing after it starts": (
        "a s|c c|c",
        Plan(
            skip={"“t1” ended with a warning before it.": (3, 4, 5)},
            outcome=R.ERROR,
            reason="“t1” ended with a warning.",
        ),
    ),
    "a warning in the last phase": (
        "s|a",
        Plan(outcome=R.ERROR, reason="“t2” ended with a warning."),
    ),
    "an error is named before a warning": (
        "a e a",
        Plan(outcome=R.ERROR, reason="“t2” failed."),
    ),
    "a warning outweighs a termination": (
        "t a",
        Plan(outcome=R.ERROR, reason="“t2” ended with a warning."),
    ),
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
    "a warning that continues makes a warning": (
        "s a!|s",
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
    "a terminated task that continues is not said to have failed": (
        "x! t! a!|s",
        Plan(
            outcome=R.WARNING,
            reason="“t1” was terminated, and the run went on (and 1 more).",
        ),
    ),
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
