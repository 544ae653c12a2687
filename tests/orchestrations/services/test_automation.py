from __future__ import annotations

import pytest
from django.utils import timezone

from orchestrations.enums import Misfire, Overlap
from orchestrations.exceptions import InvalidOrchestration, InvalidSchedule, NotAllowed
from orchestrations.models import Orchestration, Schedule
from orchestrations.services.automation import automate
from tests.builders import make_configuration, make_user

pytestmark = pytest.mark.django_db


def test_automating_makes_an_ordinary_orchestration() -> None:
    configuration, user = make_configuration(name="Orders"), make_user()
    orchestration = automate(
        configuration, name=" ", cron="0 12 * * *", timezone="Europe/Prague", user=user
    )
    assert (orchestration.name, orchestration.created_by) == ("Automated Orders", user)
    phase = orchestration.phases.get()
    assert (phase.name, phase.tasks.get().configuration) == ("Phase 1", configuration)
    assert orchestration.versions.get().change == "Automated “Orders”."
    schedule = orchestration.schedules.get()
    assert (schedule.cron, schedule.timezone, schedule.created_by) == (
        "0 12 * * *",
        "Europe/Prague",
        user,
    )
    assert (schedule.is_enabled, schedule.overlap, schedule.misfire) == (
        True,
        Overlap.QUEUE_ONE,
        Misfire.LAST,
    )
    assert schedule.next_fire_at is not None


def test_a_name_that_was_given_is_used() -> None:
    orchestration = automate(
        make_configuration(), name=" Mine ", cron="0 12 * * *", timezone="UTC", user=None
    )
    assert orchestration.name == "Mine"


def test_a_long_configuration_name_is_cut() -> None:
    configuration = make_configuration(name="x" * 200)
    orchestration = automate(configuration, name="", cron="0 12 * * *", timezone="UTC", user=None)
    assert orchestration.name == ("Automated " + "x" * 200)[:200]


@pytest.mark.parametrize(
    ("cron", "timezone_name", "field"),
    [("61 * * * *", "UTC", "cron"), ("0 12 * * *", "Mars/Olympus", "timezone")],
)
def test_a_wrong_schedule_leaves_nothing(cron: str, timezone_name: str, field: str) -> None:
    with pytest.raises(InvalidSchedule) as error:
        automate(make_configuration(), name="", cron=cron, timezone=timezone_name, user=None)
    assert list(error.value.fields) == [field]
    assert (Orchestration.objects.count(), Schedule.objects.count()) == (0, 0)


def test_a_wrong_name_leaves_nothing() -> None:
    with pytest.raises(InvalidOrchestration) as error:
        automate(make_configuration(), name="x" * 201, cron="0 1 * * *", timezone="UTC", user=None)
    assert error.value.fields == {"name": "Use 200 characters or fewer."}
    assert Orchestration.objects.count() == 0


def test_a_configuration_in_the_trash_is_not_automated() -> None:
    configuration = make_configuration(deleted_at=timezone.now())
    with pytest.raises(NotAllowed):
        automate(configuration, name="", cron="0 12 * * *", timezone="UTC", user=None)
    assert Orchestration.objects.count() == 0
