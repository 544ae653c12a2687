"""`manage.py retention [--dry-run]`: delete old history now, or count what would go."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orchestrations.queries.retention import Limits, preview
from orchestrations.services.retention import apply_retention, current_retention


class Command(BaseCommand):
    """Say what goes, and delete it."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Count; delete nothing.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if dry_run:
            found = preview(Limits.of(current_retention()), timezone.now())
            for kind, amount in found.kinds:
                self.stdout.write(f"{kind}: {amount.goes} would go, {amount.stays} stay")
            self.stdout.write(f"Old runs that something kept refers to: {found.held} stay")
            return
        retention = apply_retention(seconds=float("inf"))
        if retention is None:
            raise CommandError("The retention is off; switch it on at /retention/ first.")
        for kind in ("runs", "jobs", "deliveries", "audit_entries"):
            self.stdout.write(f"{kind}: {retention.result.get(kind, 0)} deleted")
