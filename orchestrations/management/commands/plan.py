"""`manage.py plan FILE|DIR|-`: say what `apply` would change. Exit 0: nothing, 2: something."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from orchestrations.management.commands import _files
from orchestrations.services.exchange.applying import plan
from orchestrations.services.exchange.problems import ExchangeError

DIFFERENT = 2


class Command(BaseCommand):
    """Compare files with the installation, and change nothing."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        _files.add_arguments(parser)

    def handle(self, *args: Any, source: str, user: str | None, **options: Any) -> None:
        try:
            report = plan(
                _files.read_files(source),
                user=_files.person(user),
                options=_files.options_of(options),
            )
        except ExchangeError as error:
            raise _files.failed(error) from None
        self.stdout.write(report.text())
        if report.changes:
            sys.exit(DIFFERENT)
