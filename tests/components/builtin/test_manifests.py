from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from components.builtin import manifests
from components.builtin.contract import Manifest
from components.builtin.fields import DOCUMENTS

KEYS = {
    "ex-http": ("extractor", False, True, True),
    "ex-sql": ("extractor", False, True, True),
    "ex-currency": ("extractor", False, True, True),
    "ex-upload": ("extractor", False, True, False),
    "tr-sql": ("transformation", True, True, False),
    "wr-sql": ("writer", True, False, True),
    "wr-file": ("writer", True, False, True),
    "app-http-call": ("application", False, False, True),
}
SPRITE = Path("static/vendor/tabler-icons/sprite.svg")


@pytest.fixture(params=sorted(KEYS))
def manifest(request: pytest.FixtureRequest) -> Manifest:
    return manifests()[request.param]


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in schema.get("properties", {}).values():
        yield field
        yield from schemas(field)
        yield from schemas(field.get("items", {}))


def test_these_are_the_built_in_components() -> None:
    found = {
        key: (str(m.type), m.has_input, m.has_output, m.test is not None)
        for key, m in manifests().items()
    }
    assert found == KEYS


def test_the_schema_is_one_and_its_defaults_are_valid(manifest: Manifest) -> None:
    Draft202012Validator.check_schema(manifest.schema)
    for field in schemas(manifest.schema):
        assert field["title"]
        if "default" in field:
            Draft202012Validator(field).validate(field["default"])
    for name in manifest.schema.get("required", []):
        assert name in manifest.schema["properties"]


def test_secrets_are_marked_as_such(manifest: Manifest) -> None:
    def walk(schema: dict[str, Any]) -> Iterator[tuple[str, bool]]:
        for name, field in schema.get("properties", {}).items():
            yield name, field.get("format") == "password"
            yield from walk(field)
            yield from walk(field.get("items", {}))

    for name, secret in walk(manifest.schema):
        assert name.startswith("#") is secret, name


def test_the_documentation_names_every_parameter(manifest: Manifest) -> None:
    for field in manifest.schema["properties"].values():
        assert f"**{field['title']}**" in manifest.documentation
    for heading in ("## Parameters", "## Example", "## Limits"):
        assert heading in manifest.documentation
    assert manifest.summary.endswith(".")


def test_the_examples_are_valid(manifest: Manifest) -> None:
    section = manifest.documentation.partition("## Example")[2]
    found = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert found
    Draft202012Validator(manifest.schema).validate(json.loads(found[1]))


def test_the_icon_is_in_the_sprite(manifest: Manifest) -> None:
    assert f'id="{manifest.icon}"' in SPRITE.read_text()


def test_there_is_no_other_documentation() -> None:
    assert {file.stem for file in DOCUMENTS.iterdir()} == set(KEYS)
