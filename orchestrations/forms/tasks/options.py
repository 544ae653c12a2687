"""What can be set at a task beside its switches: as fields of its panel, and as JSON beside it.

A closed panel's options travel as JSON in a hidden field. Secrets in its parameters do so as
`HIDDEN` where they are stored, and as cipher text where they were typed and not saved yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.forms.json_text import JsonTextError, dump_json, load_json
from components.validators import parameter_errors
from orchestrations.services.designs import DEFAULTS
from orchestrations.validators import TASK_RULES
from orchestrator_site.lib.durations import DurationError, exact, humanize, parse_duration
from orchestrator_site.lib.secrets import HIDDEN, encrypt_tree, hide_tree, keep_hidden

FIELDS = (
    "parameters",
    "retries",
    "retry_delay",
    "retry_backoff",
    "retry_match",
    "delay",
    "timeout",
)
USUAL: dict[str, Any] = {**{name: DEFAULTS[name] for name in FIELDS[1:]}, "parameters": {}}
DURATIONS = ("retry_delay", "delay", "timeout")
PAUSES_SHOWN = 4
LONGEST = 100_000  # characters of one field

Options = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """An open panel: what its fields show, and what is wrong with them."""

    texts: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    line: int = 0  # of the parameters that has the error

    def with_error(self, name: str, sentence: str) -> Panel:
        """Return the panel with an error at a field."""
        return replace(self, errors={**self.errors, name: sentence})


def packed(options: Options, stored: Options) -> str:
    """Return what differs from the usual as JSON; stored secrets are hidden, empty for nothing."""
    shown = {k: v for k, v in options.items() if v != USUAL[k]}
    if "parameters" in shown:
        shown["parameters"] = _masked(shown["parameters"], stored.get("parameters", {}))
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def unpacked(text: str, stored: Options) -> Options:
    """Return the options that `packed` wrote; nonsense is left out."""
    try:
        found = load_json(text) if text else {}
    except JsonTextError:
        found = {}
    known = found if isinstance(found, dict) else {}
    options = {**USUAL, **{name: value for name, value in known.items() if name in USUAL}}
    if not isinstance(options["parameters"], dict):
        options["parameters"] = {}
    options["parameters"] = keep_hidden(options["parameters"], stored.get("parameters", {}))
    return options


def opened(options: Options) -> Panel:
    """Return the panel that shows some options."""
    texts = {name: _text(name, options[name]) for name in FIELDS}
    return Panel(texts)


def read(texts: Mapping[str, str], base: Options) -> tuple[Options, Panel]:
    """Return the options that a panel's fields say, and the panel; wrong fields leave `base`."""
    options, panel = dict(base), Panel(texts)
    for name in FIELDS:
        text = texts.get(name, "")
        try:
            value = _value(name, text, base)
        except ValueError as error:
            line = error.line if isinstance(error, JsonTextError) else panel.line
            panel = replace(panel.with_error(name, str(error)), line=line)
            continue
        if wrong := TASK_RULES[name](value):
            panel = panel.with_error(name, wrong)
        else:
            options[name] = encrypt_tree(value) if name == "parameters" else value
    return options, panel


def retry_words(options: Options) -> str:
    """Say when a task is tried again, and what stops it.

    Such as “3 more tries, after 60 s, 120 s, 240 s, where the message contains “timed out”.”
    """
    count = options["retries"]
    parts = []
    if options["delay"]:
        parts.append(f"Starts {_pause(options['delay'])} after its phase.")
    if count:
        pauses = [
            _pause(options["retry_delay"] * options["retry_backoff"] ** n) for n in range(count)
        ]
        shown = ", ".join(pauses[:PAUSES_SHOWN])
        if count > PAUSES_SHOWN:
            shown += f", … {pauses[-1]}"
        match = options["retry_match"]
        where = f", where the message contains “{match}”" if match else ""
        tries = "1 more try" if count == 1 else f"{count} more tries"
        parts.append(f"After a failure {tries}, after {shown}{where}.")
    else:
        parts.append("After a failure it is not tried again.")
    if options["timeout"]:
        parts.append(f"Each try is stopped after {_pause(options['timeout'])}.")
    return " ".join(parts)


def summary(options: Options) -> list[str]:
    """Return a few words for each option that is not the usual."""
    words = []
    if options["parameters"]:
        words.append("own parameters")
    if count := options["retries"]:
        words.append("1 retry" if count == 1 else f"{count} retries")
    if options["delay"]:
        words.append(f"starts after {_pause(options['delay'])}")
    if options["timeout"]:
        words.append(f"limit {_pause(options['timeout'])}")
    return words


def unknown_parameters(schema: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    """Return warnings: names that the component does not know, and values that it refuses."""
    known = schema.get("properties", {})
    if not known:
        return []
    unknown = [
        f"The component has no parameter “{name}”."
        for name in parameters
        if name not in known and f"#{name}" not in known and name.removeprefix("#") not in known
    ]
    rest = {name: value for name, value in parameters.items() if name in known}
    wrong = parameter_errors({**schema, "required": []}, rest)
    return unknown + [
        f"{path}: {text}"
        for path, text in wrong.items()
        if path and not _is_variable(rest, path) and text != "Fill this in."
    ]


def _is_variable(value: Any, path: str) -> bool:
    """Tell whether a value is filled in only when the task runs."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdecimal():
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return isinstance(value, str) and "{{" in value


def _pause(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 300 else humanize(seconds)  # noqa: PLR2004  # 5 min


def _text(name: str, value: Any) -> str:
    if name == "parameters":
        return dump_json(hide_tree(value)) if value else ""
    if name in DURATIONS:
        shown = isinstance(value, int) and (value or name == "retry_delay")
        return exact(value) if shown else ""
    if name == "retry_backoff":
        return f"{value:g}" if isinstance(value, int | float) else str(value)
    return str(value)


def _value(name: str, text: str, base: Options) -> Any:
    """Return what a field says; raises ValueError with a sentence."""
    if name == "retry_match":
        return text.strip()
    text = text.strip()[:LONGEST]
    if name == "parameters":
        return keep_hidden(load_json(text), base["parameters"]) if text else {}
    if name == "retry_backoff":
        return _number(text)
    if name == "retries":
        return _count(text)
    return _seconds(name, text)


def _count(text: str) -> int:
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else -1  # noqa: PLR2004


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ".")) if text else float(USUAL["retry_backoff"])
    except ValueError:
        return 0


def _seconds(name: str, text: str) -> int | None:
    if not text:
        usual: int | None = USUAL[name]
        return usual
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        raise ValueError(str(error)) from None
    if seconds != int(seconds):
        raise ValueError("Use whole seconds.")
    return int(seconds)


def _masked(value: Any, stored: Any, *, secret: bool = False) -> Any:
    """Return a value for a hidden field: secrets that are stored so are hidden."""
    if isinstance(value, dict):
        before = stored if isinstance(stored, dict) else {}
        return {
            key: _masked(item, before.get(key), secret=secret or str(key).startswith("#"))
            for key, item in value.items()
        }
    if isinstance(value, list):
        items = stored if isinstance(stored, list) else []
        padded = items + [None] * (len(value) - len(items))
        return [_masked(v, s, secret=secret) for v, s in zip(value, padded, strict=False)]
    return HIDDEN if secret and value and value == stored else value
