"""Which address leads where."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from orchestrator_site.api import api


@login_not_required
def favicon(_request: HttpRequest) -> HttpResponse:
    """Send pages that name no icon of their own, such as the admin's, to the logo."""
    return redirect(staticfiles_storage.url("img/logo.svg"))


urlpatterns = [
    path("api/v1/", api.urls),
    path("favicon.ico", favicon),
    path("admin/", admin.site.urls),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path(
        "accounts/password/done/",
        auth.PasswordChangeDoneView.as_view(),
        name="password_change_done",
    ),
    path("", include("components.urls")),
    path("", include("orchestrations.urls")),
]
