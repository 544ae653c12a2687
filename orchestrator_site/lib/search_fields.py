"""What a search means: its terms against a table of fields, as conditions and as problems.

A problem says what is wrong where, what is allowed, and with which words it would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from orchestrator_site.lib.durations import DurationError, parse_duration
from orchestrator_site.lib.moments import MomentError, parse_moment
from orchestrator_site.lib.search_language import Comparison, Term, Value, parse_terms

LONGEST = 1000
DIGITS = 18  # of the largest number that is looked up
MOST_LISTED = 12


class Kind(StrEnum):
    """What the values of a field are."""

    CHOICE = "choice"
    TEXT = "text"
    NUMBER = "number"
    DURATION = "duration"
    MOMENT = "moment"


@dataclass(frozen=True)
class SearchField:
    """One key: `choices` are all its values, of which each may have a name for people."""

    name: str
    kind: Kind
    help: str
    example: str
    aliases: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)


Fields = Sequence[SearchField]
Bound = float | datetime
Ends = tuple[Bound, Bound]  # where a value begins, and where it is over; the same for a point


@dataclass(frozen=True)
class Span:
    """From `low` to `high`; None is no limit, `open_low` and `open_high` leave the limit out."""

    low: Bound | None = None
    high: Bound | None = None
    open_low: bool = False
    open_high: bool = False


@dataclass(frozen=True)
class Condition:
    """What must hold: one of the texts, or one of the spans; `key` is empty for a word."""

    key: str
    texts: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class Problem:
    """Something that makes no sense; `fixed` is the whole search as it was probably meant."""

    message: str
    start: int
    end: int
    fixed: str = ""


@dataclass(frozen=True)
class Search:
    """A search as understood: where there are problems, the conditions are not all of it."""

    text: str
    conditions: tuple[Condition, ...] = ()
    problems: tuple[Problem, ...] = ()

    def ends_at(self, key: str) -> bool:
        """Tell whether a key has an upper limit: what is searched for may begin long ago."""
        return any(
            condition.key == key and not condition.negated and span.high is not None
            for condition in self.conditions
            for span in condition.spans
        )

    @property
    def sentences(self) -> str:
        """All that is wrong, for programs."""
        return " ".join(
            f"{problem.message} (At character {problem.start + 1}.)" for problem in self.problems
        )


class _WrongValueError(ValueError):
    """A value that its field does not have; `near` is the one that was probably meant."""

    def __init__(self, message: str, near: str = "") -> None:
        super().__init__(message)
        self.near = near


def understand(text: str, fields: Fields, *, now: datetime) -> Search:
    """Return what a search means; `now` is in the zone of the person who asks. Never raises."""
    text = text.replace("\0", "")
    if len(text) > LONGEST:
        message = f"This is too long: a search has at most {LONGEST} characters."
        return Search(text, problems=(Problem(message, LONGEST, len(text)),))
    conditions, problems = [], []
    for term in parse_terms(text):
        found = _understand_term(text, term, fields, now)
        if isinstance(found, Condition):
            conditions.append(found)
        else:
            problems.extend(found)
    return Search(text, tuple(conditions), tuple(problems))


def find_field(name: str, fields: Fields) -> SearchField | None:
    """Return the field of a key, whatever its capitals."""
    wanted = name.lower()
    for known in fields:
        if wanted in {known.name.lower(), *(alias.lower() for alias in known.aliases)}:
            return known
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that needs the fewest changes of letters, at most a third of them."""
    wanted = word.lower()
    ranked = sorted((_distance(wanted, name.lower()), name) for name in known)
    if ranked and ranked[0][0] <= max(1, len(wanted) // 3):
        return ranked[0][1]
    return ""


def _understand_term(
    text: str, term: Term, fields: Fields, now: datetime
) -> Condition | list[Problem]:
    if not term.key:
        return Condition("", (term.values[0].text,), negated=term.negated)
    known = find_field(term.key, fields)
    if known is None:
        return [_unknown_key(text, term, fields)]
    texts: list[str] = []
    spans: list[Span] = []
    problems = []
    for value in term.values:
        try:
            read = _READERS[known.kind](known, value, now)
        except _WrongValueError as error:
            fixed = _replaced(text, value.start, value.end, error.near) if error.near else ""
            problems.append(Problem(str(error), value.start, value.end, fixed))
        else:
            (spans if isinstance(read, Span) else texts).append(read)  # type: ignore[arg-type]  # by kind
    return problems or Condition(known.name, tuple(texts), tuple(spans), term.negated)


def _unknown_key(text: str, term: Term, fields: Fields) -> Problem:
    start = term.start + term.negated
    names = {name: known.name for known in fields for name in (known.name, *known.aliases)}
    near = names.get(nearest(term.key, names), "")
    end = start + len(term.key)
    listed = ", ".join(known.name for known in fields)
    message = f"“{term.key}” is no key; the keys are {listed}."
    return Problem(message, start, end, _replaced(text, start, end, near) if near else "")


def _replaced(text: str, start: int, end: int, by: str) -> str:
    return text[:start] + by + text[end:]


def _no_comparison(known: SearchField, value: Value) -> None:
    if not value.text and value.comparison == Comparison.IS:
        raise _WrongValueError(f"Write something after {known.name}:, such as {known.example}.")
    if value.comparison != Comparison.IS:
        raise _WrongValueError(f"{known.name} has no order; write it like {known.example}.")


def _choice(known: SearchField, value: Value, now: datetime) -> str:  # noqa: ARG001  # as all readers
    _no_comparison(known, value)
    for choice, label in known.choices.items():
        if value.text.lower() in {choice.lower(), label.lower()}:
            return choice
    choices = list(known.choices)
    some = ", ".join(choices[:MOST_LISTED]) + (", …" if len(choices) > MOST_LISTED else "")
    near = nearest(value.text, choices)
    raise _WrongValueError(f"“{value.text}” is no {known.name}; there are {some}.", near)


def _text(known: SearchField, value: Value, now: datetime) -> str:  # noqa: ARG001  # as all readers
    _no_comparison(known, value)
    return value.text


def _number(known: SearchField, value: Value, now: datetime) -> Span:  # noqa: ARG001  # as all readers
    def read(text: str) -> Ends:
        if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS):
            raise _WrongValueError(f"“{text}” is no number; write it like {known.example}.")
        return int(text), int(text)

    return _span(known, value, read)


def _duration(known: SearchField, value: Value, now: datetime) -> Span:  # noqa: ARG001  # as all readers
    def read(text: str) -> Ends:
        try:
            seconds = parse_duration(text)
        except DurationError as error:
            raise _WrongValueError(f"{error} For example {known.example}.") from error
        # People read whole seconds.
        return seconds, seconds + 1 if value.comparison == Comparison.IS else seconds

    return _span(known, value, read)


def _moment(known: SearchField, value: Value, now: datetime) -> Span:
    def read(text: str) -> Ends:
        try:
            return parse_moment(text, now)
        except MomentError as error:
            raise _WrongValueError(f"{error} For example {known.example}.") from error

    span = _span(known, value, read)
    if value.comparison == Comparison.IS and span.low == span.high:
        return Span(span.low)  # “-7d” has no length: since then
    return span


def _span(known: SearchField, value: Value, read: Callable[[str], Ends]) -> Span:
    """Return the span that a comparison with what has a beginning and an end stands for."""
    if not value.text and not value.to:
        raise _WrongValueError(f"Write something after {known.name}:, such as {known.example}.")
    if value.comparison == Comparison.BETWEEN:
        return _between(value, read)
    begin, end = read(value.text)
    is_point = begin == end
    return {
        Comparison.IS: Span(begin, end, open_high=not is_point),
        Comparison.ABOVE: Span(end, open_low=is_point),
        Comparison.FROM: Span(begin),
        Comparison.BELOW: Span(high=begin, open_high=True),
        Comparison.TO: Span(high=end, open_high=not is_point),
    }[value.comparison]


def _between(value: Value, read: Callable[[str], Ends]) -> Span:
    low = read(value.text)[0] if value.text else None
    begin, end = read(value.to) if value.to else (None, None)
    if low is not None and begin is not None and low > begin:  # type: ignore[operator]  # one kind
        raise _WrongValueError(f"{value.text}..{value.to} ends before it begins.")
    return Span(low, end, open_high=begin != end)


_READERS: dict[Kind, Callable[[SearchField, Value, datetime], str | Span]] = {
    Kind.CHOICE: _choice,
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.DURATION: _duration,
    Kind.MOMENT: _moment,
}


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be changed, added, left out or swapped with the next."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        older, before, row = before, row, [place] + [0] * len(other)
        for index, wanted in enumerate(other, 1):
            row[index] = min(
                before[index] + 1, row[index - 1] + 1, before[index - 1] + (letter != wanted)
            )
            is_swap = place > 1 and index > 1 and letter == other[index - 2]
            if is_swap and one[place - 2] == wanted:
                row[index] = min(row[index], older[index - 2] + 1)
    return row[-1]
