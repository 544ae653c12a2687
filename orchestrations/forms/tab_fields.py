"""The fields of the tabs of the schedule dialog, and what is said when they do not do."""

from __future__ import annotations

from typing import cast

from django import forms
from django.forms.boundfield import BoundField
from django.http import QueryDict

from orchestrations.forms import tabs
from orchestrations.forms.controls import attributes, select
from orchestrations.scheduling import picker


def _one(name: str, label: str) -> forms.TypedChoiceField:
    """One value of a list, such as the hour at which it runs."""
    return forms.TypedChoiceField(
        label=label,
        choices=picker.CHOICES[tabs.PICKED_AS[name]],
        coerce=int,
        widget=select(name),
        error_messages={
            "required": f"Choose the {label.lower()}.",
            "invalid_choice": f"Take the {label.lower()} from the list.",
        },
    )


class TabFields(forms.Form):
    """Hourly, Daily, Weekly or Custom; and the times of the first three."""

    tab = forms.ChoiceField(
        label="How often",
        choices=[(tab.key, tab.label) for tab in tabs.TABS],
        widget=forms.RadioSelect(attributes(tabs.TAB, "visually-hidden")),
        error_messages={"invalid_choice": "Take one of the four."},
    )
    left = forms.CharField(required=False, widget=forms.HiddenInput)
    at_minute = _one(tabs.MINUTE, "Minute")
    at_hour = _one(tabs.HOUR, "Hour")
    on_days = forms.TypedMultipleChoiceField(
        label="Days of the week",
        choices=picker.CHOICES["weekdays"],
        coerce=int,
        widget=forms.CheckboxSelectMultiple(attributes(tabs.DAYS, "visually-hidden")),
        error_messages={
            "required": "Choose one day or more.",
            "invalid_choice": "Take days of the list.",
        },
    )

    @property
    def simple_tab(self) -> tabs.Tab | None:
        """The tab that is chosen; None for Custom."""
        return tabs.simple_tab(self[tabs.TAB].value())

    def ready_parts(self) -> list[BoundField]:
        """Return the fields of the chosen tab."""
        return [self[name] for name in self.simple_tab.fields] if self.simple_tab else []

    def kept_parts(self) -> list[BoundField]:
        """Return the fields of the other tabs."""
        seen = {field.name for field in self.ready_parts()}
        kept = [self[name] for name in tabs.FIELDS if name not in seen]
        return [*kept, self["left"]]

    def ready_made(self) -> str:
        """Return the expression that the chosen tab says."""
        tab = self.simple_tab
        return (tabs.tab_expression(cast("QueryDict", self.data), tab) if tab else None) or ""
