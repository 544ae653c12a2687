"""What becomes of due moments: pure, so that every policy is a row of a table in the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrations.enums import Misfire, Overlap, SlotKind, SlotOutcome
from orchestrator_site.lib.cron import Occurrence, clock_note
from orchestrator_site.lib.durations import humanize

# A moment that is fired at most so late is on time; later it was missed, and misfire decides.
ON_TIME = timedelta(seconds=60)
# One on time that is so late says so: something kept it.
SLOW = timedelta(seconds=10)


@dataclass(frozen=True)
class Downtime:
    """A time in which due moments were not decided, and what it is called in a sentence."""

    began_at: datetime
    ended_at: datetime
    words: str

    def sentence(self, zone: str) -> str:
        """Say what was, and from when to when by the clock of a zone."""
        began, ended = (at.astimezone(ZoneInfo(zone)) for at in (self.began_at, self.ended_at))
        until = f"{ended:%H:%M:%S}" if began.date() == ended.date() else f"{ended:%Y-%m-%d %H:%M}"
        return f"{self.words} from {began:%Y-%m-%d %H:%M:%S} to {until} {zone}."


@dataclass(frozen=True)
class Unfinished:
    """The runs of an orchestration that have not ended: how many, and the names of two of them."""

    count: int = 0
    first: str = ""
    last: str = ""

    def plus(self, name: str) -> Unfinished:
        """Return them with one more behind."""
        return Unfinished(self.count + 1, self.first or name, name)

    @property
    def words(self) -> str:
        """Name them in a sentence."""
        if self.count <= 1:
            return self.first
        if self.count == 2:  # noqa: PLR2004  # both have names
            return f"{self.first} and {self.last}"
        return f"{self.count} runs, the first of them {self.first} and the last {self.last}"


@dataclass(frozen=True)
class Policy:
    """What a schedule says about its due moments; `misfire_window` is in minutes.

    A moment starts `lead` before it is due. `refusal` is the outcome and the reason for all of them
    where no run can be made at all: the schedule or its orchestration is off, or there is nothing
    to run. `downtimes` tell why a moment later than `on_time` was not decided in time, and
    `chosen_by` who chose what becomes of those. `run_name` names the run of a moment that is made
    only now; without it it is told by its moment.
    """

    timezone: str
    overlap: Overlap = Overlap.QUEUE_ONE
    misfire: Misfire = Misfire.LAST
    misfire_limit: int = 10
    misfire_window: int | None = None
    lead: timedelta = timedelta()
    paused_until: datetime | None = None
    paused_by: str = ""
    refusal: tuple[SlotOutcome, str] | None = None
    downtimes: Sequence[Downtime] = ()
    on_time: timedelta = ON_TIME
    chosen_by: str = ""
    run_name: Callable[[datetime], str] | None = None


@dataclass(frozen=True)
class Decision:
    """What becomes of one due moment; `terminate` asks to end the runs that are unfinished now."""

    due_at: datetime
    outcome: SlotOutcome
    reason: str = ""
    kind: SlotKind = SlotKind.NORMAL
    make_run: bool = False
    terminate: bool = False


def decide(
    policy: Policy,
    due: Sequence[Occurrence],
    *,
    now: datetime,
    unfinished: Unfinished,
    decided: AbstractSet[datetime] = frozenset(),
) -> list[Decision]:
    """Return one decision for each moment of `due` that is not in `decided`, in order.

    `due` ascends and ends with the latest moments up to `now`: which of them run is chosen among
    all of it, also among those that were decided earlier, so that a backlog may come in parts.
    `unfinished` are the orchestration's runs; runs made here are added to them on the way.
    """
    now += policy.lead
    chosen = _chosen(policy, due, now)
    decisions = []
    for occurrence in due:
        moment = occurrence.at
        if moment in decided:
            continue
        if (refused := _refused(policy, occurrence)) is not None:
            decision = refused
        elif moment in chosen:
            decision = _overlapped(policy, moment, now, unfinished)
        else:
            decision = _passed_over(policy, moment, now, chosen)
        decisions.append(_told(decision, occurrence))
        if decision.make_run:
            unfinished = unfinished.plus(_run_name(policy, moment))
    return decisions


def _run_name(policy: Policy, moment: datetime) -> str:
    if policy.run_name is not None:
        return policy.run_name(moment)
    return f"the run due at {_words(policy, moment)}"


def _told(decision: Decision, occurrence: Occurrence) -> Decision:
    """Return a decision that also says what moved its moment there."""
    is_said = occurrence.held  # it is the reason then
    note = clock_note(occurrence) if occurrence.kind == "gap" and not is_said else None
    reason = " ".join(text for text in (note and f"{note}.", decision.reason) if text)
    return replace(decision, kind=SlotKind(occurrence.kind), reason=reason)


def _chosen(policy: Policy, due: Sequence[Occurrence], now: datetime) -> list[datetime]:
    """Return the moments that call for a run, before overlap has its say."""
    open_ = [occurrence.at for occurrence in due if _refused(policy, occurrence) is None]
    on_time = [moment for moment in open_ if now - moment <= policy.on_time]
    late = open_[: len(open_) - len(on_time)]
    if policy.misfire_window is not None:
        earliest = now - timedelta(minutes=policy.misfire_window)
        late = [moment for moment in late if moment >= earliest]
    if policy.misfire == Misfire.ALL:
        chosen = late[-policy.misfire_limit :] + on_time
    elif policy.misfire == Misfire.LAST:
        chosen = on_time or late[-1:]
    else:
        chosen = on_time
    # Each would end the one before it at once.
    return chosen[-1:] if policy.overlap == Overlap.TERMINATE else chosen


def _refused(policy: Policy, occurrence: Occurrence) -> Decision | None:
    moment = occurrence.at
    if policy.refusal is not None:
        return Decision(moment, *policy.refusal)
    if occurrence.held:
        return Decision(moment, SlotOutcome.HELD, occurrence.held)
    if policy.paused_until is not None and moment - policy.lead < policy.paused_until:
        until = _words(policy, policy.paused_until)
        by = f" by {policy.paused_by}" if policy.paused_by else ""
        return Decision(moment, SlotOutcome.PAUSED, f"The schedule is paused{by} until {until}.")
    return None


def _overlapped(
    policy: Policy, moment: datetime, now: datetime, unfinished: Unfinished
) -> Decision:
    late = ""
    if now - moment > policy.on_time:
        after = humanize((now - moment).total_seconds())
        who = f"{policy.chosen_by} chose to run it." if policy.chosen_by else ""
        texts = (f"Missed, run {after} late.", _why_missed(policy, moment), who)
        late = " ".join(text for text in texts if text)
    elif now - moment >= SLOW:
        after = humanize((now - moment).total_seconds())
        late = f"{after} late. {_why_missed(policy, moment)}".strip()
    if unfinished.count == 0:
        return Decision(moment, SlotOutcome.FIRED, late, make_run=True)
    first, names = _sentence(unfinished.first), unfinished.words
    if policy.overlap == Overlap.TERMINATE:
        reason = f"{late} Terminates {names} to make room.".strip()
        return Decision(moment, SlotOutcome.FIRED, reason, make_run=True, terminate=True)
    if policy.overlap == Overlap.SKIP:
        return Decision(moment, SlotOutcome.SKIPPED, f"{first} had not ended.")
    if policy.overlap == Overlap.QUEUE_ONE and unfinished.count > 1:
        reason = f"{first} had not ended, and {unfinished.last} waited already."
        return Decision(moment, SlotOutcome.SKIPPED, reason)
    return Decision(
        moment, SlotOutcome.QUEUED, f"{late} Waits behind {names}.".strip(), make_run=True
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _passed_over(
    policy: Policy, moment: datetime, now: datetime, chosen: Sequence[datetime]
) -> Decision:
    """Say why a moment is not run: it was missed, or a later one stands for it."""
    is_late = now - moment > policy.on_time
    if is_late and policy.misfire == Misfire.SKIP:
        why = "Missed moments are skipped."
        if policy.chosen_by:
            why = f"{policy.chosen_by} chose to run none."
        reason = f"{_missed(policy, moment)} {why}"
        return Decision(moment, SlotOutcome.MISSED, reason)
    if policy.misfire == Misfire.ALL and policy.overlap != Overlap.TERMINATE:
        reason = f"{_missed(policy, moment)} Only the last {policy.misfire_limit} are run."
        return Decision(moment, SlotOutcome.MISSED, reason)
    if not chosen:
        reason = f"{_missed(policy, moment)} It is older than what is made up for."
        return Decision(moment, SlotOutcome.MISSED, reason)
    reason = f"The moment of {_words(policy, chosen[-1])} stands for it."
    if is_late:
        reason = f"{_missed(policy, moment)} {reason}"
    return Decision(moment, SlotOutcome.COALESCED, reason)


def _why_missed(policy: Policy, moment: datetime) -> str:
    """Say what kept a moment from being decided in time; empty where nobody knows."""
    starts_at = moment - policy.lead
    for downtime in policy.downtimes:
        if downtime.began_at <= starts_at <= downtime.ended_at:
            return downtime.sentence(policy.timezone)
    return ""


def _missed(policy: Policy, moment: datetime) -> str:
    return _why_missed(policy, moment) or "Nothing could start it in time."


def _words(policy: Policy, moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(policy.timezone))
    return f"{local:%Y-%m-%d %H:%M} {policy.timezone}"
