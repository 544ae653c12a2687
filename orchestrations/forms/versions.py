"""The forms of versions: what to restore of one, and what to copy of one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User

from orchestrations.enums import VersionPart
from orchestrations.exceptions import InvalidOrchestration, OrchestrationsError
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.services.restoring import COPIED, copy_orchestration, restore_version

MAX_NAME = 200


class RestoreForm(forms.Form):
    """Which parts of a version become the latest again."""

    part = forms.MultipleChoiceField(
        choices=VersionPart.choices,
        error_messages={"required": "Choose at least one part to restore."},
    )
    latest = forms.IntegerField(
        widget=forms.HiddenInput,
        error_messages={"required": "Open the dialog again: it does not say what it was made for."},
    )

    def __init__(
        self, *args: Any, version: OrchestrationVersion, latest: int, **kwargs: Any
    ) -> None:
        self.version, self.present = version, latest
        super().__init__(*args, **kwargs)

    def clean_latest(self) -> int:
        latest: int = self.cleaned_data["latest"]
        if latest != self.present:
            raise forms.ValidationError(
                f"Version {self.present} was saved meanwhile. This is the difference to it."
            )
        return latest

    def save(self, orchestration: Orchestration, *, user: User) -> OrchestrationVersion | None:
        """Restore and return the version that it made; None leaves the reason in the form."""
        parts = [VersionPart(value) for value in self.cleaned_data["part"]]
        try:
            return restore_version(orchestration, self.version.number, user=user, parts=parts)
        except OrchestrationsError as error:
            _explain(self, error)
            return None


class CopyForm(forms.Form):
    """Name of a copy and what comes along with the tasks."""

    name = forms.CharField(
        max_length=MAX_NAME,
        required=False,
        error_messages={"max_length": f"Use {MAX_NAME} characters or fewer."},
    )
    part = forms.MultipleChoiceField(
        choices=[(part.value, part.label) for part in COPIED], required=False
    )

    def save(
        self, orchestration: Orchestration, *, number: int, user: User
    ) -> Orchestration | None:
        """Make the copy and return it; None leaves the reason in the form."""
        parts = [VersionPart(value) for value in self.cleaned_data["part"]]
        name = self.cleaned_data["name"]
        try:
            return copy_orchestration(
                orchestration, user=user, name=name, number=number, parts=parts
            )
        except OrchestrationsError as error:
            _explain(self, error)
            return None


def _explain(form: forms.Form, error: OrchestrationsError) -> None:
    """Show what a service found wrong: the name at its field, the rest above the form."""
    fields = dict(error.fields) if isinstance(error, InvalidOrchestration) else {}
    if "name" in fields and "name" in form.fields:
        form.add_error("name", fields.pop("name"))
    elif not fields:
        form.add_error(None, error.message)
    for text in dict.fromkeys(fields.values()):
        form.add_error(None, text)
