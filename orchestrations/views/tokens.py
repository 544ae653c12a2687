"""API tokens: one's own, those assigned to orchestrations, and for administrators everybody's."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from components.models import ApiToken
from components.services.tokens import rename_token, revoke_token
from orchestrations.forms.tokens import TokenForm, TokenNameForm
from orchestrations.queries.tokens import TokenList, list_tokens
from orchestrations.services.orchestration_tokens import own_token, refresh_token
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.htmx import invalid, redirect, render_page_or_fragment, wants_fragment

LIST = ("orchestrations/token_page.html", "orchestrations/_token_list.html")
NEW = ("orchestrations/token_new.html", "orchestrations/_token_new.html")
NAME = ("orchestrations/token_rename.html", "orchestrations/_token_rename.html")
MADE = ("orchestrations/token_made.html", "orchestrations/_token_made.html")
OWN = ("orchestrations/token_refresh.html", "orchestrations/_token_refresh.html")
SEE_ALL, REVOKE_ALL = "components.view_apitoken", "components.delete_apitoken"
CHANGED = "tokens-changed"  # event: a list of tokens on the page is to be read again
PER_PAGE = 50


@requires(VIEW)
@require_GET
def tokens(request: HttpRequest) -> HttpResponse:
    """List one's own tokens, or another list that the address names."""
    which = _which(request)
    page = Paginator(list_tokens(which, person(request)), PER_PAGE)
    context = {
        "page_obj": page.get_page(request.GET.get("page")),
        "which": which.value,
        "is_admin": person(request).has_perm(SEE_ALL),
        "may_revoke_all": person(request).has_perm(REVOKE_ALL),
        "now": timezone.now(),
    }
    return render_page_or_fragment(request, *LIST, context)


def _which(request: HttpRequest) -> TokenList:
    asked = request.GET.get("list", "")
    which = TokenList(asked) if asked in set(TokenList) else TokenList.MINE
    hidden = which == TokenList.ALL and not person(request).has_perm(SEE_ALL)
    return TokenList.MINE if hidden else which


@requires(VIEW)
@never_cache
@require_http_methods(["GET", "POST"])
def token_new(request: HttpRequest) -> HttpResponse:
    """Make a token; its text is in this answer and never again."""
    form = TokenForm(request.POST or None, user=person(request))
    if request.method == "GET":
        return render_page_or_fragment(request, *NEW, {"form": form})
    if not form.is_valid():
        return invalid(request, *NEW, {"form": form})
    token, text = form.make()
    return _shown_once(request, token, text, back=reverse("tokens"))


@requires(VIEW)
@require_http_methods(["GET", "POST"])
def token_rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Give one of one's own tokens another name."""
    found = get_object_or_404(ApiToken, pk=pk, user=person(request))
    form = TokenNameForm(request.POST or None, initial={"name": found.name})
    context = {"form": form, "token": found}
    if request.method == "GET":
        return render_page_or_fragment(request, *NAME, context)
    if not form.is_valid():
        return invalid(request, *NAME, context)
    rename_token(found, name=form.cleaned_data["name"])
    messages.success(request, f"The token is called “{found.name}” now.")
    return redirect(request, _list_of(request))


@requires(VIEW)
@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a token back: one's own, or for administrators anybody's."""
    found = get_object_or_404(_revocable(request), pk=pk)
    revoke_token(found)
    messages.success(request, f"The token “{found.name}” was revoked.")
    return redirect(request, _list_of(request))


def _revocable(request: HttpRequest) -> QuerySet[ApiToken]:
    everybodys = person(request).has_perm(REVOKE_ALL)
    return ApiToken.objects.all() if everybodys else ApiToken.objects.filter(user=person(request))


def _list_of(request: HttpRequest) -> str:
    """Return the list that a form on it was sent from."""
    which = request.POST.get("list", "")
    address = reverse("tokens")
    return f"{address}?list={which}" if which in set(TokenList) - {TokenList.MINE} else address


@requires(VIEW)
@require_GET
def assigned_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an orchestration's own token, without its text; a part of its page."""
    orchestration = find_orchestration(pk)
    if not wants_fragment(request):
        return redirect(request, orchestration.get_absolute_url())
    context = {"orchestration": orchestration, "token": own_token(orchestration)}
    fragment = "orchestrations/_orchestration_token.html"
    return render_page_or_fragment(request, fragment, fragment, context)


@requires(EDIT)
@never_cache
@require_http_methods(["GET", "POST"])
def token_refresh(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether an orchestration's own token is to be replaced, and replace it."""
    orchestration = find_orchestration(pk)
    if request.method == "GET":
        context = {"orchestration": orchestration, "token": own_token(orchestration)}
        return render_page_or_fragment(request, *OWN, context)
    token, text = refresh_token(orchestration, user=person(request))
    back = orchestration.get_absolute_url()
    return _shown_once(request, token, text, back=back, starts=orchestration.pk)


def _shown_once(
    request: HttpRequest, token: ApiToken, text: str, *, back: str, starts: int | None = None
) -> HttpResponse:
    first = token.grants.first() if starts is None else None
    context: dict[str, Any] = {
        "token": token,
        "text": text,
        "address": request.build_absolute_uri("/api/v1/"),
        "starts": starts or (first and first.orchestration_id),
        "back": back,
        "is_refreshed": starts is not None,
    }
    return trigger_client_event(render_page_or_fragment(request, *MADE, context), CHANGED)
