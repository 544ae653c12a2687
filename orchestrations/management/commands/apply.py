"""`manage.py apply FILE|DIR|-`: make the installation what files say, all of it or nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from orchestrations.management.commands import _files
from orchestrations.services.exchange.applying import apply
from orchestrations.services.exchange.problems import ExchangeError


class Command(BaseCommand):
    """Apply files of configurations and orchestrations in one transaction."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        _files.add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="Only say what would change.")

    def handle(self, *args: Any, source: str, user: str | None, **options: Any) -> None:
        try:
            report = apply(
                _files.read_files(source),
                user=_files.person(user),
                options=_files.options_of(options),
            )
        except ExchangeError as error:
            raise _files.failed(error) from None
        self.stdout.write(report.text())
