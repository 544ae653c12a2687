"""The fields that the dialogs of all kinds of triggers have."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms
from django.core.validators import MaxLengthValidator

from orchestrations.exceptions import InvalidOrchestration, OrchestrationsError
from orchestrations.forms.controls import number_input, text_input
from orchestrations.services.triggers import LONGEST_COOLDOWN, LONGEST_NAME


class TriggerFields(forms.Form):
    """A name, a cool-down and a switch."""

    name = forms.CharField(
        required=False,
        label="Name",
        help_text="Leave blank to call it by what it waits for",
        validators=[MaxLengthValidator(LONGEST_NAME, f"Use {LONGEST_NAME} characters or fewer.")],
        widget=text_input(
            "name",
            note="id_name_helptext",
            maxlength=LONGEST_NAME,
            placeholder="Such as Sales are in",
        ),
    )
    cooldown = forms.IntegerField(
        label="Run max once per",
        min_value=1,
        max_value=LONGEST_COOLDOWN,
        widget=number_input("cooldown", note="cooldown-help"),
        error_messages={
            "required": "Say how many minutes.",
            "invalid": "This takes a whole number of minutes.",
            "min_value": "Use 1 minute or more.",
            "max_value": "Use %(limit_value)s minutes or fewer.",
        },
    )
    enabled = forms.BooleanField(
        required=False, label="Enabled", widget=forms.CheckboxInput(attrs={"role": "switch"})
    )

    def refuse(self, error: OrchestrationsError, renamed: Mapping[str, str] | None = None) -> None:
        """Show a service's refusal at the fields that it names, or else above the form.

        `renamed` says which field stands for one of the service's that the form has not.
        """
        fields = error.fields if isinstance(error, InvalidOrchestration) else {}
        for name, text in fields.items():
            at = (renamed or {}).get(name, name)
            self.add_error(at if at in self.fields else None, text)
        if not fields:
            self.add_error(None, str(error))
