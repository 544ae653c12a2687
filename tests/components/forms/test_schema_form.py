from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import QueryDict

from components.builtin import manifests
from components.forms.configurations import RawForm, with_secrets
from components.forms.fields import TextField
from components.forms.json_text import JsonTextError, lines_of, load_json
from components.forms.nodes import Leaf, humanized
from components.forms.schema import Root, SchemaForm, edit_rows
from components.validators import parameter_errors
from orchestrator_site.lib.secrets import HIDDEN, decrypt_tree, encrypt_tree

SCHEMA: dict[str, Any] = {
    "type": "object",
    "$defs": {"pair": {"type": "object", "properties": {"name": {"type": "string"}}}},
    "properties": {
        "url": {"type": "string", "title": "Address", "description": "<b>", "format": "uri"},
        "size": {"type": "integer", "default": 10, "minimum": 1},
        "ratio": {"type": "number"},
        "fast": {"type": "boolean", "default": True},
        "mode": {"oneOf": [{"const": "", "title": "Usual"}, {"const": "x", "title": "Odd"}]},
        "level": {"enum": [1, 2]},
        "codes": {"type": "array", "items": {"type": "integer"}},
        "keys": {"type": "array", "items": {"type": "string"}},
        "parts": {"type": "array", "items": {"enum": ["a", "b"]}},
        "free": {"type": "object"},
        "auth": {
            "type": "object",
            "properties": {"user": {"type": "string"}, "#token": {"type": "string"}},
        },
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"table": {"type": "string"}, "#key": {"type": "string"}},
                "required": ["table"],
            },
        },
        "pairs": {"type": "array", "items": {"$ref": "#/$defs/pair"}},
    },
    "required": ["url"],
}
FILLED = {
    "p.url": " https://example.org ",
    "p.size": "5",
    "p.ratio": "0.5",
    "p.mode": "x",
    "p.level": "2",
    "p.codes": "200, 404\n500",
    "p.keys": "id\n\n a,b \n",
    "p.parts": "b",
    "p.free": '{"any": [1]}',
    "p.auth.user": "ada",
    "p.auth.#token": "t0ken",
    "p.rows.row": "new",
    "p.rows.0.table": "orders",
    "p.rows.0.#key": "k3y",
}


def post(values: dict[str, Any]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def form_of(stored: Any, data: QueryDict | None = None, **options: Any) -> SchemaForm:
    return SchemaForm({"p": Root(SCHEMA, stored)}, data, **options)


def value_of(stored: Any, values: dict[str, Any]) -> Any:
    form = form_of(stored, post(values))
    assert form.is_valid(), form.errors
    return decrypt_tree(form.value("p"))


def shown(form: SchemaForm) -> str:
    return form.as_p() + "".join(n.kept for n in form.nodes.values() if isinstance(n, Leaf))


def test_what_is_typed_becomes_values_of_the_schemas_types() -> None:
    assert value_of({}, FILLED) == {
        "url": "https://example.org",
        "size": 5,
        "ratio": 0.5,
        "fast": False,
        "mode": "x",
        "level": 2,
        "codes": [200, 404, 500],
        "keys": ["id", "a,b"],
        "parts": ["b"],
        "free": {"any": [1]},
        "auth": {"user": "ada", "#token": "t0ken"},
        "rows": [{"table": "orders", "#key": "k3y"}],
    }


def test_defaults_that_nobody_touched_are_not_stored() -> None:
    values = {"p.url": "u", "p.size": "10", "p.fast": "on", "p.mode": ""}
    assert value_of({}, values) == {"url": "u", "mode": ""}
    assert value_of({"size": 3}, values) == {"url": "u", "size": 10, "mode": ""}


def test_saving_an_untouched_form_changes_nothing() -> None:
    stored = value_of({}, FILLED) | {"unknown": {"deep": [1, None]}}
    stored["rows"] = [{"table": "orders", "extra": 1}]
    form = form_of(stored)
    data = QueryDict(mutable=True)
    for name in form.fields:
        value = form[name].value()
        prepared = [] if value is False or value is None else value
        data.setlist(name, prepared if isinstance(prepared, list) else [prepared])
    data.setlist("p.rows.row", ["0"])
    assert value_of(stored, dict(data.lists())) == stored


def test_lines_end_as_they_did_before_a_browser_sent_them() -> None:
    field = TextField(strip=False)
    assert field.clean("SELECT 1;\r\nSELECT 2;\r\n") == "SELECT 1;\nSELECT 2;\n"


def test_wrong_input_is_named_at_its_field_and_kept() -> None:
    form = form_of({}, post({"p.url": "", "p.size": "five", "p.codes": "1\nx", "p.free": "{\n]"}))
    assert form.is_valid() is False
    assert {name: list(errors) for name, errors in form.errors.items()} == {
        "p.url": ["Fill this in."],
        "p.size": ["Enter a whole number."],
        "p.codes": ["“x” is not a number."],
        "p.free": ["Line 2, column 1: a name in double quotes is missing here."],
    }
    assert 'value="five"' in str(form["p.size"])


def test_a_secret_never_reaches_the_page_and_stays_when_left_blank() -> None:
    stored = encrypt_tree({"url": "u", "auth": {"#token": "old-secret"}})
    form = form_of(stored, post({"p.url": "u"}))
    assert form.is_valid()
    assert form.value("p")["auth"] == stored["auth"]
    page = shown(form_of(stored))
    assert "Saved. Leave blank to keep it." in page
    assert ("old-secret" in page, stored["auth"]["#token"] in page) == (False, False)
    assert "auth" not in value_of({"url": "u"}, {"p.url": "u"})


def test_a_secret_is_replaced_or_removed_on_demand() -> None:
    stored = encrypt_tree({"url": "u", "auth": {"#token": "old"}})
    assert value_of(stored, {"p.url": "u", "p.auth.#token": "new"})["auth"] == {"#token": "new"}
    assert value_of(stored, {"p.url": "u", "p.auth.#token.clear": "1"})["auth"] == {}


def test_a_typed_secret_survives_a_mistake_elsewhere_unreadable() -> None:
    first = form_of({}, post({"p.url": "", "p.auth.#token": "t0ken"}))
    assert first.is_valid() is False
    leaf = first.nodes["p.auth.#token"]
    assert isinstance(leaf, Leaf)
    assert "t0ken" not in shown(first)
    again = {"p.url": "u", "p.auth.#token": "", "p.auth.#token.kept": leaf.kept}
    assert value_of({}, again)["auth"] == {"#token": "t0ken"}
    forged = {**again, "p.auth.#token.kept": leaf.kept[:-2] + "xx"}
    assert "auth" not in value_of({}, forged)


def test_removing_a_row_leaves_each_other_row_its_own_secret() -> None:
    rows = [{"table": name, "#key": f"key of {name}"} for name in ("a", "b", "c")]
    stored = encrypt_tree({"url": "u", "rows": rows})
    data = post(
        {
            "p.url": "u",
            "p.rows.row": ["0", "1", "2"],
            **{f"p.rows.{n}.table": row["table"] for n, row in enumerate(rows)},
        }
    )
    data["remove"] = "p.rows.0"
    edited = edit_rows(data)
    draft = form_of(stored, edited, draft=True)
    assert (draft.errors, draft["p.rows.1.table"].value()) == ({}, "c")
    assert value_of(stored, dict(edited.lists()))["rows"] == rows[1:]

    edited["remove"], edited["up"] = "", "p.rows.1"
    swapped = edit_rows(edited)
    assert value_of(stored, dict(swapped.lists()))["rows"] == [rows[2], rows[1]]


@pytest.mark.parametrize(
    ("button", "place"), [("remove", "p.rows.7"), ("up", "p.rows.0"), ("remove", "nonsense")]
)
def test_a_button_for_a_row_that_is_not_there_changes_nothing(button: str, place: str) -> None:
    data = post({**FILLED, button: place})
    assert dict(edit_rows(data).lists()) == dict(data.lists())


def test_an_added_row_is_blank_and_last() -> None:
    edited = edit_rows(post({**FILLED, "add": "p.rows"}))
    form = form_of({}, edited, draft=True)
    names = [row.name for row in form.nodes["p.rows"].rows]  # type: ignore[attr-defined]
    assert names == ["p.rows.0", "p.rows.1"]
    assert form["p.rows.1.table"].value() is None


def test_errors_of_the_service_stand_at_their_fields() -> None:
    form = form_of({}, post(FILLED))
    assert form.is_valid()
    form.show({"p.rows.0.table": "No.", "p.keys.1": "Odd.", "p.rows": "Add 2.", "q": "What?"})
    errors = {name: list(texts) for name, texts in form.errors.items()}
    assert errors == {
        "p.rows.0.table": ["No."],
        "p.keys": ["Odd."],
        "__all__": ["Rows: Add 2.", "q: What?"],
    }


def test_help_of_a_schema_is_text_not_markup() -> None:
    assert form_of({}).fields["p.url"].help_text == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("key", "words"), [("#api_key", "Api key"), ("baseUrl", "Base url"), ("x", "X")]
)
def test_keys_without_a_title_read_as_words(key: str, words: str) -> None:
    assert humanized(key) == words


@pytest.mark.parametrize("key", sorted(manifests()))
def test_every_component_has_a_form_whose_values_fit_its_schema(key: str) -> None:
    schema = manifests()[key].schema
    form = SchemaForm({"parameters": Root(schema, {})})
    assert [n.name for n in form.nodes.values() if isinstance(n, Leaf) and n.widget == "json"] == []
    ids = re.findall(r'\bid="([^"]+)"', form.as_p())
    assert len(ids) == len(set(ids))
    data = {name: form[name].value() for name in form.fields if form[name].value()}
    bound = SchemaForm({"parameters": Root(schema, {})}, post(data))
    bound.full_clean()
    wrong = parameter_errors(schema, bound.value("parameters"))
    assert set(wrong.values()) <= {"Fill this in.", "Add 1 or more."}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ('{"a": 1,\n "b" 2}', "Line 2, column 6: a colon is missing before this.", 2),
        ('{"a": 1,\n "a": 2}', "Line 2: “a” is there twice.", 2),
        ('{\n"a": NaN}', "Line 2: NaN is no JSON value.", 2),
        ("[" * 100_000, "It is nested too deep.", 0),
        ("[" * 60 + "]" * 60, "It is nested more than 40 levels deep.", 0),
        ('"\\u0000"', "A text holds a NUL character; remove it.", 0),
        ("1e999", "A number is too large.", 0),
        ("9" * 5000, "A number is too large.", 0),
    ],
    ids=["colon", "twice", "NaN", "deep", "nested", "NUL", "infinite", "digits"],
)
def test_bad_json_is_explained_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(JsonTextError) as caught:
        load_json(text)
    assert (str(caught.value), caught.value.line) == (message, line)


def test_every_place_of_a_json_text_has_its_line() -> None:
    text = '{\n  "a": [\n    1,\n    {"b": "x,\\n}"}\n  ],\n  "c": {}\n}'
    assert lines_of(text) == {"": 1, "a": 2, "a.0": 3, "a.1": 4, "a.1.b": 4, "c": 6}


def test_raw_json_marks_the_line_that_the_service_refused() -> None:
    form = RawForm({}, post({"raw": '{\n  "url": 1,\n  "rows": [\n    {}\n  ]\n}'}))
    assert form.is_valid()
    form.show({"parameters.url": "No.", "parameters.rows.0.table": "Fill this in."})
    assert list(form.errors["raw"]) == [
        "Line 2: url: No.",
        "Line 4: rows.0.table: Fill this in.",
    ]
    assert form.fields["raw"].widget.attrs["data-error-line"] == "2"


def test_the_mark_keeps_a_secret_and_never_moves_it_elsewhere() -> None:
    stored = {"#a": "A", "rows": [{"host": "x", "#k": "X"}, {"host": "y", "#k": "Y"}]}
    mark = HIDDEN
    edited = {"#a": mark, "#new": mark, "rows": [{"host": "y", "#k": mark}]}
    assert with_secrets(edited, stored) == {
        "#a": "A",
        "#new": "",
        "rows": [{"host": "y", "#k": "Y"}],
    }
    moved = {"rows": [{"host": "evil", "#k": mark}]}
    assert with_secrets(moved, stored) == {"rows": [{"host": "evil", "#k": ""}]}
    renamed = {"rows": [{"host": "z", "#k": mark}, {"host": "y", "#k": mark}]}
    assert with_secrets(renamed, stored) == {
        "rows": [{"host": "z", "#k": "X"}, {"host": "y", "#k": "Y"}]
    }
