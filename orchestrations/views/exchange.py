"""Download the project, or one orchestration with what it runs, as YAML."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from orchestrations.services.exchange.documents import ALL, project_document, selection_of
from orchestrations.services.exchange.writing import to_yaml
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib.access import VIEW, requires

YAML = "application/yaml; charset=utf-8"


@requires(VIEW)
@require_safe
def project(request: HttpRequest) -> HttpResponse:
    return _download(to_yaml(project_document(ALL)), "project")


@requires(VIEW)
@require_safe
def orchestration(request: HttpRequest, pk: int) -> HttpResponse:
    found = find_orchestration(pk)
    selection, name = selection_of(found)
    return _download(to_yaml(project_document(selection)), name)


def _download(text: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.yaml"'}
    return HttpResponse(text, content_type=YAML, headers=headers)
