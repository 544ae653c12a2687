"""The controls of the dialogs, each tied to its help and to the place of its error."""

from __future__ import annotations

from typing import Any

from django import forms

FEEDBACK = "feedback-"  # and the field's name: the id of the element that holds its error
CODE = {"autocapitalize": "off", "spellcheck": "false"}
"""What keeps a browser from mending what is no prose."""


def attributes(
    name: str, css: str = "form-control", *, note: str = "", **more: Any
) -> dict[str, Any]:
    """Return the attributes of a field's control; `note` is the id of its help, empty for none."""
    return {"class": css, "aria-describedby": f"{note} {FEEDBACK}{name}".strip(), **more}


def text_input(name: str, *, note: str = "", is_code: bool = False, **more: Any) -> forms.TextInput:
    """Return a line to type in, which the browser fills with nothing of its own."""
    css, usual = ("form-control mono", CODE) if is_code else ("form-control", {})
    return forms.TextInput(attributes(name, css, note=note, autocomplete="off", **usual, **more))


def number_input(name: str, *, note: str = "", **more: Any) -> forms.NumberInput:
    """Return a line for a number, with the keys for it on a phone."""
    return forms.NumberInput(attributes(name, note=note, inputmode="numeric", **more))


def select(name: str, *, note: str = "", **more: Any) -> forms.Select:
    """Return a list to choose one from."""
    return forms.Select(attributes(name, "form-select", note=note, **more))


def text_area(name: str, *, note: str = "", rows: int, **more: Any) -> forms.Textarea:
    """Return lines to type in, of a fixed width and left as they are typed."""
    usual = {"rows": str(rows), "spellcheck": "false"}
    return forms.Textarea(attributes(name, "form-control mono", note=note, **usual, **more))
