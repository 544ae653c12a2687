"""One tree of errors; a class docstring is the message where none is given."""

from __future__ import annotations


class OrchestrationsError(Exception):
    """The request could not be carried out."""

    def __init__(self, message: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


class InvalidOrchestration(OrchestrationsError):
    """The orchestration is not valid."""

    def __init__(self, message: str = "", *, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class InvalidSchedule(InvalidOrchestration):
    """The schedule is not valid."""


class InvalidCalendar(InvalidOrchestration):
    """The calendar is not valid."""


class InvalidNotifications(InvalidOrchestration):
    """The notifications were not saved."""


class InvalidTrigger(InvalidOrchestration):
    """The trigger is not valid."""


class EditConflict(OrchestrationsError):
    """Somebody else saved this in the meantime."""


class NotAllowed(OrchestrationsError):
    """This cannot be done in the present state."""


class IllegalTransition(OrchestrationsError):
    """This status cannot follow the present one."""
