"""The form of the retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crispy_forms.helper import FormHelper
from django import forms

from orchestrations.models import Retention

if TYPE_CHECKING:  # generic for the type checker, a plain class for Python
    Base = forms.ModelForm[Retention]
else:
    Base = forms.ModelForm


class RetentionForm(Base):
    """How long history is kept."""

    class Meta:
        model = Retention
        fields = (
            *("is_enabled", "runs", "days", "failed_days"),
            *("delivery_days", "audit_days", "slot_days"),
        )
        help_texts = {
            "runs": "Whatever their age. The same holds for the jobs of each configuration that "
            "belong to no run.",
            "days": "Runs that ended as Success or Warning, and such jobs.",
            "failed_days": "Runs and jobs that ended in another way.",
            "delivery_days": "What notifications sent. Empty keeps them for ever.",
            "slot_days": "What became of due moments, and what triggers used. A slot stays as long "
            "as its run. Empty keeps them for ever.",
            "audit_days": "Who changed what. Empty keeps it for ever.",
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as Django calls it
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True
