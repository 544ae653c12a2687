"""`manage.py create_token NAME --user U --scope read|run|write`: make an API token."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from components.enums import TokenScope
from components.services.tokens import create_token


class Command(BaseCommand):
    """Make a token and print its text, once."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--user", required=True, help="User name; the token has their rights.")
        parser.add_argument("--scope", choices=TokenScope.values, default=TokenScope.READ)

    def handle(self, *args: Any, name: str, user: str, scope: str, **options: Any) -> None:
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"There is no user “{user}”.")
        _, text = create_token(owner, name=name, scope=TokenScope(scope))
        self.stdout.write(text)
