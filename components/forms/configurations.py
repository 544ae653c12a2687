"""What people type about a configuration: its name, its description, its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from django import forms
from django.http import QueryDict
from django.urls import reverse

from components.forms.json_text import JsonTextError, dump_json, lines_of, load_json
from components.forms.mappings import (
    REFRESH,
    input_schema,
    offer_columns,
    output_schema,
    table_choices,
)
from components.forms.schema import Root, SchemaForm, edit_rows
from components.models import Configuration, ConfigurationVersion
from components.services.configurations import MAX_NAME
from orchestrator_site.lib.secrets import HIDDEN, hide_tree

DRAFT_BUTTONS = ("add", "remove", "up", REFRESH)


class Edited(TypedDict, total=False):
    """The parts of a configuration that its form edits."""

    parameters: dict[str, Any]
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]


class NewConfigurationForm(forms.Form):
    """The first step: a name; the parameters come on the page that it leads to."""

    name = forms.CharField(
        max_length=MAX_NAME, error_messages={"required": "Give the configuration a name."}
    )
    description = forms.CharField(
        required=False, widget=forms.Textarea({"rows": 3}), help_text="Markdown, if you like."
    )


class NameForm(forms.Form):
    """The name, edited in place."""

    text = forms.CharField(
        label="Name",
        max_length=MAX_NAME,
        error_messages={"required": "Give the configuration a name."},
        widget=forms.TextInput({"autofocus": True, "autocomplete": "off"}),
    )


class DescriptionForm(forms.Form):
    """The description, edited in place."""

    text = forms.CharField(
        label="Description",
        required=False,
        widget=forms.Textarea({"rows": 5, "autofocus": True}),
        help_text="Markdown, if you like.",
    )


class RawForm(forms.Form):
    """The parameters as JSON; secrets stand as a mark that keeps them."""

    raw = forms.CharField(
        label="Parameters as JSON",
        required=False,
        widget=forms.Textarea(
            {"rows": 16, "data-editor": "json", "spellcheck": "false", "id": "f-raw"}
        ),
    )

    def __init__(self, stored: Any, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"raw": dump_json(hide_tree(stored))})
        self.stored = stored
        self.fields["raw"].help_text = f"{HIDDEN} stands for a secret and keeps it."

    def clean_raw(self) -> Any:
        """Return the parameters, secrets put back; an error names its line."""
        text = self.cleaned_data["raw"]
        try:
            value = load_json(text or "{}")
        except JsonTextError as error:
            self._mark(error.line, str(error))
            raise forms.ValidationError(str(error)) from None
        return with_secrets(value, self.stored)

    def show(self, errors: Mapping[str, str]) -> None:
        """Show errors of the parameters with the lines they are in."""
        lines = lines_of(self.data.get("raw") or "{}")
        for path, sentence in errors.items():
            place = path.removeprefix("parameters").removeprefix(".")
            parts = place.split(".")
            while parts and ".".join(parts) not in lines:
                parts.pop()
            line = lines.get(".".join(parts), 1)
            self._mark(line, sentence)
            self.add_error("raw", f"Line {line}: {f'{place}: ' if place else ''}{sentence}")

    def _mark(self, line: int, sentence: str) -> None:
        """Have the editor mark the first line that is wrong."""
        attrs = self.fields["raw"].widget.attrs
        if line and "data-error-line" not in attrs:
            attrs |= {"data-error-line": str(line), "data-error-text": sentence}


class ConfigurationForm:
    """Parameters, as fields or as JSON, together with the mappings.

    `base` is the version that the page was made from: it is what rows are numbered by and where
    secrets come from. A submitted form whose button only changes the form itself is a draft.
    """

    def __init__(
        self,
        configuration: Configuration,
        base: Configuration | ConfigurationVersion,
        *,
        raw: bool = False,
        data: QueryDict | None = None,
        files: Any = None,
        limit_mb: int = 1024,
    ) -> None:
        component = configuration.component
        self.is_draft = data is not None and any(name in data for name in DRAFT_BUTTONS)
        data = edit_rows(data) if data is not None and self.is_draft else data
        self.tables = table_choices() if component.has_input or component.has_output else []
        roots = {} if raw else {"parameters": Root(component.schema, base.parameters)}
        if component.has_input:
            roots["input"] = Root(input_schema(self.tables), base.input)
        if component.has_output:
            roots["output"] = Root(output_schema(configuration), base.output)
        self.schema = SchemaForm(roots, data, files, draft=self.is_draft, limit_mb=limit_mb)
        self.raw = RawForm(base.parameters, data) if raw else None
        offer_columns(self.schema, reverse("configuration-save", args=[configuration.pk]))

    @property
    def trees(self) -> dict[str, Any]:
        """The trees of the roots, for the page."""
        return self.schema.trees

    def is_valid(self) -> bool:
        """Check both halves; a draft is none of them."""
        if self.is_draft:
            return False
        valid = self.schema.is_valid()
        return (self.raw is None or self.raw.is_valid()) and valid

    def content(self) -> Edited:
        """Return what is to be saved, once the form is valid."""
        edited = Edited()
        if self.raw:
            edited["parameters"] = self.raw.cleaned_data["raw"]
        else:
            edited["parameters"] = self.schema.value("parameters")
        if "input" in self.trees:
            edited["input"] = self.schema.value("input")
        if "output" in self.trees:
            edited["output"] = self.schema.value("output")
        return edited

    def show(self, errors: Mapping[str, str]) -> None:
        """Show the service's errors at their fields."""
        if not self.raw:
            self.schema.show(errors)
            return
        own = {path: text for path, text in errors.items() if path.startswith("parameters")}
        self.raw.show(own)
        self.schema.show({path: text for path, text in errors.items() if path not in own})

    @property
    def error_count(self) -> int:
        """How many fields are wrong."""
        own = len(self.raw.errors) if self.raw and not self.is_draft else 0
        return own + (len(self.schema.errors) if self.schema.is_bound else 0)


def with_secrets(new: Any, stored: Any) -> Any:
    """Return `new` with the stored secrets where the mark stands.

    In lists an item gets the secrets of the stored item that is otherwise the same; by position
    only where the list is as long as before. A secret never moves to something else: there the
    mark becomes empty, and the person is asked for it.
    """
    if isinstance(new, dict):
        before = stored if isinstance(stored, dict) else {}
        return {key: _member(key, value, before.get(key)) for key, value in new.items()}
    if isinstance(new, list):
        return _with_list_secrets(new, stored if isinstance(stored, list) else [])
    return new


def _member(key: str, value: Any, stored: Any) -> Any:
    if key.startswith("#") and value == HIDDEN:
        return stored if isinstance(stored, str) else ""
    return with_secrets(value, stored)


def _with_list_secrets(new: list[Any], stored: list[Any]) -> list[Any]:
    shown = [hide_tree(item) for item in stored]
    same_length = len(new) == len(stored)
    result = []
    for position, item in enumerate(new):
        if same_length and position < len(stored) and item == shown[position]:
            twin = stored[position]
        elif item in shown:
            twin = stored[shown.index(item)]
        else:
            twin = stored[position] if same_length else None
        result.append(with_secrets(item, twin))
    return result
