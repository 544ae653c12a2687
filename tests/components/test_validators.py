from __future__ import annotations

from typing import Any

import pytest

from components.validators import (
    TABLE_KEY_HELP,
    json_problem,
    mapping_errors,
    parameter_errors,
)


@pytest.mark.parametrize(
    ("rule", "value", "sentence"),
    [
        ({"type": "integer"}, "x", "This must be a whole number."),
        ({"type": ["string", "null"]}, 1, "This must be text or empty."),
        ({"enum": ["a", "b"]}, "c", "Choose one of: a, b."),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 3, "Choose one of the offered values."),
        ({"minLength": 1}, "", "Fill this in."),
        ({"minLength": 3}, "ab", "Use 3 characters or more."),
        ({"maxLength": 1}, "ab", "Use 1 characters or fewer."),
        ({"minimum": 1}, 0, "Use 1 or more."),
        ({"maximum": 1}, 2, "Use 1 or less."),
        ({"exclusiveMinimum": 0}, 0, "Use more than 0."),
        ({"exclusiveMaximum": 1}, 1, "Use less than 1."),
        ({"minItems": 1}, [], "Add 1 or more."),
        ({"maxItems": 1}, [1, 2], "Use 1 or fewer."),
        ({"uniqueItems": True}, [1, 1], "Each may stand here once."),
        ({"pattern": "^a$"}, "b", "This is not in the form that is asked for."),
        ({"multipleOf": 2}, 3, "This is not valid."),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_rule_of_a_schema_reads_as_a_sentence(rule: Any, value: Any, sentence: str) -> None:
    schema = {"type": "object", "properties": {"deep": {"type": "array", "items": rule}}}
    assert parameter_errors(schema, {"deep": [value]}) == {"deep.0": sentence}


def test_every_missing_field_is_named_with_its_place() -> None:
    row = {"type": "object", "required": ["a", "b"]}
    schema = {"type": "object", "properties": {"rows": {"items": row}}, "required": ["c"]}
    assert parameter_errors(schema, {"rows": [{"a": 1}, {}]}) == {
        "c": "Fill this in.",
        "rows.0.b": "Fill this in.",
        "rows.1.a": "Fill this in.",
        "rows.1.b": "Fill this in.",
    }


def test_an_unknown_parameter_is_named() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    assert parameter_errors(schema, {"odd": 1}) == {"": "There is no such parameter: odd."}


GOOD_INPUT = {
    "source": "in.c-shop.orders",
    "destination": "orders",
    "columns": ["id"],
    "where_column": "id",
    "where_operator": "ne",
    "where_values": ["1"],
    "changed_since": "-2 days",
    "limit": 5,
}


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({}, {}),
        ({"source": ""}, {"0.source": "Choose a table."}),
        ({"source": "orders"}, {"0.source": "“orders”: a table is named like in.c-sales.orders."}),
        ({"where_column": ""}, {"0.where_column": "Choose the column that the values belong to."}),
        ({"where_operator": "gt"}, {"0.where_operator": "Choose one of: eq, ne."}),
        ({"limit": 0}, {"0.limit": "Use 1 or more."}),
        ({"columns": [1]}, {"0.columns": "This must be a list of texts."}),
        ({"columns": "id"}, {"0.columns": "This is not valid."}),
        ({"odd": 1}, {"0.odd": "There is no such field in a mapping."}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_input_mapping_is_checked_field_by_field(change: Any, errors: dict[str, str]) -> None:
    assert mapping_errors([GOOD_INPUT | change], outgoing=False) == errors


def test_two_rows_may_not_share_an_alias_or_a_table() -> None:
    rows = [{"source": "in.c-a.b"}, {"source": "in.c-a.b"}]
    assert mapping_errors(rows, outgoing=False) == {"1.destination": "Another row has this alias."}
    out = [{"source": "x", "destination": "in.c-a.b"}, {"source": "y", "destination": "in.c-a.b"}]
    assert mapping_errors(out, outgoing=True) == {"1.destination": "Another row writes this table."}


@pytest.mark.parametrize("rows", [{}, "x", None])
def test_a_mapping_is_a_list(rows: Any) -> None:
    assert mapping_errors(rows, outgoing=True) == {"": "A mapping is a list."}


def test_plain_values_are_storable_and_keys_are_looked_at() -> None:
    assert json_problem({"a": [1, 2.5, None, True, "žluť"]}) == ""
    assert json_problem({"a\0": 1}) == (
        "The name of a value holds a character that cannot be stored."
    )


def test_a_number_beyond_all_others_is_a_problem_and_no_crash() -> None:
    assert json_problem({"a": 10**400}) == "A number is too large."


@pytest.mark.parametrize("key", ["in.c-shop.orders\n", "in.c-shop.orders\r\nX: y"])
def test_a_table_is_not_named_over_two_lines(key: str) -> None:
    assert mapping_errors([{"source": "a", "destination": key}], outgoing=True) == {
        "0.destination": f"“{key}”: {TABLE_KEY_HELP}."
    }
