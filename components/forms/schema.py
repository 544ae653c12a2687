"""The form of JSON values that a schema describes: parameters and mappings of a configuration.

What the form does not show stays: parameters that the schema does not know, and secrets, which
reach the page only as “Saved”. A secret or a file that was given and not saved yet travels with
the page, encrypted or signed, so that a mistake elsewhere does not ask for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django import forms
from django.core import signing
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.forms.utils import ErrorDict
from django.http import QueryDict

from components.exceptions import StorageError
from components.forms.fields import initial_of, make_field, offer
from components.forms.nodes import MISSING, NEW, Group, Leaf, Node, Rows, Schema, build, walk
from components.services.uploads import file_name, save_upload
from orchestrator_site.lib.secrets import encrypt_tree

SALT = "components.forms.schema"
KEEP_SECONDS = 20 * 3600  # less than the sweeper's grace: what is kept is still there
ROW = ".row"  # one hidden field per row: which stored row it was
KEPT = ".kept"  # a secret or file that was given but is not saved yet
CLEAR = ".clear"  # remove the stored secret or file
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Root:
    """A value to edit: its schema and what is stored."""

    schema: Schema
    stored: Any


class SchemaForm(forms.Form):
    """Edits several roots at once, such as `parameters`, `input` and `output`.

    A draft shows what was typed without judging it: a row was added, or a table was chosen.
    `limit_mb` is the largest file that is taken.
    """

    use_required_attribute = False  # a blank field may be a draft; the server says what is missing

    def __init__(
        self,
        roots: Mapping[str, Root],
        data: QueryDict | None = None,
        files: Any = None,
        *,
        draft: bool = False,
        limit_mb: int = 1024,
    ) -> None:
        super().__init__(data, files)
        self.draft = draft
        self.limit_mb = limit_mb
        self.trees: dict[str, Node] = {
            name: build(root.schema, name, root.stored, self._numbering, required=True)
            for name, root in roots.items()
        }
        self.nodes = {node.name: node for tree in self.trees.values() for node in walk(tree)}
        for node in self.nodes.values():
            if isinstance(node, Leaf):
                self._add(node)

    def full_clean(self) -> None:
        """Check, but not a draft: that keeps files and secrets, and shows no errors."""
        if not self.draft:
            super().full_clean()
            return
        self._errors = ErrorDict()
        self.cleaned_data = {}

    def clean(self) -> dict[str, Any]:
        """Fail a file that is too large or cannot be kept; the rest is the service's to say."""
        for leaf in self.nodes.values():
            if isinstance(leaf, Leaf) and leaf.error and leaf.name in self.fields:
                self.add_error(leaf.name, leaf.error)
        return self.cleaned_data

    def value(self, root: str) -> Any:
        """Return the edited value of a root, once the form is valid."""
        value = self._value(self.trees[root])
        return ({} if isinstance(self.trees[root], Group) else []) if value is MISSING else value

    def show(self, errors: Mapping[str, str]) -> None:
        """Show errors of the service at their fields; what has no field goes on top."""
        for path, sentence in errors.items():
            node = self._nearest(path)
            if isinstance(node, Leaf):
                self.add_error(node.name, sentence)
            elif node:
                node.error = " ".join(filter(None, [node.error, sentence]))
                self._note(f"{node.title}: {sentence}")
            else:
                self._note(f"{path}: {sentence}")

    def _note(self, sentence: str) -> None:
        self.add_error(None, sentence)

    def _nearest(self, path: str) -> Node | None:
        parts = path.split(".")
        while parts:
            node = self.nodes.get(".".join(parts))
            if node:
                return node
            parts.pop()
        return None

    def _numbering(self, name: str, stored: list[Any]) -> list[str]:
        if isinstance(self.data, QueryDict) and self.is_bound:
            return self.data.getlist(name + ROW)
        return [str(number) for number in range(len(stored))]

    def _add(self, leaf: Leaf) -> None:
        field = make_field(leaf)
        initial = initial_of(leaf)
        if leaf.widget in ("secret", "upload") and self.is_bound:
            self._receive(leaf)
        leaf.file_name = self._file_name(leaf) if leaf.widget == "upload" else ""
        self.fields[leaf.name] = field
        if initial is not None:
            self.initial[leaf.name] = initial
        leaf.bound = self[leaf.name]
        offer(field, leaf.bound.value())
        if leaf.kept and leaf.widget == "secret":
            field.widget.attrs["placeholder"] = "Given. Leave blank to keep it."

    def _receive(self, leaf: Leaf) -> None:
        """Keep a secret or a file that came with this request, or with one before it."""
        leaf.kept = self.data.get(leaf.name + KEPT, "")
        if leaf.kept and self._kept(leaf) is MISSING:
            leaf.kept = ""
        typed = self.data.get(leaf.name, "")
        given = self.files.get(leaf.name)
        if leaf.widget == "secret" and typed:
            leaf.kept = signing.dumps(encrypt_tree({"#": typed})["#"], salt=SALT)
        elif leaf.widget == "upload" and isinstance(given, UploadedFile):
            leaf.kept, leaf.error = self._stored_file(given)

    def _stored_file(self, given: UploadedFile[Any]) -> tuple[str, str]:
        if (given.size or 0) > self.limit_mb * MEGABYTE:
            return "", (
                f"The file has {(given.size or 0) // MEGABYTE} MB; {self.limit_mb} MB are allowed. "
                "Pack it with gzip, or load it with the HTTP component."
            )
        if not isinstance(given, TemporaryUploadedFile):
            return "", "The file did not arrive whole; give it again."
        try:
            reference = save_upload(given.name or "", Path(given.temporary_file_path()))
        except StorageError as error:
            return "", error.message
        return signing.dumps(reference, salt=SALT), ""

    def _kept(self, leaf: Leaf) -> Any:
        try:
            return signing.loads(leaf.kept, salt=SALT, max_age=KEEP_SECONDS)
        except signing.BadSignature:
            return MISSING

    def _file_name(self, leaf: Leaf) -> str:
        """Return the name of the file that is given or saved; empty where there is none."""
        reference = self._kept(leaf) if leaf.kept else leaf.stored
        return file_name(reference) if isinstance(reference, str) else ""

    def _value(self, node: Node) -> Any:
        if isinstance(node, Leaf):
            return self._leaf_value(node)
        if isinstance(node, Group):
            return self._group_value(node)
        rows = [self._value(row) for row in node.rows] if isinstance(node, Rows) else []
        values = [{} if row is MISSING else row for row in rows]
        return values if values or node.stored is not MISSING or node.required else MISSING

    def _group_value(self, group: Group) -> Any:
        stored = group.stored if isinstance(group.stored, dict) else {}
        edited = {child.key: self._value(child) for child in group.children}
        kept = {key: edited.get(key, value) for key, value in stored.items()}
        values = {key: value for key, value in (kept | edited).items() if value is not MISSING}
        return values if values or group.required or group.stored is not MISSING else MISSING

    def _leaf_value(self, leaf: Leaf) -> Any:
        if leaf.widget in ("secret", "upload"):
            return self._given(leaf)
        value = self.cleaned_data.get(leaf.name, MISSING)
        if leaf.stored is not MISSING or leaf.required:
            return value
        natural: Any = {"switch": False, "lines": [], "chips": []}.get(leaf.widget, MISSING)
        default = leaf.schema.get("default", natural)
        same = type(value) is type(default) and value == default
        return MISSING if same else value

    def _given(self, leaf: Leaf) -> Any:
        if leaf.kept:
            return self._kept(leaf)
        if self.data.get(leaf.name + CLEAR):
            return MISSING
        return leaf.stored


def edit_rows(data: QueryDict) -> QueryDict:
    """Return the data of a form with a row added, removed or moved, as its button asked.

    The buttons are named `add` (value: the list), `remove` and `up` (value: the row).
    """
    edits: dict[str, Callable[[QueryDict, str], None]] = {
        "add": _add_row,
        "remove": _remove_row,
        "up": _move_up,
    }
    changed = data.copy()
    for name, edit in edits.items():
        place = data.get(name, "")
        if place:
            edit(changed, place)
    return changed


def _add_row(data: QueryDict, place: str) -> None:
    data.appendlist(place + ROW, NEW)


def _remove_row(data: QueryDict, place: str) -> None:
    name, rows, number = _row(data, place)
    if number < 0:
        return
    data.setlist(name + ROW, rows[:number] + rows[number + 1 :])
    renamed = {number: -1} | {n: n - 1 for n in range(number + 1, len(rows))}
    _rename(data, name, renamed)


def _move_up(data: QueryDict, place: str) -> None:
    name, rows, number = _row(data, place)
    if number < 1:
        return
    rows[number - 1], rows[number] = rows[number], rows[number - 1]
    data.setlist(name + ROW, rows)
    _rename(data, name, {number: number - 1, number - 1: number})


def _row(data: QueryDict, place: str) -> tuple[str, list[str], int]:
    name, _, number = place.rpartition(".")
    rows = data.getlist(name + ROW)
    known = number.isdecimal() and int(number) < len(rows)
    return name, rows, int(number) if known else -1


def _rename(data: QueryDict, name: str, numbers: Mapping[int, int]) -> None:
    """Give the fields of rows their new numbers; -1 drops them."""
    moved: dict[str, list[Any]] = {}
    for key in [k for k in data if k.startswith(f"{name}.")]:
        number, dot, rest = key[len(name) + 1 :].partition(".")
        if dot and number.isdecimal() and int(number) in numbers:
            values = data.getlist(key)
            del data[key]
            if numbers[int(number)] >= 0:
                moved[f"{name}.{numbers[int(number)]}.{rest}"] = values
    for key, values in moved.items():
        data.setlist(key, values)
