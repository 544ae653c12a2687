"""Name and password, as Django asks for them, a limited number of times."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from components.services import rate_limits
from orchestrator_site.lib.addresses import client_address


class LoginForm(AuthenticationForm):
    """Counts before it looks at the password, so that nobody tries many at once."""

    def clean(self) -> dict[str, Any]:
        request, name = self.request, self.cleaned_data.get("username")
        if request is None or not name:
            return super().clean()
        address = client_address(request)
        verdict = rate_limits.attempt(address, name)
        if not verdict.is_allowed:
            request.rate_limit = verdict  # type: ignore[attr-defined]  # for the answer's headers
            raise ValidationError(
                f"Too many failed attempts. Try again in {verdict.retry_after} seconds."
            )
        cleaned = super().clean()
        rate_limits.succeeded(address, name)
        return cleaned
