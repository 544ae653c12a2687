"""The catalogue: components by type, and one component with its configurations."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_http_methods

from components.enums import ComponentType
from components.exceptions import InvalidConfiguration
from components.forms.configurations import NewConfigurationForm
from components.models import Component
from components.queries.configurations import PLURALS, catalogue, configurations_of
from components.queries.table_choices import tables_like
from components.services.configurations import create_configuration
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.htmx import invalid, redirect, render_page_or_fragment

PAGE = 50


@requires(VIEW)
@require_GET
def components(request: HttpRequest) -> HttpResponse:
    words, type_ = request.GET.get("q", "").strip(), request.GET.get("type", "")
    context = {
        "shelves": catalogue(words, type_),
        "types": [(kind.value, PLURALS[kind]) for kind in ComponentType],
        "words": words,
        "type": type_,
    }
    return render_page_or_fragment(
        request, "components/component_list.html", "components/_component_shelves.html", context
    )


@requires(VIEW)
@require_GET
def component(request: HttpRequest, key: str) -> HttpResponse:
    found = get_object_or_404(Component, key=key)
    words = request.GET.get("q", "").strip()
    pages = Paginator(configurations_of(found, words), PAGE)
    context = {
        "component": found,
        "page_obj": pages.get_page(request.GET.get("page")),
        "words": words,
    }
    return render_page_or_fragment(
        request,
        "components/component_detail.html",
        "components/_component_configurations.html",
        context,
    )


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def configuration_new(request: HttpRequest, key: str) -> HttpResponse:
    found = get_object_or_404(Component, key=key, is_active=True)
    form = NewConfigurationForm(request.POST or None)
    page, fragment = "components/configuration_new.html", "components/_configuration_new.html"
    context = {"component": found, "form": form}
    if request.method == "GET":
        return render_page_or_fragment(request, page, fragment, context)
    if form.is_valid():
        try:
            made = create_configuration(found, user=person(request), **form.cleaned_data)
        except InvalidConfiguration as error:
            for name, sentence in error.fields.items():
                form.add_error(name if name in form.fields else None, sentence)
        else:
            return redirect(request, made.get_absolute_url())
    return invalid(request, page, fragment, context)


@requires(VIEW)
@require_GET
def table_options(request: HttpRequest) -> HttpResponse:
    """Answer the tables that contain the words, for selects that search."""
    found = tables_like(request.GET.get("q", ""), limit=50)
    return JsonResponse({"options": [{"value": key, "text": key} for key in found]})
