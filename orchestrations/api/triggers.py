"""Triggers: runs started by updates of tables, and what each one waits for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field, JsonValue

from components.api.base import ERRORS, idempotent, needs, user_of
from orchestrations.api.orchestrations import existing
from orchestrations.api.runs import RunOut
from orchestrations.enums import StartedBy, TriggerKind, TriggerNeeds
from orchestrations.models import Run, Trigger
from orchestrations.queries.triggers import TriggerLine, active_triggers, trigger_lines
from orchestrations.services import triggers as service
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW

router = Router(tags=["Triggers"])
EXAMPLE: dict[str, JsonValue] = {
    "name": "Sales are in",
    "tables": ["in.c-sales.items", "in.c-sales.orders"],
    "cooldown": 20,
}
Cooldown = Annotated[int, Field(description="Minutes: at most one run in these.")]
NULLABLE = {"fresh_for", "fallback_after"}
Minutes = Annotated[int, Field(description="Minutes.")]
Source = Annotated[int, Field(description="Of kind orchestration: the one whose end counts.")]
Outcomes = Annotated[list[str], Field(description="Of kind orchestration: empty means any end.")]
Tables = Annotated[list[str], Field(description="Ids of tables; they need not exist yet.")]


Place = Annotated[
    str, Field(max_length=1000, description="Of kind files: a directory, or s3://bucket/prefix.")
]
Pattern = Annotated[
    str, Field(max_length=200, description="Of kind files: names that count, such as *.csv.")
]


class TriggerIn(Schema):
    """A new trigger; updates count from now on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})
    kind: TriggerKind = TriggerKind.TABLES
    tables: Tables = []
    source: Source | None = None
    outcomes: Outcomes = []
    place: Place = ""
    pattern: Pattern = ""
    cooldown: Cooldown = 5
    needs: TriggerNeeds = TriggerNeeds.ALL
    quorum: int = 1
    fresh_for: Minutes | None = None
    fallback_after: Minutes | None = None
    name: str = ""
    is_enabled: bool = True
    variables: dict[str, str] = {}


class TriggerPatch(Schema):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"cooldown": 60}})
    tables: Tables | None = None
    source: Source | None = None
    outcomes: Outcomes | None = None
    place: Place | None = None
    pattern: Pattern | None = None
    cooldown: Cooldown | None = None
    needs: TriggerNeeds | None = None
    quorum: int | None = None
    fresh_for: Minutes | None = None
    fallback_after: Minutes | None = None
    name: str | None = None
    is_enabled: bool | None = None
    variables: dict[str, str] | None = None


class WatchedTableOut(Schema):
    """A table of a trigger; `updated_at` and `version` are of an update that no run has used."""

    key: str
    is_ready: bool
    is_missing: bool
    is_stale: bool
    updated_at: datetime | None
    version: int | None
    imported_at: datetime | None


class TriggerOut(Schema):
    """A trigger and what it waits for; `own_tables` are updated by its own runs.

    `came` counts events of other kinds than tables that no run has used. `waiting_since` is when
    the first came of what is there, while the rest is missing; `usual_arrivals` is by table, HH:MM
    in the time zone of whoever asks.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 3,
                "orchestration": 7,
                "name": "Sales are in",
                "is_enabled": True,
                "kind": "tables",
                "source": None,
                "outcomes": [],
                "place": "",
                "pattern": "",
                "problem": "",
                "hook": None,
                "cooldown": 20,
                "needs": "all",
                "quorum": 1,
                "fresh_for": None,
                "fallback_after": None,
                "variables": {},
                "last_run_at": "2026-11-22T09:10:02Z",
                "is_ready": False,
                "came": 0,
                "waiting_since": "2026-11-22T10:10:00Z",
                "falls_back_at": None,
                "usual_arrivals": {"in.c-sales.orders": "10:15"},
                "cools_until": None,
                "queued_run": None,
                "tables": [
                    {
                        "key": "in.c-sales.orders",
                        "is_ready": True,
                        "is_missing": False,
                        "is_stale": False,
                        "updated_at": "2026-11-22T10:10:00Z",
                        "version": 12,
                        "imported_at": "2026-11-22T10:10:00Z",
                    }
                ],
                "own_tables": [],
            }
        }
    )
    id: int
    orchestration: int
    name: str
    is_enabled: bool
    kind: TriggerKind
    source: int | None
    outcomes: list[str]
    place: str
    pattern: str
    problem: str
    hook: str | None
    cooldown: int
    needs: TriggerNeeds
    quorum: int
    fresh_for: int | None
    fallback_after: int | None
    variables: dict[str, str]
    last_run_at: datetime | None
    is_ready: bool
    came: int
    waiting_since: datetime | None
    falls_back_at: datetime | None
    usual_arrivals: dict[str, str]
    cools_until: datetime | None
    queued_run: int | None
    tables: list[WatchedTableOut]
    own_tables: list[str]


class SecretOut(Schema):
    """The secret of a webhook: callers send it as a bearer, or sign their bodies with it."""

    model_config = ConfigDict(json_schema_extra={"example": {"secret": "8sVf…"}})
    secret: str


class DeleteQuery(Schema):
    """Which trigger is to go; without it all of the orchestration's."""

    trigger: Annotated[int | None, Query(description="Id of one trigger.")] = None


@router.get(
    "/orchestrations/{int:pk}/triggers",
    response={200: list[TriggerOut], **ERRORS},
    auth=needs(VIEW),
)
def list_triggers(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    """List an orchestration's triggers, each with what it waits for."""
    lines = trigger_lines(get_object_or_404(existing(), pk=pk), timezone.now())
    return [shown(line) for line in lines]


@router.post(
    "/orchestrations/{int:pk}/triggers",
    response={201: TriggerOut, **ERRORS},
    auth=needs(EDIT),
)
def create_trigger(request: HttpRequest, pk: int, body: TriggerIn) -> Status[dict[str, Any]]:
    """Start an orchestration whenever all of some tables were updated."""
    content = body.dict()
    enabled = content.pop("is_enabled")
    content["source_id"] = content.pop("source")
    orchestration = get_object_or_404(existing(), pk=pk)
    made = service.create_trigger(orchestration, user=user_of(request), enabled=enabled, **content)
    return Status(201, _found(made.pk))


@router.delete(
    "/orchestrations/{int:pk}/triggers", response={204: None, **ERRORS}, auth=needs(EDIT)
)
def delete_triggers(request: HttpRequest, pk: int, query: Query[DeleteQuery]) -> Status[None]:
    """Remove the triggers of an orchestration, or one of them."""
    found = active_triggers().filter(orchestration=get_object_or_404(existing(), pk=pk))
    if query.trigger is not None:
        found = found.filter(pk=get_object_or_404(found, pk=query.trigger).pk)
    for trigger in found:
        service.delete_trigger(trigger, user=user_of(request))
    return Status(204, None)


@router.get("/triggers/{int:pk}", response={200: TriggerOut, **ERRORS}, auth=needs(VIEW))
def get_trigger(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Show a trigger and what it waits for."""
    return _found(pk)


@router.patch("/triggers/{int:pk}", response={200: TriggerOut, **ERRORS}, auth=needs(EDIT))
def change_trigger(request: HttpRequest, pk: int, body: TriggerPatch) -> dict[str, Any]:
    """Change a trigger, or switch it on or off; tables that stay keep the updates noted."""
    trigger = get_object_or_404(active_triggers(), pk=pk)
    given = body.dict(exclude_unset=True).items()
    content = {k: v for k, v in given if v is not None or k in NULLABLE}
    enabled = content.pop("is_enabled", None)
    if "source" in content:
        content["source_id"] = content.pop("source")
    service.update_trigger(trigger, user=user_of(request), enabled=enabled, **content)
    return _found(pk)


@router.post("/triggers/{int:pk}/secret", response={201: SecretOut, **ERRORS}, auth=needs(EDIT))
def new_secret(request: HttpRequest, pk: int) -> Status[dict[str, str]]:
    """Give a webhook another secret; it is in this answer and never again."""
    trigger = get_object_or_404(active_triggers(), pk=pk)
    return Status(201, {"secret": service.new_hook_secret(trigger)})


@router.delete("/triggers/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def delete_trigger(request: HttpRequest, pk: int) -> Status[None]:
    """Remove a trigger; the runs that it started stay."""
    service.delete_trigger(get_object_or_404(active_triggers(), pk=pk), user=user_of(request))
    return Status(204, None)


@router.post("/triggers/{int:pk}/run", response={202: RunOut, **ERRORS}, auth=needs(OPERATE))
def run_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Run now with the updates that are there, complete or not; honours Idempotency-Key."""
    trigger = get_object_or_404(active_triggers(), pk=pk)

    def work() -> Run:
        return service.run_now(trigger, user=user_of(request), started_by=StartedBy.API)

    return idempotent(request, 202, work, RunOut)


def shown(line: TriggerLine) -> dict[str, Any]:
    """Return a trigger as the API answers it."""
    trigger: Trigger = line.state.trigger
    return {
        "id": trigger.pk,
        "orchestration": trigger.orchestration_id,
        "name": trigger.name,
        "is_enabled": trigger.is_enabled,
        "kind": trigger.kind,
        "source": trigger.source_id,
        "outcomes": trigger.outcomes,
        "place": trigger.place,
        "pattern": trigger.pattern,
        "problem": line.problem,
        "hook": reverse("hook", args=[trigger.hook_key]) if trigger.hook_key else None,
        "cooldown": trigger.cooldown,
        "needs": trigger.needs,
        "quorum": trigger.quorum,
        "fresh_for": trigger.fresh_for,
        "fallback_after": trigger.fallback_after,
        "variables": trigger.variables,
        "last_run_at": trigger.last_run_at,
        "is_ready": line.state.is_ready,
        "came": line.state.came,
        "waiting_since": line.state.waiting_since,
        "falls_back_at": line.state.falls_back_at,
        "usual_arrivals": line.usual,
        "cools_until": line.cools_until,
        "queued_run": line.state.queued_run,
        "tables": line.state.tables,
        "own_tables": line.own,
    }


def _found(pk: int) -> dict[str, Any]:
    trigger = get_object_or_404(active_triggers(), pk=pk)
    lines = trigger_lines(trigger.orchestration, timezone.now())
    return next(shown(line) for line in lines if line.state.trigger.pk == pk)
