"""Which address leads where."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from components.views import login
from orchestrator_site.api import api

# The new password and what is recorded of it belong together.
password_change = transaction.atomic(auth.PasswordChangeView.as_view())


@login_not_required
def favicon(_request: HttpRequest) -> HttpResponse:
    """Send pages that name no icon of their own, such as the admin's, to the logo."""
    return redirect(staticfiles_storage.url("img/logo.svg"))


admin.site.site_header = admin.site.site_title = "Orchestrator administration"
admin.site.index_title = "Everything that is stored"

urlpatterns = [
    path("api/v1/", api.urls),
    path("favicon.ico", favicon),
    path("admin/login/", login.admin_login),
    path("admin/", admin.site.urls),
    path("accounts/login/", login.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password/", password_change, name="password_change"),
    path(
        "accounts/password/done/",
        auth.PasswordChangeDoneView.as_view(),
        name="password_change_done",
    ),
    path("", include("components.urls")),
    path("", include("orchestrations.urls")),
]
