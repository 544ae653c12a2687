"""`manage.py create_token NAME --user U --scope read|run|write --days N`: make an API token."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from components.enums import TokenScope
from components.services.tokens import create_token

# A token that only starts some orchestrations is made on the page that lists them.
SCOPES = [TokenScope.READ.value, TokenScope.RUN.value, TokenScope.WRITE.value]
MOST_DAYS = 36_500


class Command(BaseCommand):
    """Make a token and print its text, once."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--user", required=True, help="User name; the token has their rights.")
        parser.add_argument("--scope", choices=SCOPES, default=TokenScope.READ)
        parser.add_argument("--days", type=int, help="It ends after so many; never by default.")

    def handle(
        self, *args: Any, name: str, user: str, scope: str, days: int | None, **options: Any
    ) -> None:
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"There is no user “{user}”.")
        if days is not None and not 0 < days <= MOST_DAYS:
            raise CommandError(f"--days takes a whole number from 1 to {MOST_DAYS}.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        _, text = create_token(owner, name=name, scope=TokenScope(scope), expires_at=expires_at)
        self.stdout.write(text)
