"""A component that does nothing, to measure everything around it (COMPONENT_MODULES=bench.noop)."""

from __future__ import annotations

from typing import Any

from components.builtin.contract import Context, Manifest
from components.enums import ComponentType


def run(context: Context) -> dict[str, Any]:
    """Do nothing."""
    return {}


MANIFEST = Manifest(
    key="bench-noop",
    name="No-op",
    type=ComponentType.APPLICATION,
    summary="Does nothing.",
    documentation="",
    schema={"type": "object", "properties": {}},
    run=run,
)
