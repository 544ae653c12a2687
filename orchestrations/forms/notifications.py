"""The form of an orchestration's notifications: for each kind of event, one recipient a line."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.forms.boundfield import BoundField
from django.http import QueryDict

from orchestrations.enums import NotificationEvent
from orchestrations.exceptions import EditConflict, InvalidNotifications
from orchestrations.forms.controls import CODE, attributes, number_input
from orchestrations.models import Notification, Orchestration
from orchestrations.services import notifications as services
from orchestrations.services.notifications import RecipientInput

E = NotificationEvent
HELP = {
    E.ERROR: "When a run ends with an error.",
    E.WARNING: "When a run ends with a warning.",
    E.SUCCESS: "When a run succeeds.",
    E.LATE: "When a run will not be ready by its time, as soon as that is seen.",
}
NUMBER = {
    E.PROCESSING: ("When a run is processing", "% longer than usual.", "Per cent"),
    E.WAITING: ("When a run is waiting longer than", "minutes.", "Minutes"),
}


class Recipients(forms.CharField):
    """One e-mail address or URL a line, drawn as chips."""

    def __init__(self, event: NotificationEvent) -> None:
        attrs = attributes(event, note=f"help-{event}", rows=2, autocomplete="off", **CODE) | {
            "data-recipients": "",
            "data-placeholder": "E-mail address or webhook URL",
            "placeholder": "One e-mail address or webhook URL a line",
        }
        super().__init__(label=event.label, required=False, widget=forms.Textarea(attrs=attrs))

    def clean(self, value: Any) -> list[str]:
        """Return the lines without doubles."""
        text = super().clean(value)
        return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


class Number(forms.IntegerField):
    """The number that an event takes."""

    def __init__(self, event: NotificationEvent) -> None:
        most = services.LARGEST[event]
        label = {"aria-label": f"{event.label}: {NUMBER[event][2]}"}
        wrong = f"Use a whole number from 1 to {most}."
        super().__init__(
            min_value=1,
            max_value=most,
            widget=number_input(f"{event}_threshold", **label),
            error_messages=dict.fromkeys(("invalid", "required", "min_value", "max_value"), wrong),
        )


class NotificationsForm(forms.Form):
    """Who is told of what; a URL that is stored stands there as it is shown."""

    fingerprint = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, orchestration: Orchestration, posted: QueryDict | None = None) -> None:
        self.orchestration = orchestration
        self.rows = services.notifications_of(orchestration)
        self.conflict = ""
        super().__init__(posted, initial=self._initial(), auto_id="notify-%s")
        for event in E:
            self.fields[event] = Recipients(event)
            if event in NUMBER:
                self.fields[f"{event}_threshold"] = Number(event)

    @property
    def sections(self) -> list[dict[str, Any]]:
        """What the template shows, an entry for each kind of event."""
        return [
            {
                "event": event,
                "label": event.label,
                "field": self[event],
                "help": HELP.get(event, ""),
                "number": self._number(event),
                "words": NUMBER.get(event, ("", "", ""))[:2],
            }
            for event in E
        ]

    def suggestions(self, user: User) -> list[str]:
        """Return what may be chosen without typing: one's own address, and whom others got."""
        own = [user.email] if user.email else []
        return list(dict.fromkeys([*own, *(row.recipient for row in self.rows)]))

    def save(self, user: User) -> list[Notification] | None:
        """Save the whole list; None where that is refused, with the errors at their fields."""
        if not self.is_valid():
            return None
        wanted = [item for event in E for item in self._wanted(event)]
        try:
            return services.save_notifications(
                self.orchestration,
                wanted,
                user=user,
                expected=self.cleaned_data["fingerprint"],
            )
        except EditConflict as error:
            self.conflict = str(error)
            self.add_error(None, str(error))
        except InvalidNotifications as error:
            self._refuse(error)
        return None

    def _initial(self) -> dict[str, Any]:
        initial: dict[str, Any] = {"fingerprint": services.fingerprint(self.orchestration)}
        for event in E:
            of_event = [row for row in self.rows if row.event == event]
            initial[event] = "\n".join(row.recipient for row in of_event)
            if event in NUMBER:
                first = of_event[0].threshold if of_event else None
                initial[f"{event}_threshold"] = first or services.USUAL[event]
        return initial

    def _number(self, event: NotificationEvent) -> BoundField | None:
        return self[f"{event}_threshold"] if event in NUMBER else None

    def _wanted(self, event: NotificationEvent) -> list[RecipientInput]:
        """Return an event's recipients as the service takes them.

        A number that was not touched leaves each recipient the own one, which a program may have
        given them.
        """
        number = self.cleaned_data.get(f"{event}_threshold")
        own: dict[str, int | None] = {}
        if f"{event}_threshold" not in self.changed_data:
            own = {row.recipient: row.threshold for row in self.rows if row.event == event}
        return [
            {"event": event, "address": line, "threshold": own.get(line, number)}
            for line in self.cleaned_data[event]
        ]

    def _refuse(self, error: InvalidNotifications) -> None:
        typed = dict(self.cleaned_data)  # a field leaves it with its first error
        for path, text in error.fields.items():
            event, _, rest = path.partition(".")
            place, _, name = rest.partition(".")
            if name == "threshold":
                self.add_error(f"{event}_threshold", text)
                continue
            lines = typed.get(event, [])
            line = lines[int(place)] if place.isdigit() and int(place) < len(lines) else ""
            said = text if not line or line[:80] in text else f"{_short(line)}: {text}"
            self.add_error(event if event in self.fields else None, said)


def _short(line: str) -> str:
    """Return the beginning of what was typed: enough to find it, too little of a secret URL."""
    return f"“{line[:40]}…”" if len(line) > 40 else f"“{line}”"  # noqa: PLR2004
