"""What parameters and mappings must look like; errors as sentences, by field path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaError

MAX_BYTES = 4 * 1024 * 1024  # of one configuration as JSON
TABLE_KEY = re.compile(r"^(in|out)\.c-[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
TABLE_KEY_HELP = "a table is named like in.c-sales.orders"
OPERATORS = ("eq", "ne")
MAX_DEPTH = 40  # of nesting in one JSON value
HUGE = 10**300  # beyond it databases take no number


def json_problem(value: Any) -> str:
    """Return a sentence where a JSON value holds what no database keeps; empty where it is fine."""
    level = [value]
    for _ in range(MAX_DEPTH):
        for item in level:
            problem = _item_problem(item)
            if problem:
                return problem
        groups = [i.values() if isinstance(i, dict) else i for i in level if _is_group(i)]
        keys = [key for item in level if isinstance(item, dict) for key in item]
        if any(_item_problem(key) for key in keys):
            return "The name of a value holds a character that cannot be stored."
        level = [item for group in groups for item in group]
        if not level:
            return ""
    return f"It is nested more than {MAX_DEPTH} levels deep."


def _is_group(value: Any) -> bool:
    return isinstance(value, dict | list)


def _item_problem(value: Any) -> str:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "A text holds half of a surrogate pair, which is no character."
        return "A text holds a NUL character; remove it." if "\0" in value else ""
    if isinstance(value, int | float) and not abs(value) < HUGE:  # NaN is not, either
        return "A number is too large."
    return ""


def parameter_errors(schema: Mapping[str, Any], parameters: Any) -> dict[str, str]:
    """Return one sentence per wrong field; keys are dotted paths, "" is the whole."""
    errors: dict[str, str] = {}
    for error in Draft202012Validator(dict(schema)).iter_errors(parameters):
        if error.validator == "required":
            errors |= _missing(error)
        else:
            path, sentence = _explain(error)
            errors.setdefault(path, sentence)
    return errors


def _missing(error: SchemaError) -> dict[str, str]:
    """Return an error for each required field that is not there."""
    wanted: Any = error.validator_value
    present: Any = error.instance
    place = [str(part) for part in error.absolute_path]
    return {".".join([*place, name]): "Fill this in." for name in wanted if name not in present}


def _explain(error: SchemaError) -> tuple[str, str]:
    path = ".".join(str(p) for p in error.absolute_path)
    wanted: Any = error.validator_value
    sentence = SENTENCES.get(str(error.validator))
    if error.validator == "minLength" and wanted == 1:
        return path, "Fill this in."
    return path, sentence(wanted, error) if sentence else "This is not valid."


def _unknown(error: SchemaError) -> list[str]:
    schema: Any = error.schema
    instance: Any = error.instance
    return [name for name in instance if name not in schema.get("properties", {})]


def _type_words(wanted: Any) -> str:
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "yes or no",
        "array": "a list",
        "object": "a group of values",
        "null": "empty",
    }
    names = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(words.get(name, str(name)) for name in names)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(str(v) for v in values)


# How each rule of a schema reads, from what it wants and the error.
SENTENCES: dict[str, Callable[[Any, SchemaError], str]] = {
    "type": lambda wanted, _: f"This must be {_type_words(wanted)}.",
    "enum": lambda wanted, _: f"Choose one of: {_listed(wanted)}.",
    "oneOf": lambda _, __: "Choose one of the offered values.",
    "anyOf": lambda _, __: "Choose one of the offered values.",
    "minLength": lambda wanted, _: f"Use {wanted} characters or more.",
    "maxLength": lambda wanted, _: f"Use {wanted} characters or fewer.",
    "minimum": lambda wanted, _: f"Use {wanted} or more.",
    "maximum": lambda wanted, _: f"Use {wanted} or less.",
    "exclusiveMinimum": lambda wanted, _: f"Use more than {wanted}.",
    "exclusiveMaximum": lambda wanted, _: f"Use less than {wanted}.",
    "minItems": lambda wanted, _: f"Add {wanted} or more.",
    "maxItems": lambda wanted, _: f"Use {wanted} or fewer.",
    "uniqueItems": lambda _, __: "Each may stand here once.",
    "additionalProperties": lambda _, e: f"There is no such parameter: {_listed(_unknown(e))}.",
    "pattern": lambda _, __: "This is not in the form that is asked for.",
}


def mapping_errors(rows: Any, *, outgoing: bool) -> dict[str, str]:
    """Return one sentence per wrong field of an input or output mapping; keys like `0.source`."""
    if not isinstance(rows, list):
        return {"": "A mapping is a list."}
    errors: dict[str, str] = {}
    for number, row in enumerate(rows):
        found = _row_errors(row, outgoing=outgoing)
        errors.update({f"{number}.{name}": text for name, text in found.items()})
    targets = [_target(row, outgoing=outgoing) for row in rows if isinstance(row, dict)]
    for number, target in enumerate(targets):
        if target and target in targets[:number]:
            what = "Another row writes this table." if outgoing else "Another row has this alias."
            errors.setdefault(f"{number}.destination", what)
    return errors


def _target(row: Mapping[str, Any], *, outgoing: bool) -> str:
    return str(row.get("destination") or ("" if outgoing else row.get("source")) or "")


def _row_errors(row: Any, *, outgoing: bool) -> dict[str, str]:
    if not isinstance(row, dict):
        return {"": "A row of a mapping is a group of values."}
    errors: dict[str, str] = dict(_type_errors(row, outgoing=outgoing))
    if not row.get("source"):
        errors["source"] = "Name the source." if outgoing else "Choose a table."
    table = row.get("destination" if outgoing else "source")
    if isinstance(table, str) and table and not TABLE_KEY.match(table):
        errors["destination" if outgoing else "source"] = f"“{table}”: {TABLE_KEY_HELP}."
    if outgoing and not table:
        errors["destination"] = f"Name the table; {TABLE_KEY_HELP}."
    if not outgoing and row.get("where_values") and not row.get("where_column"):
        errors["where_column"] = "Choose the column that the values belong to."
    return errors


def _type_errors(row: Mapping[str, Any], *, outgoing: bool) -> Iterable[tuple[str, str]]:
    kinds: dict[str, Any] = {"source": str, "destination": str}
    if outgoing:
        kinds |= {"incremental": bool, "primary_key": list}
    else:
        kinds |= {
            "columns": list,
            "where_column": str,
            "where_operator": str,
            "where_values": list,
            "changed_since": str,
            "limit": int,
        }
    for name, value in row.items():
        if name not in kinds:
            yield name, "There is no such field in a mapping."
        elif not isinstance(value, kinds[name]):
            yield name, "This is not valid."
        elif isinstance(value, list) and not _texts(value):
            yield name, "This must be a list of texts."
    if row.get("where_operator", "eq") not in OPERATORS:
        yield "where_operator", f"Choose one of: {_listed(OPERATORS)}."
    if isinstance(row.get("limit"), int) and row["limit"] < 1:
        yield "limit", "Use 1 or more."


def _texts(values: Sequence[Any]) -> bool:
    return all(isinstance(v, str) and v for v in values)
