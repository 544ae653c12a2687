"""Make an installation what files say: all of it in one transaction, or nothing.

A plan is the same work, rolled back at its end: so it is judged by what judges the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db import transaction

from orchestrations.services.exchange import configurations, orchestrations, removal
from orchestrations.services.exchange.checking import Wanted, check
from orchestrations.services.exchange.documents import ALL, Selection
from orchestrations.services.exchange.problems import ExchangeError, Problem
from orchestrations.services.exchange.reading import Documents, read
from orchestrations.services.exchange.references import Resolver, Sources
from orchestrations.services.exchange.report import Report
from orchestrations.services.exchange.state import lock_state
from orchestrations.services.exchange.work import Work

NO_SOURCES = Sources()


@dataclass(frozen=True)
class Options:
    """What of the files is applied, and whether what they do not name goes to the trash."""

    selection: Selection = ALL
    prune: bool = False
    dry_run: bool = False
    sources: Sources = NO_SOURCES


def plan(files: Mapping[str, str], *, user: User | None, options: Options | None = None) -> Report:
    """Say what `apply` would change, and change nothing; raises ExchangeError as it would."""
    return apply(files, user=user, options=replace(options or Options(), dry_run=True))


def apply(files: Mapping[str, str], *, user: User | None, options: Options | None = None) -> Report:
    """Make the installation what files, name to text, say; applied again, they change nothing.

    Each object that differs gets one new version. Raises ExchangeError with all that is wrong, and
    then nothing was changed.
    """
    options = options or Options()
    if unknown := options.selection.unknown():
        text = f"“{unknown[0]}” names neither configurations nor orchestrations."
        raise ExchangeError([Problem("--only", 0, "", text)])
    documents = read(files)
    wanted = _selected(check(documents), options.selection)
    documents.stop_if_wrong()
    return _apply(documents, wanted, user, options)


@transaction.atomic
def _apply(documents: Documents, wanted: Wanted, user: User | None, options: Options) -> Report:
    state = lock_state(wanted, everything=options.prune)
    work = Work(documents, state, Resolver(options.sources, state.ciphers), user)
    changes = configurations.apply_all(work, wanted.configurations)
    changes += orchestrations.apply_all(work, wanted.orchestrations)
    if options.prune:
        changes += removal.remove_all(work, options.selection)
    documents.stop_if_wrong()
    if options.dry_run:
        transaction.set_rollback(True)
    return Report(changes)


def _selected(wanted: Wanted, selection: Selection) -> Wanted:
    return Wanted(
        {k: v for k, v in wanted.configurations.items() if selection.has("configurations", k)},
        {k: v for k, v in wanted.orchestrations.items() if selection.has("orchestrations", k)},
    )
