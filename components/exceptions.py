"""One tree of errors; a class docstring is the message where none is given."""

from __future__ import annotations


class ComponentsError(Exception):
    """The request could not be carried out."""

    def __init__(self, message: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


class InvalidConfiguration(ComponentsError):
    """The configuration is not valid."""

    def __init__(self, message: str = "", *, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class InvalidSearch(ComponentsError):
    """The search makes no sense."""

    def __init__(self, message: str = "", *, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class EditConflict(ComponentsError):
    """Somebody else saved this in the meantime."""


class StaleToken(ComponentsError):
    """This attempt was declared dead; its result is refused."""


class NotAllowed(ComponentsError):
    """This cannot be done in the present state."""


class StorageError(ComponentsError):
    """The table could not be read or written."""


class ImportRejected(StorageError):
    """The file was not loaded; the table is as it was."""

    def __init__(self, message: str = "", *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class RunnerError(ComponentsError):
    """The component failed."""

    def __init__(self, message: str = "", *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
