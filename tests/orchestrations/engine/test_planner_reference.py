"""The planner, driven to the end of random runs, against the rules read slowly.

A `Design` is a run with its fate: how long each task takes and how it ends. `expected` works out
from the rules alone, without any planner, when each task begins and ends and how the run ends;
`carry_out` asks the planner at every event, on a clock of its own, and does what it says.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from orchestrations.engine.planner import ENDLESS, PhaseState, Plan, TaskState, in_order, plan_next
from orchestrations.enums import FINISHED_TASK, RunStatus, TaskStatus

T, R = TaskStatus, RunStatus
ZERO = datetime(2026, 11, 22, 12, tzinfo=UTC)
Times = dict[int, tuple[int, int]]  # task -> seconds at which it began and ended


@dataclass(frozen=True)
class Fate:
    """One task: what people chose, how long it runs, and how it ends."""

    id: int
    left_out: bool  # inactive, or not selected
    goes_on: bool  # continue on failure
    delay: int
    lasts: int
    pauses: tuple[int, ...]  # seconds before each retry; every attempt lasts as long
    end: TaskStatus


@dataclass(frozen=True)
class Design:
    """A run; `waits` holds what each phase was said to depend on, None: on the one before."""

    phases: dict[str, list[Fate]]
    waits: dict[str, list[str] | None]

    @property
    def tasks(self) -> list[Fate]:
        return [task for tasks in self.phases.values() for task in tasks]


@dataclass
class Outcome:
    """What became of a run; times only of tasks that began."""

    status: RunStatus = R.SUCCESS
    ended: int = 0
    culprit: int | None = None  # the task that its sentence names
    tasks: dict[int, TaskStatus] = field(default_factory=dict)
    times: Times = field(default_factory=dict)


# A random run


def make_design(dice: random.Random) -> Design:
    keys = [f"p{number}" for number in range(dice.randint(0, 7))]
    ids = iter(range(1, 100))
    phases = {
        key: [make_task(dice, next(ids)) for _ in range(dice.choice([0, 1, 1, 2, 3, 5]))]
        for key in keys
    }
    shape = dice.choice(["chain", "graph", "graph", "circles"])
    if shape != "chain":
        dice.shuffle(keys)  # what a phase waits for may come later in the list
    waits: dict[str, list[str] | None] = {}
    for number, key in enumerate(keys):
        before = keys if shape == "circles" and dice.random() < 0.3 else keys[:number]
        chosen = dice.sample(before, dice.randint(0, min(3, len(before))))
        unknown = ["gone"] if dice.random() < 0.1 else []
        waits[key] = None if shape == "chain" else [*chosen, *unknown]
    return Design(phases, {key: waits[key] for key in phases})


def make_task(dice: random.Random, pk: int) -> Fate:
    bad = [T.ERROR, T.WARNING, T.TERMINATED, T.CANCELLED]
    return Fate(
        id=pk,
        left_out=dice.random() < 0.15,
        goes_on=dice.random() < 0.4,
        delay=dice.choice([0, 0, 0, 1, 5, 30]),
        lasts=dice.choice([0, 1, 1, 2, 3, 10, 50]),
        pauses=tuple(dice.choices([0, 2, 20], k=dice.choice([0, 0, 0, 1, 2]))),
        end=dice.choice([T.SUCCESS] * 10 + bad),
    )


# The rules


def needs_of(design: Design, key: str) -> list[str]:
    """A phase waits for those it names, or for the one before it in the list."""
    named = design.waits[key]
    if named is None:
        keys = list(design.phases)
        place = keys.index(key)
        named = keys[place - 1 : place] if place else []
    return [other for other in named if other in design.phases]


def is_endless(design: Design, key: str, seen: tuple[str, ...] = ()) -> bool:
    """A phase never begins that waits for itself, or for one that never begins."""
    if key in seen:
        return True
    return any(is_endless(design, other, (*seen, key)) for other in needs_of(design, key))


def is_broken(task: Fate) -> bool:
    return task.end != T.SUCCESS


def stops(design: Design, key: str) -> bool:
    """A phase stops what waits for it if one of its tasks ran, did not succeed, and must have."""
    if is_stopped(design, key):
        return True
    return any(is_broken(t) and not t.goes_on and not t.left_out for t in design.phases[key])


def is_stopped(design: Design, key: str) -> bool:
    return any(stops(design, other) for other in needs_of(design, key))


def length(task: Fate) -> int:
    """Every attempt takes as long, with the pauses between them."""
    return (len(task.pauses) + 1) * task.lasts + sum(task.pauses)


def phase_end(design: Design, key: str) -> int:
    """A phase ends with the last of its tasks; one without tasks when it could have begun."""
    begin = phase_begin(design, key)
    ends = [begin + t.delay + length(t) for t in design.phases[key] if not t.left_out]
    return max([begin, *ends])


def phase_begin(design: Design, key: str) -> int:
    return max([0, *(phase_end(design, other) for other in needs_of(design, key))])


def expected(design: Design) -> Outcome:
    outcome = Outcome()
    for key, tasks in design.phases.items():
        runs = not is_endless(design, key) and not is_stopped(design, key)
        for task in tasks:
            outcome.tasks[task.id] = task.end if runs and not task.left_out else T.SKIPPED
            if runs and not task.left_out:
                begin = phase_begin(design, key) + task.delay
                outcome.times[task.id] = (begin, begin + length(task))
    ran = [task for task in design.tasks if outcome.tasks[task.id] != T.SKIPPED]
    outcome.ended = max((outcome.times[task.id][1] for task in ran), default=0)
    outcome.status, outcome.culprit = verdict(ran)
    if any(is_endless(design, key) for key in design.phases):
        outcome.status, outcome.culprit = R.ERROR, None
    return outcome


def verdict(ran: list[Fate]) -> tuple[RunStatus, int | None]:
    """A run ends as its worst task does; a person's doing is no failure, a warning no success."""

    def first(goes_on: bool, *ends: TaskStatus) -> int | None:  # noqa: FBT001  # reads as the rule
        return next((t.id for t in ran if t.end in ends and t.goes_on == goes_on), None)

    for status, culprit in (
        (R.ERROR, first(False, T.ERROR)),  # noqa: FBT003
        (R.ERROR, first(False, T.WARNING)),  # noqa: FBT003
        (R.TERMINATED, first(False, T.TERMINATED, T.CANCELLED)),  # noqa: FBT003
        (R.WARNING, first(True, T.ERROR)),  # noqa: FBT003
        (R.WARNING, first(True, T.TERMINATED, T.CANCELLED)),  # noqa: FBT003
        (R.WARNING, first(True, T.WARNING)),  # noqa: FBT003
    ):
        if culprit is not None:
            return status, culprit
    return R.SUCCESS, None


# The planner at work


class Machine:
    """Does what the planner says, and watches it; a stand-in for dispatch, jobs and clock."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.fates = {task.id: task for task in design.tasks}
        self.phase_of = {t.id: key for key, tasks in design.phases.items() for t in tasks}
        self.now = 0
        self.states = {
            t.id: TaskState(
                t.id,
                f"t{t.id}",
                T.SKIPPED if t.left_out else T.CREATED,
                continue_on_failure=t.goes_on,
                delay=t.delay,
            )
            for t in design.tasks
        }
        self.attempts = dict.fromkeys(self.fates, 0)
        self.due: dict[int, int] = {}  # of what runs: when its attempt ends
        self.outcome = Outcome()
        self.waits = dict(zip(design.phases, in_order(list(design.waits.items())), strict=True))

    def phases(self) -> list[PhaseState]:
        return [
            PhaseState(key, self.waits[key], tuple(self.states[t.id] for t in tasks))
            for key, tasks in self.design.phases.items()
        ]

    def ask(self) -> Plan:
        """Ask twice, as doubled messages do: the second time there must be nothing to do."""
        plan = plan_next(self.phases(), now=self.clock(self.now))
        self.check(plan)
        for pk in plan.delay:
            self.wait(pk, self.fates[pk].delay)
        for pk in plan.start:
            self.begin(pk)
        for pk in (pk for ids in plan.skip.values() for pk in ids):
            self.change(pk, T.SKIPPED)
        if plan.outcome is None:
            again = plan_next(self.phases(), now=self.clock(self.now))
            assert (again.start, again.delay, again.skip) == ((), (), {})
        return plan

    def check(self, plan: Plan) -> None:
        skipped = [pk for ids in plan.skip.values() for pk in ids]
        named = [*plan.start, *plan.delay, *skipped]
        assert len(named) == len(set(named)), "one task is named twice"
        assert all(plan.skip), "skipped without a reason"
        for pk in (*plan.delay, *skipped):
            assert self.states[pk].status == T.CREATED
        for pk in plan.start:
            state = self.states[pk]
            is_fresh = state.status == T.CREATED and not state.delay
            is_due = state.not_before is not None and state.not_before <= self.clock(self.now)
            assert is_fresh or (state.status == T.WAITING and is_due), "started again or too early"
        for pk in (*plan.start, *plan.delay):
            for key in self.waits[self.phase_of[pk]]:
                ended = [self.states[t.id].status for t in self.design.phases[key]]
                assert all(status in FINISHED_TASK for status in ended), "started before its turn"
        if plan.outcome is not None:
            assert (plan.start, plan.delay) == ((), ())
            left = [s for pk, s in self.states.items() if pk not in skipped]
            assert all(state.status in FINISHED_TASK for state in left), "ended before its tasks"

    def begin(self, pk: int) -> None:
        begun, _ = self.outcome.times.get(pk, (self.now, 0))
        self.outcome.times[pk] = (begun, 0)
        self.attempts[pk] += 1
        self.change(pk, T.PROCESSING)
        self.due[pk] = self.now + self.fates[pk].lasts

    def wait(self, pk: int, seconds: int) -> None:
        self.states[pk] = replace(
            self.states[pk], status=T.WAITING, not_before=self.clock(self.now + seconds)
        )

    def change(self, pk: int, status: TaskStatus) -> None:
        self.states[pk] = replace(self.states[pk], status=status, not_before=None)

    def end(self, pk: int) -> None:
        """An attempt ends: the next one after a pause, or the task."""
        del self.due[pk]
        fate = self.fates[pk]
        if self.attempts[pk] <= len(fate.pauses):
            self.wait(pk, fate.pauses[self.attempts[pk] - 1])
            return
        self.change(pk, fate.end)
        self.outcome.times[pk] = (self.outcome.times[pk][0], self.now)
        self.outcome.ended = self.now

    def next_moment(self) -> int:
        moments = list(self.due.values())
        moments += [self.seconds(s.not_before) for s in self.states.values() if s.not_before]
        assert moments, "the run hangs"
        return max(min(moments), self.now)

    @staticmethod
    def clock(seconds: int) -> datetime:
        return ZERO + timedelta(seconds=seconds)

    @staticmethod
    def seconds(at: datetime) -> int:
        return int((at - ZERO).total_seconds())


def carry_out(design: Design, dice: random.Random) -> Outcome:
    machine = Machine(design)
    plan = machine.ask()
    while plan.outcome is None:
        machine.now = machine.next_moment()
        ending = [pk for pk, at in machine.due.items() if at == machine.now]
        dice.shuffle(ending)
        for pk in ending:
            machine.end(pk)
            if dice.random() < 0.5 and plan.outcome is None:  # several may end between two looks
                plan = machine.ask()
        if plan.outcome is None:
            plan = machine.ask()
    outcome = machine.outcome
    outcome.status = plan.outcome
    outcome.tasks = {pk: state.status for pk, state in machine.states.items()}
    named = plan.reason.split("”")[0].removeprefix("“t")
    outcome.culprit = int(named) if named.isdecimal() else None
    assert bool(plan.reason) == (plan.outcome != R.SUCCESS)
    assert (plan.reason == ENDLESS) == (named == ENDLESS)
    return outcome


def compare(dice: random.Random) -> Outcome:
    design = make_design(dice)
    outcome = carry_out(design, dice)
    assert outcome == expected(design)
    return outcome


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_random_runs_end_as_the_rules_say(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        compare(random.Random(seed))


def test_the_random_runs_are_of_all_kinds() -> None:
    """Or the thousand above would prove little."""
    outcomes = [compare(random.Random(seed)) for seed in range(300)]
    ends = [outcome.status for outcome in outcomes]
    assert all(ends.count(status) > 15 for status in (R.SUCCESS, R.WARNING, R.ERROR))
    assert ends.count(R.TERMINATED) > 5
    assert sum(T.SKIPPED in outcome.tasks.values() for outcome in outcomes) > 100
    assert sum(o.status == R.ERROR and o.culprit is None for o in outcomes) > 10  # circles
    assert max(len(outcome.times) for outcome in outcomes) > 15


@settings(max_examples=150, deadline=None)
@given(some.randoms(use_true_random=False))
def test_runs_that_are_searched_for_end_as_the_rules_say(dice: random.Random) -> None:
    compare(dice)
