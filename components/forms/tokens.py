"""What people say about a token that they want."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone

from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import create_token
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW

# What each scope needs of its owner's role: a token never may more than its owner.
NEEDS = {TokenScope.READ: VIEW, TokenScope.RUN: OPERATE, TokenScope.WRITE: EDIT}
SAYS = {
    TokenScope.READ: "Read: see everything",
    TokenScope.RUN: "Run: also run, terminate, switch on and off",
    TokenScope.WRITE: "Write: also create, change and delete",
}
DAYS = ((30, "30 days"), (90, "90 days"), (365, "a year"), (0, "never"))


class TokenForm(forms.Form):
    """Name, scope and expiry; only scopes that the person's role allows are offered."""

    name = forms.CharField(
        max_length=100,
        help_text="What it is for, such as “nightly import script”.",
        error_messages={"required": "Give the token a name."},
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(widget=forms.RadioSelect)
    days = forms.TypedChoiceField(label="Expires after", choices=DAYS, coerce=int, initial=90)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        scope = self.fields["scope"]
        assert isinstance(scope, forms.ChoiceField)  # noqa: S101  # for the type checker
        scope.choices = [(s.value, SAYS[s]) for s in SAYS if user.has_perm(NEEDS[s])]
        scope.initial = TokenScope.READ.value

    def make(self) -> tuple[ApiToken, str]:
        """Make the token; return it with its text."""
        data = self.cleaned_data
        return create_token(
            self.user,
            name=data["name"],
            scope=TokenScope(data["scope"]),
            expires_at=self._expiry(data["days"]),
        )

    @staticmethod
    def _expiry(days: int) -> datetime | None:
        return timezone.now() + timedelta(days=days) if days else None
