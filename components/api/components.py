"""The catalogue of components."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import ConfigDict

from components.api.base import ERRORS, needs
from components.models import Component
from orchestrator_site.lib.access import VIEW

router = Router(tags=["Components"])


class ComponentOut(Schema):
    """A kind of work that can be configured."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "key": "ex-http",
                "name": "HTTP",
                "type": "extractor",
                "summary": "Loads a file from a web address.",
                "parameters_schema": {"type": "object", "properties": {"url": {"type": "string"}}},
                "has_input": False,
                "has_output": True,
                "can_test": True,
            }
        }
    )
    key: str
    name: str
    type: str
    summary: str
    parameters_schema: dict[str, Any]
    has_input: bool
    has_output: bool
    can_test: bool

    @staticmethod
    def resolve_parameters_schema(component: Component) -> dict[str, Any]:
        return dict(component.schema)


@router.get("/components", response={200: list[ComponentOut], **ERRORS}, auth=needs(VIEW))
def list_components(request: HttpRequest) -> QuerySet[Component]:
    """List the components that can be configured, with the JSON schema of their parameters."""
    return Component.objects.filter(is_active=True)
