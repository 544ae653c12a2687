"""The Automate button: one configuration becomes an orchestration of one task with a schedule."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from components.models import Configuration
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import create_orchestration
from orchestrations.services.schedules import create_schedule

MAX_NAME = 200


def default_name(configuration: Configuration) -> str:
    """Return the name used where the person gave none."""
    return f"Automated {configuration.name}"[:MAX_NAME]


@transaction.atomic
def automate(
    configuration: Configuration, *, name: str, cron: str, timezone: str, user: User | None
) -> Orchestration:
    """Create an ordinary orchestration of one phase, one task and one schedule, or nothing.

    An empty name means the default one. Raises InvalidOrchestration or InvalidSchedule with the
    fields `name`, `cron`, `timezone`, and NotAllowed for a configuration in the trash.
    """
    if configuration.deleted_at:
        raise NotAllowed("This configuration is in the trash; restore it before automating it.")
    orchestration = create_orchestration(
        name=name.strip() or default_name(configuration),
        user=user,
        phases=[{"name": "Phase 1", "tasks": [{"configuration": configuration.pk}]}],
        change=f"Automated “{configuration.name}”.",
    )
    create_schedule(orchestration, cron=cron, timezone=timezone, user=user, amend=True)
    return orchestration
