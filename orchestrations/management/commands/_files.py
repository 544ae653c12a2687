"""Files of a project on disk, and the options that `plan` and `apply` share."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from orchestrations.services.exchange.applying import Options
from orchestrations.services.exchange.documents import Selection
from orchestrations.services.exchange.problems import ExchangeError
from orchestrations.services.exchange.reading import read_mapping
from orchestrations.services.exchange.references import Sources

ENDINGS = (".yaml", ".yml")
ONLY_HELP = "Leave out all but these: orchestrations, configurations/orders, …; may be repeated."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of `plan` and `apply`."""
    parser.add_argument("source", help="A file, a directory of *.yaml files, or - for the input.")
    parser.add_argument("--prune", action="store_true", help="Move what no file names to the trash")
    parser.add_argument("--only", action="append", default=[], help=ONLY_HELP)
    parser.add_argument("--user", help="Who is named in the versions that are made.")
    parser.add_argument("--secrets", help="A YAML file with lines of `place: secret`.")


def options_of(given: dict[str, Any]) -> Options:
    """Return what the command was called with; secrets may come from the environment too."""
    secrets = {}
    if given["secrets"]:
        secrets = read_mapping(_text(Path(given["secrets"])), given["secrets"])
    return Options(
        selection=Selection(given["only"]),
        prune=given["prune"],
        dry_run=bool(given.get("dry_run")),
        sources=Sources(secrets, os.environ),
    )


def person(name: str | None) -> User | None:
    """Return the user of a name; raises CommandError for an unknown one."""
    if not name:
        return None
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"There is no user “{name}”.")
    return found


def read_files(source: str) -> dict[str, str]:
    """Return the texts of a project by the names of their files; raises CommandError."""
    if source == "-":
        return {"-": sys.stdin.read()}
    path = Path(source)
    if not path.is_dir():
        return {source: _text(path)}
    files = sorted(p for p in path.rglob("*") if p.suffix in ENDINGS and p.is_file())
    if not files:
        raise CommandError(f"There is no file *.yaml in {source}.")
    return {str(file): _text(file) for file in files}


def failed(error: ExchangeError) -> CommandError:
    """Return the end of a command whose files are wrong: one line for each problem."""
    return CommandError(str(error))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not in UTF-8.") from None
