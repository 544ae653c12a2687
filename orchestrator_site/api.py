"""The REST API under /api/v1/: the routers of both apps, one form of errors, OpenAPI."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from ninja import NinjaAPI, Swagger

from components.api import audit, components, configurations, jobs, storage
from components.api.base import install
from orchestrations.api import (
    calendars,
    exchange,
    notifications,
    orchestrations,
    retention,
    run_logs,
    runs,
    schedules,
    status,
    timeline,
    tokens,
    trash,
    triggers,
    versions,
)
from orchestrations.exceptions import (
    EditConflict,
    InvalidOrchestration,
    NotAllowed,
    OrchestrationsError,
)

api = NinjaAPI(
    title="Orchestrator",
    version="1",
    description="Times are UTC in ISO 8601. Lists answer `items` and `next`; send `next` as "
    "`after` for the page that follows. Errors answer `{error: {code, message, fields}}`. POSTs "
    "that start work honour the header `Idempotency-Key`.",
    docs_decorator=login_required,
    docs=Swagger(settings={"persistAuthorization": False}),
    urls_namespace="api",
)
install(
    api,
    [
        (InvalidOrchestration, 422),
        (EditConflict, 409),
        (NotAllowed, 409),
        (OrchestrationsError, 422),
    ],
)
PARTS = (
    audit,
    components,
    configurations,
    jobs,
    storage,
    orchestrations,
    run_logs,
    runs,
    schedules,
    calendars,
    triggers,
    notifications,
    tokens,
    versions,
    trash,
    retention,
    status,
    timeline,
    exchange,
)
for part in PARTS:
    api.add_router("", part.router)
