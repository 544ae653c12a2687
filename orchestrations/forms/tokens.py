"""What people say about a token that they want."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone

from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import create_token
from orchestrations.models import Orchestration
from orchestrations.services.orchestration_tokens import create_trigger_token
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW

# What each scope needs of its owner's role: a token never may more than its owner.
NEEDS = {
    TokenScope.READ: VIEW,
    TokenScope.RUN: OPERATE,
    TokenScope.WRITE: EDIT,
    TokenScope.TRIGGER: OPERATE,
}
SAYS = {
    TokenScope.READ: "Read: see everything",
    TokenScope.RUN: "Run: also run, terminate, switch on and off",
    TokenScope.WRITE: "Write: also create, change and delete",
    TokenScope.TRIGGER: "Start: only run, follow and terminate the orchestrations chosen below",
}
ON_DATE, NEVER = "date", "never"
EXPIRY = (
    ("30", "in 30 days"),
    ("90", "in 90 days"),
    ("365", "in 365 days"),
    (ON_DATE, "at the end of a day"),
    (NEVER, "never"),
)
NAME = {"required": "Give the token a name."}


class TokenForm(forms.Form):
    """Name, scope and expiry; only scopes that the person's role allows are offered."""

    name = forms.CharField(
        max_length=100,
        help_text="What it is for, such as “nightly import script”.",
        error_messages=NAME,
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(widget=forms.RadioSelect)
    orchestrations = forms.ModelMultipleChoiceField(
        Orchestration.objects.none(),
        required=False,
        widget=forms.SelectMultiple(
            {"data-enhance": "", "data-placeholder": "Choose orchestrations"}
        ),
    )
    expires = forms.ChoiceField(choices=EXPIRY, initial="90")
    day = forms.DateField(
        label="Last day",
        required=False,
        help_text="It works until the end of this day, UTC.",
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        scope, chosen = self.fields["scope"], self.fields["orchestrations"]
        assert isinstance(scope, forms.ChoiceField)  # noqa: S101  # for the type checker
        assert isinstance(chosen, forms.ModelMultipleChoiceField)  # noqa: S101
        scope.choices = [(s.value, SAYS[s]) for s in SAYS if user.has_perm(NEEDS[s])]
        scope.initial = TokenScope.READ.value
        chosen.queryset = Orchestration.objects.filter(deleted_at=None).order_by("name", "pk")

    def clean(self) -> None:
        """Ask for what the chosen scope and expiry need besides."""
        data = self.cleaned_data
        is_trigger = data.get("scope") == TokenScope.TRIGGER
        if is_trigger and "orchestrations" in data and not data["orchestrations"]:
            self.add_error("orchestrations", "Choose the orchestrations that it starts.")
        if data.get("expires") == ON_DATE and "day" in data:
            self._check_day(data["day"])

    def _check_day(self, day: date | None) -> None:
        if day is None:
            self.add_error("day", "Say which day is the last one.")
        elif day < timezone.now().astimezone(UTC).date():
            self.add_error("day", "This day has passed.")

    def make(self) -> tuple[ApiToken, str]:
        """Make the token; return it with its text."""
        data = self.cleaned_data
        scope, expires_at = TokenScope(data["scope"]), _expiry(data["expires"], data["day"])
        if scope == TokenScope.TRIGGER:
            return create_trigger_token(
                self.user,
                name=data["name"],
                orchestrations=list(data["orchestrations"]),
                expires_at=expires_at,
            )
        return create_token(self.user, name=data["name"], scope=scope, expires_at=expires_at)


class TokenNameForm(forms.Form):
    """Another name for a token."""

    name = forms.CharField(
        max_length=100,
        error_messages=NAME,
        widget=forms.TextInput({"autocomplete": "off"}),
    )


def _expiry(choice: str, day: date | None) -> datetime | None:
    if choice == NEVER:
        return None
    if choice == ON_DATE and day:
        return datetime.combine(day, time.max, UTC)
    return timezone.now() + timedelta(days=int(choice))
