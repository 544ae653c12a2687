"""`manage.py export DIR|-`: write configurations and orchestrations as YAML, without secrets."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestrations.management.commands._files import ONLY_HELP
from orchestrations.services.exchange.documents import Selection, project_document
from orchestrations.services.exchange.reading import KINDS
from orchestrations.services.exchange.writing import to_yaml

MARK = "# Written by manage.py export; the next export writes it anew, or removes it.\n"


class Command(BaseCommand):
    """Write the project to a directory, one file for each object, or to the output."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", help="A directory, or - for one text on the output.")
        parser.add_argument("--only", action="append", default=[], help=ONLY_HELP)

    def handle(self, *args: Any, target: str, only: list[str], **options: Any) -> None:
        selection = Selection(only)
        if unknown := selection.unknown():
            raise CommandError(f"“{unknown[0]}” names neither configurations nor orchestrations.")
        document = project_document(selection)
        if target == "-":
            self.stdout.write(to_yaml(document), ending="")
            return
        if Path(target).exists() and not Path(target).is_dir():
            raise CommandError(f"{target} is no directory.")
        try:
            written = write(Path(target), document, selection)
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error}.") from None
        self.stdout.write(f"{written} files in {target}.")


def write(target: Path, document: dict[str, Any], selection: Selection) -> int:
    """Write a file for each object and remove those of earlier exports; return how many there are.

    Files that somebody else wrote, and those of objects that are not selected, stay.
    """
    files = {
        target / kind / f"{key}.yaml": {"version": document["version"], kind: {key: content}}
        for kind in KINDS
        for key, content in document[kind].items()
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = MARK + to_yaml(content)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for kind in KINDS:
        for path in (target / kind).glob("*.yaml"):
            is_ours = path.read_text("utf-8", errors="replace").startswith(MARK)
            if path not in files and is_ours and selection.has(kind, path.stem):
                path.unlink()
    return len(files)
