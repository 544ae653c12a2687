"""The two ways out of the trash, for configurations and orchestrations alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from components.exceptions import ComponentsError
from components.models import Configuration
from components.services import configurations
from orchestrations.exceptions import OrchestrationsError
from orchestrations.models import Orchestration
from orchestrations.queries.design_words import quoted
from orchestrations.queries.trash import KINDS, TrashKey, TrashKind, TrashRow, trash_rows
from orchestrations.queries.version_pages import trashed_targets
from orchestrations.services import orchestrations

WAYS: dict[TrashKind, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "configuration": (configurations.restore_from_trash, configurations.purge),
    "orchestration": (orchestrations.restore_from_trash, orchestrations.purge),
}


@dataclass(frozen=True)
class Restored:
    """What came back, and what is to be told about it; both empty where nothing was there."""

    rows: list[TrashRow]
    warnings: list[str]

    @property
    def sentence(self) -> str:
        """Say what is back."""
        if len(self.rows) != 1:
            return f"{len(self.rows)} are back where they were."
        row = self.rows[0]
        along = f", with {row.comes_back}" if row.kind == "orchestration" and row.comes_back else ""
        return f"“{row.name}” is back where it was{along}."


@dataclass(frozen=True)
class Purged:
    """What was deleted for good, and why the others stay."""

    rows: list[TrashRow]
    kept: list[str]


def restore(keys: Iterable[TrashKey]) -> Restored:
    """Bring things back with all that belongs to them; schedules go on from now.

    Configurations come first, so that only what is still missing is warned of.
    """
    rows = sorted(trash_rows(keys), key=lambda row: row.kind)
    for row in rows:
        back, _ = WAYS[row.kind]
        back(KINDS[row.kind].objects.get(pk=row.pk))
    warnings = [text for row in rows if row.kind == "orchestration" and (text := _warning(row))]
    return Restored(rows, warnings)


def purge(keys: Iterable[TrashKey]) -> Purged:
    """Delete things for good; what something still needs stays, and the others go all the same.

    Orchestrations go first, those that others have as a task after these: their tasks hold both.
    """
    rows = sorted(trash_rows(keys), key=lambda row: row.kind, reverse=True)
    done: list[TrashRow] = []
    kept: dict[str, str] = {}
    while True:
        left = [row for row in rows if row not in done]
        kept = {row.key: text for row in left if (text := _purge(row))}
        gone = [row for row in left if row.key not in kept]
        done += gone
        if not kept or not gone:
            return Purged(done, list(kept.values()))


def _purge(row: TrashRow) -> str:
    """Delete one; return why it stays, or nothing."""
    model, (_, delete) = KINDS[row.kind], WAYS[row.kind]
    try:
        with transaction.atomic():
            delete(model.objects.exclude(deleted_at=None).get(pk=row.pk))
    except (Configuration.DoesNotExist, Orchestration.DoesNotExist):
        return ""  # somebody else was quicker
    except (ComponentsError, OrchestrationsError) as error:
        now = trash_rows([(row.kind, row.pk)])
        reason = (now[0].kept_by if now else "") or error.message
        return f"“{row.name}” stays: {reason}"
    return ""


def _warning(row: TrashRow) -> str:
    orchestration = Orchestration.objects.get(pk=row.pk)
    version = orchestration.versions.get(number=orchestration.version)
    names = trashed_targets(version.definition)
    if not names:
        return ""
    these = "is" if len(names) == 1 else "are"
    return f"“{row.name}” has tasks that fail: {quoted(names)} {these} in the trash."
