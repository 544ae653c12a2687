"""What can come next in a search box: keys, and the values of the key that is being written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator_site.lib.search_fields import Fields, Kind, SearchField, find_field
from orchestrator_site.lib.search_language import Comparison, Term, parse_terms, write_value

MOST = 10
USUAL: dict[Kind, Sequence[tuple[str, str]]] = {
    Kind.MOMENT: (
        ("today", "since midnight"),
        ("yesterday", "the day before"),
        (">-24h", "in the last 24 hours"),
        (">-7d", "in the last 7 days"),
        ("<-30d", "more than 30 days ago"),
    ),
    Kind.DURATION: ((">60", "more than a minute"), (">10m", "more than ten minutes"), ("<5s", "")),
    Kind.NUMBER: ((">100", "greater than"), ("1..100", "from, to")),
}
Values = Callable[[str, str], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Option:
    """One thing to choose: what is put in place, and what it means."""

    insert: str
    note: str


@dataclass(frozen=True)
class Completion:
    """What the text from `start` to the caret can be replaced by."""

    start: int
    options: tuple[Option, ...]


def complete(text: str, caret: int, fields: Fields, values: Values) -> Completion:
    """Return what can stand at the caret; `values` answers (value, note) for a key and a start."""
    before = text[:caret]
    terms = parse_terms(before)
    term = terms[-1] if terms and terms[-1].end == len(before) else None
    if term is None:
        return Completion(caret, _keys("", fields))
    if not term.key:
        start = term.start + term.negated
        return Completion(start, _keys(before[start:], fields))
    known = find_field(term.key, fields)
    if known is None:
        return Completion(caret, ())
    return _completed_value(before, term, known, values)


def _keys(begun: str, fields: Fields) -> tuple[Option, ...]:
    found = [known for known in fields if known.name.lower().startswith(begun.lower())]
    return tuple(Option(f"{known.name}:", known.help) for known in found)


def _completed_value(before: str, term: Term, known: SearchField, values: Values) -> Completion:
    value = term.values[-1]
    start = len(before) if before.endswith((",", ":")) else value.start
    begun = "" if start == len(before) else value.text
    if known.kind in USUAL:
        raw = before[start:]
        offered = [(text, note) for text, note in USUAL[known.kind] if text.startswith(raw)]
        return Completion(start, tuple(Option(f"{text} ", note) for text, note in offered))
    if value.comparison != Comparison.IS and start != len(before):
        return Completion(start, ())
    offered = list(known.choices.items()) if known.choices else list(values(known.name, begun))
    wanted = begun.lower()
    fitting = [pair for pair in offered if any(wanted in text.lower() for text in pair)]
    fitting.sort(key=lambda pair: not pair[0].lower().startswith(wanted))
    return Completion(
        start, tuple(Option(f"{write_value(text)} ", note) for text, note in fitting[:MOST])
    )
