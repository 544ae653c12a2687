"""The form of the trigger dialog: which tables, and at most how often.

It is bound from the first. Adding and taking away a table only shows the form again, so that the
dialog works alike with and without JavaScript; what was typed stays.
"""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict
from django.urls import reverse_lazy

from components.queries.table_choices import tables_like
from components.validators import TABLE_KEY, TABLE_KEY_HELP
from orchestrations.enums import TriggerNeeds
from orchestrations.exceptions import InvalidOrchestration, NotAllowed
from orchestrations.forms.controls import number_input, select
from orchestrations.forms.trigger_fields import TriggerFields
from orchestrations.models import Orchestration, Trigger
from orchestrations.queries.triggers import WatchedTable, chosen_tables, own_tables
from orchestrations.services import triggers

LONGEST_NAME = triggers.LONGEST_NAME
ADD, REMOVE = "add", "remove:"
SEARCH: dict[str, Any] = {
    "data-enhance": "search",
    "data-create": "true",
    "data-search-url": reverse_lazy("table-options"),
}


def _minutes(name: str, label: str, most: int = triggers.LONGEST_COOLDOWN) -> forms.IntegerField:
    wrong = f"This takes a whole number from 1 to {most}."
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        max_value=most,
        widget=number_input(name, note=f"{name}-help"),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), wrong),
    )


class TriggerForm(TriggerFields):
    """The dialog that adds a trigger to an orchestration, or changes one."""

    add = forms.CharField(
        required=False,
        label="Add a table",
        widget=select("add", **SEARCH),
    )
    needs = forms.ChoiceField(
        label="Needs",
        choices=TriggerNeeds.choices,
        required=False,
        widget=select("needs", note="needs-help"),
        error_messages={"invalid_choice": "Take one of the list."},
    )
    quorum = _minutes("quorum", "How many", triggers.MOST_TABLES)
    fresh_for = _minutes("fresh_for", "Updates count for")
    fallback_after = _minutes("fallback_after", "Run with what is there after")

    def __init__(
        self,
        posted: QueryDict | None,
        *,
        orchestration: Orchestration,
        trigger: Trigger | None = None,
    ) -> None:
        """Bind what was posted; None shows the trigger as it is, or a new one."""
        self.orchestration, self.trigger = orchestration, trigger
        self.action = posted.get("action", "") if posted is not None else "show"
        data = _stored(trigger) if posted is None else posted
        super().__init__(data.copy())
        self.tables = _taken(data, self.action)
        self.typed = data.get("add", "").strip()
        control = self.fields["add"].widget
        if isinstance(control, forms.Select):  # which it is; the type checker cannot know
            control.choices = [("", "Add a table"), *((key, key) for key in self._offered())]

    @property
    def only_shows(self) -> bool:
        """The form is asked for again, not to be saved."""
        return bool(self.action)

    @property
    def is_opened(self) -> bool:
        """What it needs is not as usual, or wrong."""
        usual = {"needs": ("", TriggerNeeds.ALL), "quorum": ("", "1")}
        return any(
            self.data.get(name, "") not in usual.get(name, ("",)) or name in self.errors
            for name in triggers.NEEDS
        )

    def rows(self) -> list[WatchedTable]:
        """Return the chosen tables with their last imports."""
        return chosen_tables(self.tables)

    def own(self) -> list[str]:
        """Return the chosen tables that the orchestration updates itself."""
        return own_tables(self.orchestration, self.tables)

    def clean_add(self) -> str:
        """Take a table that was chosen and not added yet as added."""
        key: str = self.cleaned_data["add"].strip()
        if key and not TABLE_KEY.match(key):
            raise forms.ValidationError(f"“{key}” is no table id; {TABLE_KEY_HELP}.")
        if key and key not in self.tables:
            self.tables.append(key)
        return key

    def show(self) -> None:
        """Add the table that was chosen; other fields are not judged before they are saved."""
        self.full_clean()
        for name in [name for name in self.errors if name != "add" or self.action != ADD]:
            del self.errors[name]
        if "add" not in self.errors:
            cast("QueryDict", self.data)["add"] = ""

    def save(self, user: User) -> Trigger | None:
        """Add or change the trigger; None where that is refused, with errors at the fields."""
        if not self.is_valid():
            return None
        said: Any = {
            "name": self.cleaned_data["name"],
            "tables": self.tables,
            "cooldown": self.cleaned_data["cooldown"],
            "enabled": self.cleaned_data["enabled"],
            "needs": self.cleaned_data["needs"] or TriggerNeeds.ALL,
            "quorum": self.cleaned_data["quorum"] or 1,
            "fresh_for": self.cleaned_data["fresh_for"],
            "fallback_after": self.cleaned_data["fallback_after"],
        }
        try:
            if self.trigger is not None:
                return triggers.update_trigger(self.trigger, user=user, **said)
            return triggers.create_trigger(self.orchestration, user=user, **said)
        except (InvalidOrchestration, NotAllowed) as error:
            self.refuse(error, {"tables": "add"})
            return None

    def _offered(self) -> list[str]:
        """Return the tables to choose from, with what was typed though it is none of them."""
        offered = [key for key in tables_like() if key not in self.tables]
        return offered if not self.typed or self.typed in offered else [*offered, self.typed]


def _stored(trigger: Trigger | None) -> QueryDict:
    """Return a trigger, or a new one, as its form would post it."""
    data = QueryDict(mutable=True)
    data["cooldown"] = str(trigger.cooldown if trigger else 5)
    data["name"] = trigger.name if trigger else ""
    for name in triggers.NEEDS:
        value = getattr(trigger, name) if trigger else None
        data[name] = "" if value is None else str(value)
    if trigger is None or trigger.is_enabled:
        data["enabled"] = "on"
    keys = trigger.tables.values_list("table_key", flat=True) if trigger else ()
    data.setlist("tables", list(keys))
    return data


def _taken(data: QueryDict, action: str) -> list[str]:
    """Return the tables that are chosen, without the one that is taken away now."""
    gone = action.removeprefix(REMOVE) if action.startswith(REMOVE) else None
    return [key for key in dict.fromkeys(data.getlist("tables")) if key and key != gone]
