"""The description of the API is complete: words, examples, and examples that are true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator_site.api import api

BINARY = "binary"


def described() -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix="")))
    return spec


SPEC = described()
CALLS = {
    f"{method.upper()} {path}": call
    for path, calls in SPEC["paths"].items()
    for method, call in calls.items()
}
SCHEMAS: dict[str, Any] = SPEC["components"]["schemas"]
WITH_EXAMPLE = [name for name, schema in SCHEMAS.items() if "example" in schema]


def has_example(content: dict[str, Any]) -> bool:
    """Whether a body has an example: by itself, by its schema, or by that of its items."""
    if "example" in content:
        return True
    schema = content["schema"]
    if schema.get("format") == BINARY:
        return True
    kinds = [schema, schema.get("items", {}), *schema.get("anyOf", [])]
    names = [kind["$ref"].rsplit("/", 1)[-1] for kind in kinds if "$ref" in kind]
    return any("example" in SCHEMAS[name] for name in names)


def bodies(call: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All that a call takes or answers, by what it is and its type."""
    found = {"body": call.get("requestBody", {}), **call["responses"]}
    return {
        f"{what} {kind}": content
        for what, body in found.items()
        for kind, content in body.get("content", {}).items()
    }


@pytest.mark.parametrize("name", CALLS)
def test_a_call_says_what_it_does(name: str) -> None:
    call = CALLS[name]
    assert (bool(call["summary"]), call["description"].rstrip()[-1:]) == (True, ".")


@pytest.mark.parametrize("name", CALLS)
def test_all_that_a_call_takes_and_answers_has_an_example(name: str) -> None:
    found = bodies(CALLS[name])
    assert [what for what, content in found.items() if not has_example(content)] == []


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_an_example_is_true_and_names_what_there_is(name: str) -> None:
    schema = SCHEMAS[name]
    root = {"$ref": f"#/components/schemas/{name}", "components": SPEC["components"]}
    problems = [e.message for e in Draft202012Validator(root).iter_errors(schema["example"])]
    unknown = set(schema["example"]) - set(schema["properties"])
    assert (problems, unknown) == ([], set())


def test_calls_have_ids_of_their_own() -> None:
    ids = [call["operationId"] for call in CALLS.values()]
    assert sorted(ids) == sorted(set(ids))
