"""A JSON schema as the tree of a form: groups of fields, lists of rows, single fields.

Each node has the name of its place, such as `parameters.sources.0.table`: it is the name in the
page, and the key under which errors come back from the service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.forms import BoundField

Schema = Mapping[str, Any]
MISSING: Any = object()  # there is no value; None and "" are values
NEW = "new"  # origin of a row that was not stored yet
DEEPEST = 8  # levels of groups; what is deeper is edited as JSON

# How the rows of a list are numbered: list's name and stored rows to origins, as texts.
Numbering = Callable[[str, list[Any]], list[str]]


@dataclass
class Node:
    """One place of the form; `stored` is what the configuration has there."""

    name: str
    key: str
    schema: Schema
    stored: Any = MISSING
    required: bool = False
    error: str = ""
    kind: ClassVar[str] = ""

    @property
    def title(self) -> str:
        """What people call it."""
        title = self.schema.get("title")
        return str(title) if title else humanized(self.key)

    @property
    def help(self) -> str:
        """A sentence about it."""
        return str(self.schema.get("description", ""))

    @property
    def element_id(self) -> str:
        """An id that CSS selectors take as it is."""
        return element_id(self.name)


@dataclass
class Leaf(Node):
    """One field; `bound` is Django's field of the form that shows it."""

    bound: BoundField | None = None
    widget: str = "text"
    kept: str = ""  # signed: a secret or file that was given but not saved yet
    has_saved: bool = False  # a secret or file is stored
    file_name: str = ""  # of an upload, given or saved
    kind: ClassVar[str] = "leaf"

    @property
    def is_wide(self) -> bool:
        """Tell whether it takes the whole width."""
        return self.widget in ("code", "textarea", "json", "uri", "upload", "chips")

    @property
    def is_in_use(self) -> bool:
        """Tell whether it has an error, or a value that is not the usual one."""
        if self.bound is None:
            return False
        value = self.bound.value()
        return bool(self.bound.errors or (value and value != self.schema.get("default")))

    @property
    def is_advanced(self) -> bool:
        """Tell whether it is folded away until it is used."""
        return bool(self.schema.get("x-advanced"))


@dataclass
class Group(Node):
    """Fields that belong together; as a row of a list it has the `origin` of the stored row."""

    children: list[Node] = field(default_factory=list)
    origin: str = ""
    position: int = 0
    kind: ClassVar[str] = "group"

    @property
    def main(self) -> list[Node]:
        """The children that are always in sight."""
        return [c for c in self.children if not (isinstance(c, Leaf) and c.is_advanced)]

    @property
    def advanced(self) -> list[Node]:
        """The children that are folded away until one of them is used."""
        return [c for c in self.children if isinstance(c, Leaf) and c.is_advanced]

    @property
    def has_advanced_in_use(self) -> bool:
        """Tell whether something folded away has a value or an error."""
        leaves = [c for c in self.advanced if isinstance(c, Leaf)]
        return any(leaf.is_in_use for leaf in leaves)

    @property
    def number(self) -> int:
        """The row's number for people."""
        return self.position + 1


@dataclass
class Rows(Node):
    """A list of equal groups."""

    rows: list[Group] = field(default_factory=list)
    kind: ClassVar[str] = "rows"

    @property
    def item_title(self) -> str:
        """What one row is called."""
        return str(self.schema["items"].get("title") or "row").lower()


def humanized(key: str) -> str:
    """Return a key as words: `#api_key` as “Api key”."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+", " ", key.lstrip("#")).strip()
    return words[:1].upper() + words[1:].lower() or key


def element_id(name: str) -> str:
    """Return the id of the element for a name."""
    return "f-" + re.sub(r"[^A-Za-z0-9_-]", "-", name.replace("#", "secret-"))


def build(
    schema: Schema, name: str, stored: Any, numbering: Numbering, *, required: bool = False
) -> Node:
    """Return the tree for a schema; rows come as the numbering says."""
    return _Builder(schema, numbering).node(
        name, schema, stored, required=required, depth=0, key=name
    )


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and all below it, in the order of the page."""
    yield node
    below = node.children if isinstance(node, Group) else []
    below = list(node.rows) if isinstance(node, Rows) else below
    for child in below:
        yield from walk(child)


@dataclass(frozen=True)
class _Builder:
    root: Schema
    numbering: Numbering

    def node(
        self, name: str, schema: Schema, stored: Any, *, required: bool, depth: int, key: str
    ) -> Node:
        schema = self._resolved(schema)
        type_ = type_of(schema)
        if depth < DEEPEST and type_ == "object" and schema.get("properties"):
            return self._group(Group(name, key, schema, stored, required), depth)
        items = self._resolved(schema.get("items") or {})
        if depth < DEEPEST and type_ == "array" and items.get("properties"):
            return self._rows(Rows(name, key, {**schema, "items": items}, stored, required), depth)
        return Leaf(name, key, schema, stored, required)

    def _group(self, group: Group, depth: int) -> Group:
        values = group.stored if isinstance(group.stored, dict) else {}
        needed = group.schema.get("required", []) if group.required else []
        for key, schema in group.schema["properties"].items():
            child = self.node(
                f"{group.name}.{key}",
                schema if isinstance(schema, Mapping) else {},
                values.get(key, MISSING),
                required=key in needed,
                depth=depth + 1,
                key=key,
            )
            group.children.append(child)
        return group

    def _rows(self, rows: Rows, depth: int) -> Rows:
        stored = rows.stored if isinstance(rows.stored, list) else []
        for position, origin in enumerate(self.numbering(rows.name, stored)):
            known = origin.isdecimal() and int(origin) < len(stored)
            row = Group(
                f"{rows.name}.{position}",
                str(position),
                rows.schema["items"],
                stored[int(origin)] if known else MISSING,
                required=True,
                origin=origin if known else NEW,
                position=position,
            )
            rows.rows.append(self._group(row, depth + 1))
        return rows

    def _resolved(self, schema: Schema) -> Schema:
        """Follow references inside the same document, such as `#/$defs/pair`."""
        for _ in range(DEEPEST):
            reference = schema.get("$ref")
            if not (isinstance(reference, str) and reference.startswith("#/")):
                return schema
            found: Any = self.root
            for part in reference[2:].split("/"):
                found = found.get(part, {}) if isinstance(found, Mapping) else {}
            schema = found if isinstance(found, Mapping) else {}
        return {}


def type_of(schema: Schema) -> str:
    """Return the type; of several the first that is not null, where none is said a likely one."""
    type_ = schema.get("type")
    if isinstance(type_, list):
        type_ = next((t for t in type_ if t != "null"), None)
    if type_ is None and "properties" in schema:
        return "object"
    return str(type_ or "")
