"""Keys: what files call configurations, orchestrations, phases and tasks.

An object without one gets the slug of its name, with a number where that is taken, and keeps it
over renames. Of phases and tasks only those keys are written that do not follow from names.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from components.models import Configuration
from orchestrations.models import Orchestration

MAX_KEY = 100
KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
KEY_HELP = "a key has small letters, digits, - and _, and begins with a letter or digit"
SHORT = 40  # of phases and tasks


def slug(name: str, taken: Container[str], *, default: str, longest: int = MAX_KEY) -> str:
    """Return a key made of a name that is not taken yet."""
    plain = slugify(name).strip("-_")[:longest] or default
    key, number = plain, 1
    while key in taken:
        number += 1
        tail = f"-{number}"
        key = f"{plain[: longest - len(tail)]}{tail}"
    return key


@transaction.atomic
def give_keys() -> None:
    """Give each configuration and orchestration that has no key its own; safe to call twice."""
    for model, default in ((Configuration, "configuration"), (Orchestration, "orchestration")):
        rows: Any = model._default_manager  # noqa: SLF001  # typed for both
        nameless = rows.select_for_update(of=("self",), no_key=False).filter(key=None)
        taken: set[str] = set()
        for row in nameless.order_by("pk"):
            taken = taken or set(rows.exclude(key=None).values_list("key", flat=True))
            key = slug(row.name, taken, default=default)
            taken.add(key)
            rows.filter(pk=row.pk).update(key=key)


def derived(names: Sequence[str], *, default: str) -> list[str]:
    """Return the keys that follow from names in their order: phases of one design, or its tasks."""
    found: list[str] = []
    for name in names:
        found.append(slug(name, found, default=default, longest=SHORT))
    return found
