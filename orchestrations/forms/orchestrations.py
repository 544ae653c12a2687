"""The forms of an orchestration: its name and description."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User

from orchestrations.exceptions import EditConflict, InvalidOrchestration, NotAllowed
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import save_orchestration

MAX_NAME = 200
MAX_DESCRIPTION = 20_000


class NameForm(forms.Form):
    """Name and description."""

    name = forms.CharField(
        max_length=MAX_NAME, error_messages={"required": "Give the orchestration a name."}
    )
    description = forms.CharField(
        required=False, max_length=MAX_DESCRIPTION, widget=forms.Textarea(attrs={"rows": 3})
    )

    def show(self, error: InvalidOrchestration) -> None:
        """Show what a service found wrong, at its field where the form has it."""
        for field, text in error.fields.items():
            self.add_error(field if field in self.fields else None, text)
        if not error.fields:
            self.add_error(None, error.message)


class DetailsForm(NameForm):
    """Name and description of an orchestration that exists; a save makes a version."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, orchestration: Orchestration, **kwargs: Any) -> None:
        self.orchestration = orchestration
        kwargs["initial"] = {
            "name": orchestration.name,
            "description": orchestration.description,
            "version": orchestration.version,
        }
        super().__init__(*args, **kwargs)

    def save(self, *, user: User) -> bool:
        """Save and return True; False leaves the reason in the form."""
        data = self.cleaned_data
        try:
            save_orchestration(
                self.orchestration,
                user=user,
                expected_version=data["version"],
                name=data["name"],
                description=data["description"],
            )
        except InvalidOrchestration as error:
            self.show(error)
        except (EditConflict, NotAllowed) as error:
            self.add_error(None, error.message)
        return not self.errors
