"""One's own API tokens: made, shown once, taken back."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from components.forms.tokens import TokenForm
from components.models import ApiToken
from components.services.tokens import revoke_token
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.htmx import invalid, redirect, render_page_or_fragment

NEW = ("components/token_new.html", "components/_token_new.html")
MADE = ("components/token_made.html", "components/_token_made.html")


@requires(VIEW)
@require_GET
def tokens(request: HttpRequest) -> HttpResponse:
    """List one's own tokens."""
    own = ApiToken.objects.filter(user=cast("User", request.user)).order_by("name", "pk")
    context = {"tokens": own, "now": timezone.now()}
    return render_page_or_fragment(
        request, "components/token_page.html", "components/_token_list.html", context
    )


@requires(VIEW)
@never_cache
@require_http_methods(["GET", "POST"])
def token_new(request: HttpRequest) -> HttpResponse:
    """Make a token; its text is in this answer and never again."""
    form = TokenForm(request.POST or None, user=cast("User", request.user))
    if request.method == "GET":
        return render_page_or_fragment(request, *NEW, {"form": form})
    if not form.is_valid():
        return invalid(request, *NEW, {"form": form})
    token, text = form.make()
    context = {"token": token, "text": text, "address": request.build_absolute_uri("/api/v1/")}
    return trigger_client_event(render_page_or_fragment(request, *MADE, context), "tokens-changed")


@requires(VIEW)
@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one of one's own tokens back."""
    found = get_object_or_404(ApiToken, pk=pk, user=cast("User", request.user))
    revoke_token(found)
    messages.success(request, f"The token “{found.name}” was revoked.")
    return redirect(request, reverse("tokens"))
