"""The forms of triggers that wait for other things than tables."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict

from orchestrations.enums import RunStatus, TriggerKind
from orchestrations.exceptions import InvalidOrchestration, NotAllowed
from orchestrations.forms.controls import select, text_input
from orchestrations.forms.trigger_fields import TriggerFields
from orchestrations.models import Orchestration, Trigger
from orchestrations.services import triggers
from orchestrations.services.followers import circle_of
from orchestrations.services.places import watched_roots

OUTCOMES = tuple((str(status), status.label) for status in triggers.OUTCOMES)


class SourceForm(TriggerFields):
    """What these triggers have in common."""

    kind: TriggerKind

    def __init__(
        self,
        posted: QueryDict | None,
        *,
        orchestration: Orchestration,
        trigger: Trigger | None = None,
    ) -> None:
        """Bind what was posted; None shows the trigger as it is, or a new one."""
        self.orchestration, self.trigger = orchestration, trigger
        super().__init__(posted, initial=_stored(trigger))

    def save(self, user: User) -> Trigger | None:
        """Add or change the trigger; None where that is refused, with errors at the fields."""
        if not self.is_valid():
            return None
        said: Any = {name: self.cleaned_data[name] for name in ("name", "cooldown", "enabled")}
        said |= self.content()
        try:
            if self.trigger is not None:
                return triggers.update_trigger(self.trigger, user=user, **said)
            return triggers.create_trigger(self.orchestration, user=user, kind=self.kind, **said)
        except (InvalidOrchestration, NotAllowed) as error:
            self.refuse(error)
            return None

    def content(self) -> dict[str, Any]:
        """Return what is said of this kind alone."""
        return {}


class EndForm(SourceForm):
    """A trigger that starts a run when an orchestration ends."""

    kind = TriggerKind.ORCHESTRATION
    source = forms.ModelChoiceField(
        Orchestration.objects.filter(deleted_at=None).order_by("name"),
        label="When this orchestration ends",
        empty_label="Choose an orchestration",
        widget=select("source", **{"data-enhance": "search"}),
        error_messages={
            "required": "Choose the orchestration whose end starts a run.",
            "invalid_choice": "This orchestration is gone; choose another one.",
        },
    )
    outcomes = forms.MultipleChoiceField(
        label="With",
        choices=OUTCOMES,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        error_messages={"invalid_choice": "Take some of the list."},
    )

    def content(self) -> dict[str, Any]:
        """Return what it follows, and which ends count."""
        chosen = [str(each) for each in RunStatus if each in self.cleaned_data["outcomes"]]
        return {"source_id": self.cleaned_data["source"].pk, "outcomes": chosen}

    def circle(self) -> list[str]:
        """Return the names along which its runs start themselves again; empty where they do not."""
        return circle_of(self.orchestration, self.cleaned_data["source"].pk)


class HookForm(SourceForm):
    """A trigger that starts a run when its address is called."""

    kind = TriggerKind.WEBHOOK


class FilesForm(SourceForm):
    """A trigger that starts a run when a file arrives."""

    kind = TriggerKind.FILES
    place = forms.CharField(
        label="In this place",
        max_length=1000,
        widget=text_input("place", note="place-help", is_code=True, list="watched-places"),
        error_messages={"required": "Say where the files arrive."},
    )
    pattern = forms.CharField(
        label="Names",
        required=False,
        max_length=200,
        widget=text_input("pattern", note="pattern-help", is_code=True, placeholder="*.csv"),
    )

    def content(self) -> dict[str, Any]:
        """Return where it looks, and for what."""
        return {"place": self.cleaned_data["place"], "pattern": self.cleaned_data["pattern"]}

    @property
    def roots(self) -> list[str]:
        """The places below which it may look."""
        return watched_roots()


FORMS: dict[str, type[EndForm | HookForm | FilesForm]] = {
    TriggerKind.FILES: FilesForm,
    TriggerKind.ORCHESTRATION: EndForm,
    TriggerKind.WEBHOOK: HookForm,
}


def _stored(trigger: Trigger | None) -> dict[str, Any]:
    if trigger is None:
        roots = watched_roots()
        return {
            "cooldown": 1,
            "enabled": True,
            "outcomes": [str(RunStatus.SUCCESS)],
            "place": roots[0] if len(roots) == 1 else "",
        }
    return {
        "name": trigger.name,
        "cooldown": trigger.cooldown,
        "enabled": trigger.is_enabled,
        "source": trigger.source_id,
        "outcomes": trigger.outcomes,
        "place": trigger.place,
        "pattern": trigger.pattern,
    }
