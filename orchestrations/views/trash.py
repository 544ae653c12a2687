"""The trash: configurations and orchestrations, to be restored or deleted for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from components.exceptions import ComponentsError
from components.models import Configuration
from components.services import configurations as configuration_services
from orchestrations.exceptions import OrchestrationsError
from orchestrations.models import Orchestration
from orchestrations.queries.orchestrations import list_orchestrations
from orchestrations.queries.trash import trashed_configurations
from orchestrations.services import orchestrations as orchestration_services
from orchestrator_site.lib.access import EDIT, VIEW, requires


@dataclass(frozen=True)
class Kind:
    """What can lie in the trash, and its two ways out."""

    model: type[Model]
    restore: Callable[[Any], Any]
    purge: Callable[[Any], Any]


KINDS = {
    "configuration": Kind(
        Configuration,
        configuration_services.restore_from_trash,
        configuration_services.purge,
    ),
    "orchestration": Kind(
        Orchestration,
        orchestration_services.restore_from_trash,
        orchestration_services.purge,
    ),
}


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "orchestrations/trash.html", _contents())


@require_POST
@requires(EDIT)
def restore(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    item = _find(kind, pk)
    KINDS[kind].restore(item)
    messages.success(request, f"{item} is back where it was.")
    return redirect("trash")


@require_POST
@requires(EDIT)
def purge(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    if error := _purge(kind, _find(kind, pk)):
        messages.error(request, error)
    else:
        messages.success(request, "Deleted for good.")
    return redirect("trash")


@requires(EDIT)
def empty(request: HttpRequest) -> HttpResponse:
    """Ask whether everything is to be deleted, and delete it; what is still used stays."""
    found = _contents()
    if request.method != "POST":
        return render(request, "orchestrations/trash_empty.html", found)
    # Orchestrations first: their tasks hold configurations.
    kept = [_purge("orchestration", item) for item in found["orchestrations"]]
    kept += [_purge("configuration", item) for item in found["configurations"]]
    sentences = [sentence for sentence in kept if sentence]
    for sentence in sentences[:5]:
        messages.error(request, sentence)
    if len(sentences) < len(kept):
        messages.success(request, f"Deleted for good: {len(kept) - len(sentences)}.")
    return redirect("trash")


def _contents() -> dict[str, Any]:
    return {
        "configurations": trashed_configurations(),
        "orchestrations": list_orchestrations(trash=True),
    }


def _find(kind: str, pk: int) -> Model:
    if kind not in KINDS:
        raise Http404
    return get_object_or_404(KINDS[kind].model, pk=pk, deleted_at__isnull=False)


def _purge(kind: str, item: Model) -> str:
    """Delete one for good; return why it stays, or nothing."""
    try:
        KINDS[kind].purge(item)
    except (ComponentsError, OrchestrationsError) as error:
        return f"{item}: {error.message}"
    return ""
