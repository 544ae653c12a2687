"""Run one component in this process: parameters checked, context made, result made plain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from components.builtin.contract import (
    Context,
    InputTable,
    Manifest,
    TestContext,
    Workbench,
    default_bucket,
)
from components.exceptions import RunnerError
from components.runners.base import JobSpec, RunnerResult

RESULT_BYTES = 1024 * 1024  # of the result and of the state, each


def run_component(
    manifest: Manifest, spec: JobSpec, inputs: list[InputTable], workbench: Workbench
) -> RunnerResult:
    """Run a component whose parameters and state are in clear; raises what it raises."""
    context = Context(
        parameters=checked_parameters(manifest.schema, spec.parameters),
        configuration_name=spec.configuration_name,
        bucket=default_bucket(spec.configuration_name, manifest.type),
        work=Path(spec.work),
        workbench=workbench,
        inputs=inputs,
        output_mapping=spec.output_mapping,
        state=deepcopy(spec.state),
        settings=spec.settings,
    )
    result = manifest.run(context)
    return RunnerResult(
        result=plain(result or {}, "result"),
        state=plain(context.state, "state"),
        outputs=context.written,
    )


def test_component(manifest: Manifest, spec: JobSpec) -> RunnerResult:
    """Run a component's Test connection; raises RunnerError where it has none or it fails."""
    if manifest.test is None:
        raise RunnerError("This component has no connection to test.", permanent=True)
    parameters = with_defaults(manifest.schema, spec.parameters)
    message = manifest.test(TestContext(parameters, settings=spec.settings))
    return RunnerResult(result={}, state={}, outputs=[], message=message)


def checked_parameters(schema: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the schema's defaults; raises RunnerError naming what is wrong."""
    filled: dict[str, Any] = with_defaults(schema, parameters)
    error = best_match(Draft202012Validator(schema).iter_errors(filled))
    if error is None:
        return filled
    place = ".".join(str(step) for step in error.absolute_path)
    where = f"The parameter “{place}” is not valid" if place else "The parameters are not valid"
    raise RunnerError(f"{where}: {error.message}.", permanent=True)


def with_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """Return a copy of `value` with the defaults of the properties that it lacks."""
    if isinstance(value, dict):
        filled = dict(value)
        for name, part in schema.get("properties", {}).items():
            if name in filled:
                filled[name] = with_defaults(part, filled[name])
            elif "default" in part:
                filled[name] = deepcopy(part["default"])
        return filled
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [with_defaults(schema["items"], item) for item in value]
    return value


def plain(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a copy that any database keeps as JSON: no NaN, no NUL, other types as text.

    Raises RunnerError where it is larger than `RESULT_BYTES`.
    """
    text = json.dumps(value, default=str).replace("\\u0000", "\\ufffd")
    if len(text) > RESULT_BYTES:
        raise RunnerError(f"The component's {what} is larger than 1 MB.", permanent=True)
    clean: dict[str, Any] = json.loads(text, parse_constant=str)
    return clean
