"""A configuration: its page and its form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from components.exceptions import EditConflict, InvalidConfiguration, NotAllowed, RunnerError
from components.forms.configurations import ConfigurationForm, DescriptionForm, NameForm
from components.models import Configuration, ConfigurationVersion
from components.queries.configurations import last_jobs, versions_of
from components.services.catalogue import test_connection
from components.services.configurations import update_configuration
from components.services.differences import conflicts
from components.views.finding import find
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.htmx import (
    invalid,
    redirect,
    render_page_or_fragment,
    toast,
    wants_fragment,
)
from orchestrator_site.lib.live import number as number_in

PAGE = "components/configuration_detail.html"
FORM = "components/_configuration_form.html"
RECENT = 5
CHANGED = "configuration-changed"  # event: the history in the sidebar is to be read again


@dataclass
class Editing:
    """A form as it came in: what it was made from, and what it is to say."""

    configuration: Configuration
    base: Configuration | ConfigurationVersion
    form: ConfigurationForm
    is_raw: bool
    version: int  # that the person knows of

    @classmethod
    def begin(cls, request: HttpRequest, configuration: Configuration) -> Editing:
        """Show what is saved."""
        raw = request.GET.get("mode") == "raw"
        form = ConfigurationForm(configuration, configuration, raw=raw)
        return cls(configuration, configuration, form, raw, configuration.version)

    @classmethod
    def receive(cls, request: HttpRequest, configuration: Configuration) -> Editing:
        """Take what was typed."""
        raw = request.POST.get("mode") == "raw"
        base: Configuration | ConfigurationVersion = (
            configuration.versions.filter(number=number_in(request.POST.get("base")) or 0).first()
            or configuration
        )
        form = ConfigurationForm(
            configuration,
            base,
            raw=raw,
            data=request.POST,
            files=request.FILES,
            limit_mb=settings.UPLOAD_LIMIT_MB,
        )
        known = number_in(request.POST.get("version")) or configuration.version
        return cls(configuration, base, form, raw, known)

    def context(self, **more: Any) -> dict[str, Any]:
        """Return what the form's templates need."""
        base = self.base
        number = base.version if isinstance(base, Configuration) else base.number
        return {
            "configuration": self.configuration,
            "component": self.configuration.component,
            "form": self.form,
            "is_raw": self.is_raw,
            "version": self.version,
            "base": number,
            **more,
        }


def page_context(configuration: Configuration) -> dict[str, Any]:
    """Return what the page around the form shows."""
    return {
        "jobs": last_jobs(configuration),
        "versions": versions_of(configuration)[:RECENT],
        "nav": "components",
    }


def _answer(
    request: HttpRequest, editing: Editing, *, status: int = 200, **more: Any
) -> HttpResponse:
    """Answer with the form: alone for htmx, else in its page."""
    context = editing.context(**more)
    if not wants_fragment(request):
        context |= page_context(editing.configuration)
    return render_page_or_fragment(request, PAGE, FORM, context, status=status)


@requires(VIEW)
@require_GET
def configuration(request: HttpRequest, pk: int) -> HttpResponse:
    return _answer(request, Editing.begin(request, find(pk)))


@requires(EDIT)
@require_POST
def configuration_save(request: HttpRequest, pk: int) -> HttpResponse:
    editing = Editing.receive(request, find(pk))
    form = editing.form
    if form.is_draft:
        return _answer(request, editing, unsaved=True)
    problem = ""
    if form.is_valid():
        try:
            return _saved(request, editing, _store(request, editing))
        except InvalidConfiguration as error:
            form.show(error.fields)
        except EditConflict as error:
            return _conflict(request, editing, error)
        except NotAllowed as error:
            problem = error.message
    return _answer(request, editing, status=422, problem=problem)


def _store(request: HttpRequest, editing: Editing) -> Configuration:
    content = editing.form.content()
    return update_configuration(
        editing.configuration, user=person(request), expected_version=editing.version, **content
    )


def _conflict(request: HttpRequest, editing: Editing, error: EditConflict) -> HttpResponse:
    """Show what the other person saved beside what was typed; the next save is a decision."""
    editing.configuration = find(editing.configuration.pk)
    changes = conflicts(editing.base, editing.configuration, dict(editing.form.content()))
    editing.version = editing.configuration.version
    return _answer(request, editing, status=422, problem=error.message, conflicts=changes)


def _saved(request: HttpRequest, editing: Editing, saved: Configuration) -> HttpResponse:
    mode = "?mode=raw" if editing.is_raw else ""
    nothing_new = saved.version == editing.version
    message = "Nothing had changed." if nothing_new else f"Saved as version {saved.version}."
    if not wants_fragment(request):
        return redirect(request, reverse("configuration", args=[saved.pk]) + mode)
    fresh = find(saved.pk)
    form = ConfigurationForm(fresh, fresh, raw=editing.is_raw)
    context = Editing(fresh, fresh, form, editing.is_raw, fresh.version).context()
    response = toast(render(request, FORM, context), message)
    return trigger_client_event(response, CHANGED)


@requires(EDIT)
@require_POST
def configuration_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Try the connection with what is in the form, saved or not."""
    editing = Editing.receive(request, find(pk))
    result = {"is_good": False, "sentence": "Mend the marked fields first."}
    if editing.form.is_valid():
        try:
            sentence = test_connection(
                editing.configuration.component,
                editing.form.content()["parameters"],
                editing.configuration,
            )
            result = {"is_good": True, "sentence": sentence}
        except RunnerError as error:
            result["sentence"] = error.message
    context = editing.context(test=result, **page_context(editing.configuration))
    return render_page_or_fragment(request, PAGE, "components/_configuration_test.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def configuration_text(request: HttpRequest, pk: int, field: str) -> HttpResponse:
    """Edit the name or the description in place."""
    found = find(pk)
    kind = NameForm if field == "name" else DescriptionForm
    form = kind(request.POST or None, initial={"text": getattr(found, field)})
    if request.method == "POST" and kind is DescriptionForm:
        form = DescriptionForm(request.POST)
    context = {"configuration": found, "component": found.component, "form": form, "field": field}
    page, fragment = "components/configuration_text.html", "components/_configuration_text.html"
    if request.method == "GET":
        return render_page_or_fragment(request, page, fragment, context)
    if form.is_valid():
        try:
            saved = _update_text(found, request, field, form.cleaned_data["text"])
        except (InvalidConfiguration, NotAllowed) as error:
            fields = getattr(error, "fields", {})
            form.add_error("text", fields.get(field, error.message))
        else:
            return _text_saved(request, found, saved, field)
    return invalid(request, page, fragment, context)


def _update_text(
    found: Configuration, request: HttpRequest, field: str, text: str
) -> Configuration:
    if field == "name":
        return update_configuration(found, user=person(request), name=text)
    return update_configuration(found, user=person(request), description=text)


def _text_saved(
    request: HttpRequest, before: Configuration, saved: Configuration, field: str
) -> HttpResponse:
    """Show the new text; a form on the page that was up to date stays so."""
    if not wants_fragment(request):
        return redirect(request, saved.get_absolute_url())
    known = number_in(request.POST.get("version"))
    context = {
        "configuration": saved,
        "component": before.component,
        "field": field,
        "version": saved.version if known == before.version else None,
    }
    response = render(request, "components/_configuration_text_saved.html", context)
    return trigger_client_event(response, CHANGED)


@requires(VIEW)
@require_GET
def configuration_text_shown(request: HttpRequest, pk: int, field: str) -> HttpResponse:
    """Show the name or description again, after Cancel."""
    found = find(pk)
    if not wants_fragment(request):
        return redirect(request, found.get_absolute_url())
    context = {"configuration": found, "component": found.component, "field": field}
    return render(request, "components/_configuration_text_shown.html", context)
