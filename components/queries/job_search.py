"""What people type to find jobs: `status:error durationSeconds:>120 -user:ada orders`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from components.enums import JobStatus
from components.queries.jobs import DIGITS, JobFilter
from orchestrator_site.lib.durations import DurationError, parse_duration

_TERM = re.compile(
    r"""(?P<minus>-?)(?P<key>[A-Za-z_]+):(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]*))(?=\s|$)"""
    r"""|"(?P<phrase>[^"]*)"|(?P<word>\S+)"""
)


class SearchProblem(ValueError):
    """A part of a search that makes no sense; the message says what to write instead."""


@dataclass
class _Found:
    """What was read so far."""

    fields: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)


def parse_search(text: str, *, base: JobFilter | None = None) -> JobFilter:
    """Return the filter that a search means, laid over `base`; other words are looked for as text.

    Keys: status, component, configuration, user, -user, duration (also durationSeconds). A key that
    is none of them counts as text. Raises SearchProblem.
    """
    found = _Found()
    for term in _TERM.finditer(text):
        key = (term["key"] or "").lower()
        value = term["quoted"] if term["quoted"] is not None else term["plain"] or ""
        if key == "user" and term["minus"]:
            found.excluded.append(value)
        elif key in _READERS and not term["minus"]:
            name, reader = _READERS[key]
            found.fields[name] = reader(value)
        else:
            found.words.append(term["phrase"] if term["phrase"] is not None else term[0])
    return replace(
        base or JobFilter(),
        text=" ".join(found.words),
        excluded_users=found.excluded,
        **found.fields,
    )


def _statuses(value: str) -> list[str]:
    statuses = [part.lower() for part in value.split(",") if part]
    wrong = [status for status in statuses if status not in JobStatus.values]
    if wrong or not statuses:
        raise SearchProblem(
            f"“{', '.join(wrong)}” is no status; write status: with {', '.join(JobStatus.values)}."
        )
    return statuses


def _number(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= DIGITS):
        raise SearchProblem("Write configuration: with the number that its address has.")
    return int(value)


def _longer_than(value: str) -> float:
    try:
        return parse_duration(value.removeprefix(">"))
    except DurationError as error:
        raise SearchProblem(f"{error} For example duration:>120 or duration:>5m.") from error


def _text(value: str) -> str:
    return value


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "status": ("statuses", _statuses),
    "component": ("component", _text),
    "configuration": ("configuration", _number),
    "user": ("user", _text),
    "duration": ("longer_than", _longer_than),
    "durationseconds": ("longer_than", _longer_than),
}
