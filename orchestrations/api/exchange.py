"""The project as code: export it, say what files would change, and make them true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import ConfigDict, Field, JsonValue

from components.api.base import ERRORS, needs, user_of
from orchestrations.services.exchange.applying import Options, apply, plan
from orchestrations.services.exchange.documents import Selection, project_document
from orchestrations.services.exchange.references import Sources
from orchestrations.services.exchange.report import Report
from orchestrations.services.exchange.writing import to_yaml
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["As code"])
YAML = "application/yaml; charset=utf-8"
SOURCE = "project.yaml"
TEXT = "orchestrations:\n  nightly:\n    name: Nightly\n"
YAML_CONTENT = {"application/yaml": {"schema": {"type": "string"}, "example": TEXT}}
EXAMPLE: dict[str, JsonValue] = {
    "yaml": TEXT,
    "secrets": {"configurations/shop-db/#password": "…"},
    "prune": False,
    "only": [],
}
Only = Annotated[
    list[str], Field(description="`orchestrations`, `configurations/orders`, …; none means all.")
]


class ExportQuery(Schema):
    """What is wanted."""

    only: Only = []


class ProjectIn(Schema):
    """A project as text, or several files by name; and the secrets that it refers to.

    `${env:…}` is not read here: the environment is the server's.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})
    yaml: str | dict[str, str]
    secrets: dict[str, str | int | float | bool] = {}
    prune: Annotated[bool, Field(description="Move to the trash what no file names.")] = False
    only: Only = []


class ObjectChangeOut(Schema):
    """What becomes of one object; `lines` say what differs, for people to read."""

    kind: Literal["configuration", "orchestration"]
    key: str
    name: str
    action: Literal["create", "change", "restore", "remove"]
    lines: list[str]


class ReportOut(Schema):
    """What is changed, in order; `text` is the whole for people to read."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "summary": "1 to create.",
                "text": "+ orchestration nightly “Nightly”\n\n1 to create.",
                "changes": [
                    {
                        "kind": "orchestration",
                        "key": "nightly",
                        "name": "Nightly",
                        "action": "create",
                        "lines": [],
                    }
                ],
            }
        }
    )
    summary: str
    text: str
    changes: list[ObjectChangeOut]


@router.get(
    "/export",
    response=ERRORS,
    auth=needs(VIEW),
    openapi_extra={"responses": {200: {"description": "OK", "content": YAML_CONTENT}}},
)
def export(request: HttpRequest, query: Query[ExportQuery]) -> HttpResponse:
    """Return the project as YAML: without ids, times and secrets, always the same bytes."""
    selection = Selection(query.only)
    if unknown := selection.unknown():
        raise HttpError(422, f"“{unknown[0]}” names neither configurations nor orchestrations.")
    return HttpResponse(to_yaml(project_document(selection)), content_type=YAML)


@router.post("/plan", response={200: ReportOut, **ERRORS}, auth=needs(EDIT))
def plan_project(request: HttpRequest, body: ProjectIn) -> dict[str, Any]:
    """Say what applying a project would change, and change nothing.

    422 with every problem by file, line and place.
    """
    return _answer(request, body, plan)


@router.post("/apply", response={200: ReportOut, **ERRORS}, auth=needs(EDIT))
def apply_project(request: HttpRequest, body: ProjectIn) -> dict[str, Any]:
    """Make the installation what a project says: all of it, or nothing and 422.

    Applied again it changes nothing, so that it needs no Idempotency-Key.
    """
    return _answer(request, body, apply)


def _answer(request: HttpRequest, body: ProjectIn, work: Callable[..., Report]) -> dict[str, Any]:
    files = {SOURCE: body.yaml} if isinstance(body.yaml, str) else body.yaml
    options = Options(
        selection=Selection(body.only), prune=body.prune, sources=Sources(given=body.secrets)
    )
    report = work(files, user=user_of(request), options=options)
    return {"summary": report.summary, "text": report.text(), "changes": report.changes}
