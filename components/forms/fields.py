"""A Django field for each leaf of a schema's form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import escape

from components.forms.json_text import JsonTextError, load_json
from components.forms.nodes import MISSING, Leaf, Schema, type_of

MANY_OPTIONS = 12  # from which a select can be searched
CODE = {"sql": "sql", "python": "python", "json": "json"}
FILL_IN = {"required": "Fill this in."}


class TextField(forms.CharField):
    """A text; empty means that there is none."""

    def clean(self, value: Any) -> Any:
        """Return the text or MISSING; browsers send a line's end as CR LF, it is kept as LF."""
        return super().clean(value).replace("\r\n", "\n") or MISSING


class NumberField(forms.FloatField):
    """A number; whole where it has no fraction."""

    def clean(self, value: Any) -> Any:
        """Return the number or MISSING."""
        number = super().clean(value)
        if number is None:
            return MISSING
        return int(number) if float(number).is_integer() else number


class WholeField(forms.IntegerField):
    """A whole number."""

    def clean(self, value: Any) -> Any:
        """Return the number or MISSING."""
        number = super().clean(value)
        return MISSING if number is None else number


class LinesField(forms.CharField):
    """A list of scalars, one per line; numbers may stand with commas too."""

    def __init__(self, *, item: Schema, **options: Any) -> None:
        self.item = type_of(item)
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the list; raises ValidationError naming the line that is no number."""
        text = super().clean(value)
        if self.item in ("integer", "number"):
            text = text.replace(",", "\n").replace(";", "\n")
        lines = [line.strip() for line in text.splitlines()]
        return [self._converted(line) for line in lines if line]

    def _converted(self, line: str) -> Any:
        if self.item not in ("integer", "number"):
            return line
        try:
            return int(line) if self.item == "integer" else float(line)
        except ValueError:
            raise ValidationError(f"“{line}” is not a number.") from None


class OptionField(forms.ChoiceField):
    """One of the offered values, whatever their type; the page knows them by their text."""

    def __init__(self, *, options: Mapping[str, tuple[Any, str]], **rest: Any) -> None:
        self.options = options
        super().__init__(choices=[(text, label) for text, (_, label) in options.items()], **rest)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value)

    def clean(self, value: Any) -> Any:
        """Return the value that the text stands for."""
        text = super().clean(value)
        return self.options[text][0] if text in self.options else MISSING


class OptionsField(forms.MultipleChoiceField):
    """Several of the offered values."""

    def clean(self, value: Any) -> Any:
        """Return the list of texts."""
        return list(super().clean(value))


class FreeOptionsField(OptionsField):
    """Several texts, some of which are offered."""

    def valid_value(self, value: str) -> bool:
        return bool(value)


class JsonField(forms.CharField):
    """Any JSON value, as text."""

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        """Return the value or MISSING; raises ValidationError with line and column."""
        text = super().clean(value)
        if not text.strip():
            return MISSING
        try:
            return load_json(text)
        except JsonTextError as error:
            raise ValidationError(str(error)) from None


class SecretField(forms.CharField):
    """A secret: what is stored is never shown."""

    def clean(self, value: Any) -> Any:
        """Return what was typed or MISSING."""
        return super().clean(value) or MISSING


class UploadField(forms.FileField):
    """A file; the form stores it."""


def make_field(leaf: Leaf) -> forms.Field:
    """Return the field for a leaf, and note at the leaf which kind of control it is."""
    leaf.widget = _control(leaf)
    field = MAKERS[leaf.widget](leaf)
    field.label, field.help_text = leaf.title, escape(leaf.help)
    field.widget.attrs["id"] = leaf.element_id
    return field


def offer(field: forms.Field, value: Any) -> None:
    """Add values to the options of a select that takes more than it offers."""
    if not isinstance(field.widget, forms.Select) or isinstance(field, OptionField):
        return
    known = {str(text) for text, _ in field.widget.choices}
    values = value if isinstance(value, list) else [value]
    more = [(str(v), str(v)) for v in values if v not in (None, "") and str(v) not in known]
    field.widget.choices = [*field.widget.choices, *more]


def initial_of(leaf: Leaf) -> Any:
    """Return what a leaf shows at first: the stored value, or the schema's default."""
    value = leaf.schema.get("default") if leaf.stored is MISSING else leaf.stored
    if leaf.widget in ("secret", "upload"):
        return None
    if leaf.widget == "json" and value is not None:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return value


def _control(leaf: Leaf) -> str:
    schema, type_ = leaf.schema, type_of(leaf.schema)
    if leaf.key.startswith("#"):
        return "secret"
    if _options(schema):
        return "option"
    if type_ == "array":
        return _list_control(schema)
    if type_ == "string":
        return _text_control(str(schema.get("format", "")))
    return {"integer": "whole", "number": "number", "boolean": "switch"}.get(type_, "json")


def _list_control(schema: Schema) -> str:
    items = schema.get("items") or {}
    if "x-options" in schema or _options(items):
        return "chips"
    return "lines" if type_of(items) in ("string", "integer", "number") else "json"


def _text_control(format_: str) -> str:
    if format_ in CODE:
        return "code"
    named = {"textarea": "textarea", "password": "password", "uri": "uri", "upload": "upload"}
    return named.get(format_, "pick" if format_ in ("table", "column") else "text")


def _options(schema: Schema) -> dict[str, tuple[Any, str]]:
    """Return the values of an enum or of titled constants: {text: (value, label)}."""
    if isinstance(schema.get("enum"), list):
        return {_text(value): (value, str(value)) for value in schema["enum"]}
    listed = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(listed, list) and all(isinstance(o, Mapping) and "const" in o for o in listed):
        return {_text(o["const"]): (o["const"], str(o.get("title", o["const"]))) for o in listed}
    return {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(leaf: Leaf, *, strip: bool = True, **attrs: Any) -> forms.Field:
    examples = leaf.schema.get("examples") or [""]
    attrs = {"placeholder": str(examples[0]), "autocomplete": "off"} | attrs
    widget = forms.TextInput(attrs | leaf.schema.get("x-attributes", {}))
    return TextField(required=leaf.required, strip=strip, widget=widget, error_messages=FILL_IN)


def _area(leaf: Leaf, rows: int, **attrs: Any) -> forms.Field:
    widget = forms.Textarea(attrs={"rows": rows, "spellcheck": "false"} | attrs)
    return TextField(required=leaf.required, strip=False, widget=widget, error_messages=FILL_IN)


def _number(leaf: Leaf) -> forms.Field:
    limits = {"min": leaf.schema.get("minimum"), "max": leaf.schema.get("maximum")}
    attrs = {name: value for name, value in limits.items() if value is not None}
    if leaf.widget == "whole":
        return WholeField(
            required=leaf.required, widget=forms.NumberInput(attrs), error_messages=FILL_IN
        )
    return NumberField(
        required=leaf.required,
        widget=forms.NumberInput({"step": "any"} | attrs),
        error_messages=FILL_IN,
    )


def _option(leaf: Leaf) -> forms.Field:
    options = dict(_options(leaf.schema))
    if leaf.stored is not MISSING and _text(leaf.stored) not in options:
        options[_text(leaf.stored)] = (leaf.stored, f"{_text(leaf.stored)} (not offered)")
    if not leaf.required and "default" not in leaf.schema and "" not in options:
        options = {"": (MISSING, "Not set"), **options}
    search = {"data-enhance": "search"} if len(options) > MANY_OPTIONS else {}
    return OptionField(
        options=options,
        required=leaf.required and "" not in options,
        widget=forms.Select(search),
        error_messages=FILL_IN,
    )


def _chips(leaf: Leaf) -> forms.Field:
    offered = [(text, label) for text, (_, label) in _options(leaf.schema.get("items", {})).items()]
    offered += [(name, name) for name in leaf.schema.get("x-options", [])]
    free = "x-options" in leaf.schema
    attrs = {"data-enhance": "chips", "data-placeholder": leaf.schema.get("x-placeholder", "")}
    kind = FreeOptionsField if free else OptionsField
    widget = forms.SelectMultiple({**attrs, "data-create": "true"} if free else attrs)
    return kind(choices=offered, required=False, widget=widget)


def _pick(leaf: Leaf) -> forms.Field:
    offered = [("", leaf.schema.get("x-placeholder", "")), *leaf.schema.get("x-options", [])]
    attrs = {"data-enhance": "search", "data-create": "true"}
    attrs |= {"data-search-url": leaf.schema["x-search"]} if "x-search" in leaf.schema else {}
    widget = forms.Select(attrs | leaf.schema.get("x-attributes", {}), choices=offered)
    return TextField(required=leaf.required, error_messages=FILL_IN, widget=widget)


def _secret(leaf: Leaf) -> forms.Field:
    leaf.has_saved = leaf.stored is not MISSING and leaf.stored not in (None, "")
    attrs: dict[str, Any] = {"autocomplete": "new-password", "spellcheck": "false"}
    if leaf.has_saved:
        attrs["placeholder"] = "Saved. Leave blank to keep it."
    return SecretField(
        required=False, strip=False, widget=forms.PasswordInput(attrs, render_value=False)
    )


def _upload(leaf: Leaf) -> forms.Field:
    leaf.has_saved = bool(leaf.stored) and isinstance(leaf.stored, str)
    return UploadField(required=False, widget=forms.FileInput())


MAKERS: dict[str, Callable[[Leaf], forms.Field]] = {
    "text": _plain,
    "uri": lambda leaf: _plain(leaf, inputmode="url", spellcheck="false"),
    "password": _plain,
    "pick": _pick,
    "textarea": lambda leaf: _area(leaf, 4),
    "code": lambda leaf: _area(leaf, 10, **{"data-editor": CODE[leaf.schema["format"]]}),
    "whole": _number,
    "number": _number,
    "switch": lambda _: forms.BooleanField(required=False),
    "option": _option,
    "chips": _chips,
    "lines": lambda leaf: LinesField(
        item=leaf.schema["items"],
        required=False,
        widget=forms.Textarea({"rows": 2, "placeholder": "One per line", "spellcheck": "false"}),
    ),
    "json": lambda _: JsonField(
        required=False, widget=forms.Textarea({"rows": 6, "data-editor": "json"})
    ),
    "secret": _secret,
    "upload": _upload,
}
