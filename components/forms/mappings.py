"""The input and output mapping as schemas, so that one form edits them beside the parameters."""

from __future__ import annotations

import json
from typing import Any

from django.urls import reverse

from components.builtin.contract import default_bucket
from components.forms.fields import offer
from components.forms.nodes import Group, Leaf, Rows, Schema
from components.forms.schema import SchemaForm
from components.models import Configuration
from components.queries.table_choices import columns_of, tables_like

TABLES = "storage-tables"  # id of the page's list of table ids
REFRESH = "refresh"  # the button that only redraws, after another table was chosen
SINCE = (
    "Only rows changed since then: “-2 days”, a time such as 2026-01-31T00:00:00, or “adaptive” "
    "for since the last successful run. Blank: all rows."
)


def input_schema(tables: list[str]) -> Schema:
    """Return the schema of the input mapping, offering those tables."""
    fields: dict[str, Any] = {
        "source": {
            "type": "string",
            "title": "Table",
            "format": "table",
            "x-placeholder": "Choose a table",
            "x-options": [(key, key) for key in tables],
            "x-search": reverse("table-options"),
        },
        "destination": {
            "type": "string",
            "title": "Alias",
            "description": "The name it is read under. Blank: the table's id.",
            "x-attributes": {"spellcheck": "false"},
        },
        "columns": _advanced(
            type="array",
            title="Columns",
            description="Blank: all columns.",
            items={"type": "string"},
            **{"x-options": [], "x-placeholder": "All columns"},
        ),
        "where_column": _advanced(
            type="string",
            title="Only rows where",
            format="column",
            **{"x-placeholder": "Any column", "x-options": []},
        ),
        "where_operator": _advanced(
            type="string",
            title="Condition",
            default="eq",
            oneOf=[
                {"const": "eq", "title": "is one of"},
                {"const": "ne", "title": "is none of"},
            ],
        ),
        "where_values": _advanced(type="array", title="Values", items={"type": "string"}),
        "changed_since": _advanced(type="string", title="Changed since", description=SINCE),
        "limit": _advanced(
            type="integer", title="Limit", description="Rows at most. Blank: all.", minimum=1
        ),
    }
    return _rows("Input mapping", "table", fields, ["source"])


def output_schema(configuration: Configuration) -> Schema:
    """Return the schema of the output mapping."""
    bucket = default_bucket(configuration.name, configuration.component.type)
    fields: dict[str, Any] = {
        "source": {
            "type": "string",
            "title": "Component's table",
            "description": "The name under which the component writes it.",
            "x-attributes": {"spellcheck": "false"},
        },
        "destination": {
            "type": "string",
            "title": "Table in Storage",
            "description": f"A new or an existing one, such as {bucket}.orders.",
            "x-attributes": {"list": TABLES, "spellcheck": "false"},
        },
        "incremental": {
            "type": "boolean",
            "title": "Incremental",
            "description": "Adds the rows instead of replacing the table.",
        },
        "primary_key": {
            "type": "array",
            "title": "Primary key",
            "description": "Columns; with Incremental, rows with the same key are replaced.",
            "items": {"type": "string"},
        },
    }
    return _rows("Output mapping", "table", fields, ["source", "destination"])


def table_choices() -> list[str]:
    """Return the tables that selects offer at once; the rest is found by typing."""
    return tables_like()


def offer_columns(form: SchemaForm, save_url: str) -> None:
    """Offer each input row the columns of its table; choosing another one redraws the row."""
    tree = form.trees.get("input")
    if not isinstance(tree, Rows):
        return
    chosen = {row.name: _leaf(row, "source").bound for row in tree.rows}
    tables = {name: str(bound.value() or "") for name, bound in chosen.items() if bound}
    columns = columns_of(tables.values())
    for row in tree.rows:
        form.fields[_leaf(row, "source").name].widget.attrs |= {
            "hx-post": save_url,
            "hx-trigger": "change",
            "hx-vals": json.dumps({REFRESH: "1"}),
            "hx-target": f"#{row.element_id}",
            "hx-select": f"#{row.element_id}",
            "hx-swap": "outerHTML",
        }
        for key in ("columns", "where_column"):
            offer(form.fields[_leaf(row, key).name], columns.get(tables.get(row.name, ""), []))


def _leaf(row: Group, key: str) -> Leaf:
    return next(c for c in row.children if isinstance(c, Leaf) and c.key == key)


def _advanced(**schema: Any) -> dict[str, Any]:
    return schema | {"x-advanced": True}


def _rows(title: str, item: str, fields: dict[str, Any], required: list[str]) -> Schema:
    items = {"type": "object", "title": item, "properties": fields, "required": required}
    return {"type": "array", "title": title, "items": items}
