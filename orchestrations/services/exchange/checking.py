"""What files say, checked for its form and made whole: each wrong thing at its line.

Whether it makes sense (a cron expression, a component's parameters) is judged by the services that
save it; what they refuse is led back to its line too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrations.enums import Channel, NotificationEvent, TriggerKind
from orchestrations.exceptions import InvalidSchedule
from orchestrations.models import Calendar
from orchestrations.scheduling.preview import check_timing
from orchestrations.services.exchange.documents import (
    USUAL_SCHEDULE,
    USUAL_TRIGGER,
    usual_keys,
)
from orchestrations.services.exchange.keys import KEY, KEY_HELP, MAX_KEY
from orchestrations.services.exchange.problems import Path
from orchestrations.services.exchange.reading import Documents
from orchestrations.services.schedule_checks import MOMENTS, option_errors
from orchestrations.services.triggers import OUTCOMES, trigger_errors
from orchestrations.validators import variable_errors
from orchestrator_site.lib.moments import FIRST_YEAR, LAST_YEAR

Kind = type | tuple[type, ...]
TEXT, WHOLE, SWITCH, LIST, GROUP = str, int, bool, list, dict
WORDS: dict[Any, str] = {
    str: "This must be a text; put it into quotes.",
    int: "This must be a whole number.",
    float: "This must be a number.",
    bool: "This must be true or false.",
    list: "This must be a list.",
    dict: "This must be a group of names and values.",
}
CONFIGURATION: dict[str, Any] = {
    "component": TEXT,
    "name": TEXT,
    "description": TEXT,
    "parameters": GROUP,
    "input": LIST,
    "output": LIST,
}
ORCHESTRATION: dict[str, Any] = {
    "name": TEXT,
    "description": TEXT,
    "enabled": SWITCH,
    "variables": GROUP,
    "phases": LIST,
    "schedules": LIST,
    "triggers": LIST,
    "notifications": LIST,
}
PHASE: dict[str, Any] = {"key": TEXT, "name": TEXT, "depends_on": LIST, "tasks": LIST}
TASK: dict[str, Any] = {
    "key": TEXT,
    "configuration": TEXT,
    "orchestration": TEXT,
    "active": SWITCH,
    "continue_on_failure": SWITCH,
    "parameters": GROUP,
    "retries": WHOLE,
    "retry_delay": WHOLE,
    "retry_backoff": float,
    "retry_match": TEXT,
    "delay": WHOLE,
    "timeout": WHOLE,
}
SCHEDULE: dict[str, Any] = {
    "name": TEXT,
    "cron": TEXT,
    "timezone": TEXT,
    "overlap": TEXT,
    "misfire": TEXT,
    "misfire_limit": WHOLE,
    "misfire_window": WHOLE,
    "gap": TEXT,
    "repeat": TEXT,
    "calendar": TEXT,
    "on_held": TEXT,
    "confidence": WHOLE,
    "valid_from": TEXT,
    "valid_to": TEXT,
    "paused_until": TEXT,
    "enabled": SWITCH,
    "variables": GROUP,
}
TRIGGER: dict[str, Any] = {
    "name": TEXT,
    "tables": LIST,
    "orchestration": TEXT,
    "outcomes": LIST,
    "webhook": SWITCH,
    "place": TEXT,
    "pattern": TEXT,
    "needs": TEXT,
    "quorum": WHOLE,
    "fresh_for": WHOLE,
    "fallback_after": WHOLE,
    "cooldown": WHOLE,
    "enabled": SWITCH,
    "variables": GROUP,
}
WAITED_FOR = {
    TriggerKind.TABLES: "tables",
    TriggerKind.ORCHESTRATION: "orchestration",
    TriggerKind.WEBHOOK: "webhook",
    TriggerKind.FILES: "place",
}
UNUSED: dict[str, Any] = {
    "tables": [],
    "orchestration": "",
    "outcomes": [],
    "place": "",
    "pattern": "",
}
NOTIFICATION: dict[str, Any] = {
    "event": TEXT,
    "to": TEXT,
    "channel": TEXT,
    "threshold": WHOLE,
    "key": TEXT,
}


@dataclass
class Wanted:
    """What files want, by key, each whole and of the right form; what is not is left out."""

    configurations: dict[str, dict[str, Any]] = field(default_factory=dict)
    orchestrations: dict[str, dict[str, Any]] = field(default_factory=dict)


def check(documents: Documents) -> Wanted:
    """Return what the documents want; what is wrong is noted in them."""
    checker = _Checker(documents)
    wanted = Wanted()
    for kind, whole, found in (
        ("configurations", checker.configuration, wanted.configurations),
        ("orchestrations", checker.orchestration, wanted.orchestrations),
    ):
        for key, value in documents.content[kind].items():
            before = len(documents.problems)
            if not KEY.fullmatch(key) or len(key) > MAX_KEY:
                documents.problem((kind, key), f"“{key}” cannot be a key: {KEY_HELP}.")
            made = whole((kind, key), value)
            if len(documents.problems) == before:
                found[key] = made
    return wanted


class _Checker:
    """Checks forms and fills in what is usual."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.calendars = set(Calendar.objects.values_list("name", flat=True))

    def configuration(self, path: Path, value: Any) -> dict[str, Any]:
        fields = self._fields(path, value, CONFIGURATION, required=("component", "name"))
        usual = {"description": "", "parameters": {}, "input": [], "output": []}
        return {**usual, **fields}

    def orchestration(self, path: Path, value: Any) -> dict[str, Any]:
        fields = self._fields(path, value, ORCHESTRATION, required=("name",))
        self._variables(path, fields)
        return {
            "description": "",
            "enabled": True,
            "variables": {},
            **fields,
            "phases": self._phases((*path, "phases"), fields.get("phases", [])),
            "schedules": self._all(path, fields, "schedules", self._schedule),
            "triggers": self._all(path, fields, "triggers", self._trigger),
            "notifications": self._all(path, fields, "notifications", self._notification),
        }

    def _phases(self, path: Path, rows: list[Any]) -> list[dict[str, Any]]:
        phases: list[dict[str, Any]] = []
        for number, row in enumerate(rows):
            at = (*path, number)
            fields = self._fields(at, row, PHASE)
            self._texts((*at, "depends_on"), fields.get("depends_on", []))
            tasks: list[dict[str, Any]] = [
                self._task((*at, "tasks", place), task)
                for place, task in enumerate(fields.get("tasks", []))
            ]
            usual = {"name": f"Phase {number + 1}", "depends_on": None}
            phases.append({**usual, **fields, "tasks": tasks})
        named = [(p["name"], [_target_key(task) for task in p["tasks"]]) for p in phases]
        for phase, (key, task_keys) in zip(phases, usual_keys(named), strict=True):
            phase.setdefault("key", key)
            for task, task_key in zip(phase["tasks"], task_keys, strict=True):
                task.setdefault("key", task_key)
        return phases

    def _task(self, path: Path, value: Any) -> dict[str, Any]:
        fields = self._fields(path, value, TASK)
        targets = [name for name in ("configuration", "orchestration") if name in fields]
        if isinstance(value, dict) and len(targets) != 1:
            text = "Name what it runs: one `configuration` or one `orchestration`."
            self.documents.problem(path, text)
        return {"parameters": {}, **fields}

    def _schedule(self, path: Path, value: Any) -> dict[str, Any]:
        fields = self._fields(path, value, SCHEDULE, required=("cron",))
        self._variables(path, fields)
        whole = {"name": "", "enabled": True, "variables": {}, **USUAL_SCHEDULE, **fields}
        whole["name"] = whole["name"].strip()
        for name in MOMENTS:
            whole[name] = self._moment((*path, name), whole[name])
        for name, text in option_errors(whole).items():
            self.documents.problem((*path, name), text)
        if whole["calendar"] is not None and whole["calendar"] not in self.calendars:
            text = (
                f"There is no calendar “{whole['calendar']}”; make it on the page Calendars first."
            )
            self.documents.problem((*path, "calendar"), text)
        if "cron" in fields:
            whole["cron"] = self._timing(path, whole)
        return whole

    def _timing(self, path: Path, whole: Mapping[str, Any]) -> str:
        try:
            return check_timing(whole["cron"], whole["timezone"])
        except InvalidSchedule as error:
            for name, text in error.fields.items():
                self.documents.problem((*path, name), text)
            return ""

    def _trigger(self, path: Path, value: Any) -> dict[str, Any]:
        fields = self._fields(path, value, TRIGGER)
        self._variables(path, fields)
        usual = {"name": "", "cooldown": 5, "enabled": True, "variables": {}, **USUAL_TRIGGER}
        whole = {**usual, **UNUSED, **fields, "name": fields.get("name", "").strip()}
        kinds = [kind for kind, name in WAITED_FOR.items() if fields.get(name)]
        if len(kinds) != 1:
            text = "Name what it waits for: `tables`, `orchestration`, `webhook` or `place`."
            self.documents.problem(path, text)
            return {**whole, "kind": TriggerKind.TABLES}
        whole["kind"] = kinds[0]
        for number, outcome in enumerate(whole["outcomes"]):
            self._choice((*path, "outcomes", number), outcome, OUTCOMES)
        if self._texts((*path, "tables"), whole["tables"]):
            # Whether the orchestration is there is seen when all are.
            said = whole | ({"kind": None} if kinds[0] == TriggerKind.ORCHESTRATION else {})
            for name, text in trigger_errors(said, whole["tables"]).items():
                self.documents.problem((*path, name), text)
        return whole

    def _notification(self, path: Path, value: Any) -> dict[str, Any]:
        fields = self._fields(path, value, NOTIFICATION, required=("event", "to"))
        if "event" in fields:
            self._choice((*path, "event"), fields["event"], NotificationEvent.values)
        if "channel" in fields:
            self._choice((*path, "channel"), fields["channel"], Channel.values)
        return fields

    def _all(self, path: Path, fields: Mapping[str, Any], name: str, check: Any) -> list[Any]:
        rows = fields.get(name, [])
        return [check((*path, name, number), row) for number, row in enumerate(rows)]

    def _fields(
        self, path: Path, value: Any, known: Mapping[str, Any], required: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the fields that are known and of the right kind; empty counts as left out."""
        if not isinstance(value, dict):
            self.documents.problem(path, WORDS[dict])
            return {}
        found = {}
        for name, item in value.items():
            if name not in known:
                self.documents.problem((*path, name), f"There is no “{name}” here.")
            elif item is not None and not _is(item, known[name]):
                self.documents.problem((*path, name), WORDS[known[name]])
            elif item is not None:
                found[name] = item
        for name in required:
            if value.get(name) in (None, ""):
                self.documents.problem(path, f"It needs “{name}”.")
        return found

    def _texts(self, path: Path, values: list[Any]) -> bool:
        """Tell whether all are texts; others are noted."""
        others = [number for number, value in enumerate(values) if not isinstance(value, str)]
        for number in others:
            self.documents.problem((*path, number), WORDS[str])
        return not others

    def _variables(self, path: Path, fields: Mapping[str, Any]) -> None:
        for place, text in variable_errors(fields.get("variables", {})).items():
            self.documents.problem((*path, *steps_of(place)), text)

    def _choice(self, path: Path, value: str, allowed: Sequence[str]) -> None:
        if value not in allowed:
            self.documents.problem(path, f"This takes one of: {', '.join(allowed)}.")

    def _moment(self, path: Path, value: Any) -> str | None:
        """Return a moment as versions hold it: ISO 8601 in UTC."""
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.documents.problem(path, f"Use a year from {FIRST_YEAR} to {LAST_YEAR}.")
            return None
        if moment is None or moment.tzinfo is None:
            text = "Use a moment with its zone, such as 2026-11-01T06:00:00+00:00."
            self.documents.problem(path, text)
            return None
        return moment.astimezone(UTC).isoformat()


def steps_of(place: str) -> Iterator[str | int]:
    """Yield the steps of a service's path such as `phases.0.tasks.1.retries`."""
    for step in place.split("."):
        yield int(step) if step.isdecimal() else step


def _is(value: Any, kind: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _target_key(task: Mapping[str, Any]) -> str:
    return str(task.get("configuration") or task.get("orchestration") or "")
