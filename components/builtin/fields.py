"""The pieces that the components' JSON schemas are made of; their order is that of the form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
DOCUMENTS = Path(__file__).parent / "docs"


def documentation(key: str) -> str:
    """Return the Markdown of a component's page."""
    return (DOCUMENTS / f"{key}.md").read_text(encoding="utf-8")


def text(title: str, description: str = "", **more: Any) -> Schema:
    """Describe one line of text; `more` holds default, format, minLength and the like."""
    return _described({"type": "string", "title": title}, description, more)


def choice(
    title: str, options: Mapping[str, str], default: str, description: str = "", **more: Any
) -> Schema:
    """Describe a select; `options` maps stored values to labels."""
    listed = [{"const": value, "title": label} for value, label in options.items()]
    schema = {"type": "string", "title": title, "oneOf": listed, "default": default}
    return _described(schema, description, more)


def switch(title: str, description: str = "", *, default: bool = False) -> Schema:
    """Describe a checkbox."""
    return _described({"type": "boolean", "title": title, "default": default}, description, {})


def whole(title: str, description: str = "", **more: Any) -> Schema:
    """Describe a whole number."""
    return _described({"type": "integer", "title": title}, description, more)


def words(title: str, description: str = "") -> Schema:
    """Describe a list of short texts, such as column names."""
    items = {"type": "string", "minLength": 1}
    return _described({"type": "array", "title": title, "items": items, "default": []}, description)


def rows(title: str, item: Schema, description: str = "", **more: Any) -> Schema:
    """Describe a list of equal groups of fields."""
    schema = {"type": "array", "title": title, "items": item}
    default: Schema = {} if "minItems" in more else {"default": []}
    return _described(schema, description, {**default, **more})


def group(
    properties: Mapping[str, Schema], required: Sequence[str] = (), title: str = ""
) -> Schema:
    """Describe fields that belong together; without a title it is a whole schema."""
    schema: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return {**schema, "title": title} if title else schema


def document(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """Describe the parameters of a component."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**dialect, **group(properties, required)}


def _described(schema: Schema, description: str, more: Mapping[str, Any] | None = None) -> Schema:
    if description:
        schema["description"] = description
    return {**schema, **(more or {})}
