"""The door: names and passwords, a limited number of times."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from django.contrib.auth import REDIRECT_FIELD_NAME, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from components.forms.login import LoginForm


class LoginView(views.LoginView):
    """Django's page, with a limit."""

    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Answer with the form; 429 where it was too often."""
        answer = super().form_invalid(form)
        if hasattr(self.request, "rate_limit"):
            answer.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return answer


@login_not_required
def admin_login(request: HttpRequest) -> HttpResponse:
    """Lead from the admin panel's own login to the one door; who is in and may not is told."""
    if request.user.is_authenticated and not request.user.is_staff:
        raise PermissionDenied("The administration is for administrators.")
    wanted = request.GET.get(REDIRECT_FIELD_NAME, reverse("admin:index"))
    return redirect(f"{reverse('login')}?{urlencode({REDIRECT_FIELD_NAME: wanted})}")
