from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django_celery_beat.models import PeriodicTask

from components.models import ApiToken, Configuration, Job
from components.services import configurations
from components.services.jobs import create_job
from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration, Run
from orchestrations.models.orchestration import Definition
from orchestrations.queries.trash import TrashKey
from orchestrations.scheduling.slots import fire_due
from orchestrations.services import trash
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestration_tokens import own_token
from orchestrations.services.orchestrations import move_to_trash
from orchestrations.services.schedules import create_schedule
from orchestrations.services.triggers import create_trigger, sweep_triggers
from tests.builders import (
    make_configuration,
    make_orchestration,
    make_run,
    make_user,
    update_table,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORDERS = "in.c-shop.orders"
pytestmark = pytest.mark.django_db


def key(item: Configuration | Orchestration) -> TrashKey:
    if isinstance(item, Configuration):
        return "configuration", item.pk
    return "orchestration", item.pk


def full(name: str = "Nightly") -> Orchestration:
    """An orchestration with a schedule, a trigger, a recipient and a token of its own."""
    orchestration = make_orchestration(
        [[make_configuration("ex-http", name="Orders")]], name=name, user=make_user()
    )
    create_schedule(orchestration, cron="0 * * * *", timezone="UTC", user=None)
    create_trigger(orchestration, tables=[ORDERS], user=None)
    save_notifications(orchestration, [{"event": "error", "address": "ann@example.com"}], user=None)
    return orchestration


def definition(orchestration: Orchestration) -> Definition:
    found: Definition = orchestration.versions.latest("number").definition
    return found


def test_all_of_an_orchestration_comes_back() -> None:
    with time_machine.travel(NOON + HOUR / 2, tick=False):
        orchestration = full()
        before, token = definition(orchestration), own_token(orchestration)
        move_to_trash(orchestration, user=None)
    with time_machine.travel(NOON + 50 * HOUR + HOUR / 2, tick=False):
        restored = trash.restore([key(orchestration)])
        assert restored.sentence == (
            "“Nightly” is back where it was, with 1 schedule, 1 trigger, 1 notification and its "
            "token."
        )
        orchestration = Orchestration.objects.get(deleted_at=None)
        assert definition(orchestration) == before
        assert own_token(orchestration) == token
        assert token is not None
        # from now on, not for the two days in the trash
        schedule = orchestration.schedules.get()
        assert schedule.next_fire_at == NOON + 51 * HOUR
        fire_due(NOON + 50 * HOUR + HOUR / 2)
        assert not Run.objects.exists()
        assert PeriodicTask.objects.get(name=f"orchestrations.schedule.{schedule.pk}").enabled
        fire_due(NOON + 51 * HOUR)
        assert Run.objects.get().schedule == schedule


def test_a_trigger_starts_nothing_in_the_trash_and_goes_on_after_it() -> None:
    orchestration = full()
    move_to_trash(orchestration, user=None)
    update_table(ORDERS)
    assert sweep_triggers() == []
    trash.restore([key(orchestration)])
    [run] = sweep_triggers()
    assert Run.objects.get(pk=run).trigger == orchestration.triggers.get()
    assert sweep_triggers() == []


def test_a_nested_orchestration_in_the_trash_is_warned_of() -> None:
    inner = make_orchestration(name="Inner")
    outer = make_orchestration([[inner]], name="Outer")
    move_to_trash(inner, user=None)
    move_to_trash(outer, user=None)
    assert trash.restore([key(outer)]).warnings == [
        "“Outer” has tasks that fail: “Inner” is in the trash."
    ]
    assert trash.restore([key(outer), key(inner)]).warnings == []


def test_a_configuration_comes_back_with_its_versions() -> None:
    configuration = make_configuration("ex-http", name="Orders")
    configurations.update_configuration(configuration, user=None, name="New orders")
    configurations.move_to_trash(configuration, user=None)
    restored = trash.restore([key(configuration)])
    assert [(row.name, row.comes_back) for row in restored.rows] == [("New orders", "2 versions")]
    assert Configuration.objects.get().versions.count() == 2
    assert Configuration.objects.get().deleted_at is None


def test_what_is_not_in_the_trash_is_left_alone() -> None:
    orchestration = full()
    assert trash.restore([key(orchestration)]).rows == []
    assert trash.purge([key(orchestration), ("configuration", 99)]).rows == []
    assert Orchestration.objects.get() == orchestration


def test_purging_deletes_all_of_it_but_the_jobs() -> None:
    orchestration = full()
    make_run(orchestration, status=RunStatus.SUCCESS)
    job = create_job(Configuration.objects.get())
    Job.objects.update(status="success")
    configurations.move_to_trash(Configuration.objects.get(), user=None)
    move_to_trash(orchestration, user=None)
    purged = trash.purge([("configuration", job.configuration_id or 0), key(orchestration)])
    assert [(row.kind, row.name) for row in purged.rows] == [
        ("orchestration", "Nightly"),
        ("configuration", "Orders"),
    ]
    assert purged.kept == []
    left = [Orchestration, Configuration, Run, ApiToken]
    assert [model.objects.count() for model in left] == [0, 0, 0, 0]  # type: ignore[attr-defined]
    assert Job.objects.get() == job
    assert not PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.").exists()


def test_nested_ones_go_in_the_order_that_works() -> None:
    inner = make_orchestration(name="Inner")
    middle = make_orchestration([[inner]], name="Middle")
    for item in (inner, middle):
        move_to_trash(item, user=None)
    assert [row.name for row in trash.purge([key(inner), key(middle)]).rows] == [
        "Middle",
        "Inner",
    ]


def test_what_is_needed_stays_and_the_rest_goes() -> None:
    used, unused = make_configuration(name="Used"), make_configuration(name="Unused")
    for number in range(5):
        make_orchestration([[used]], name=f"O{number}")
    for item in (used, unused):
        configurations.move_to_trash(item, user=None)
    purged = trash.purge([key(used), key(unused)])
    assert [row.name for row in purged.rows] == ["Unused"]
    assert purged.kept == [
        "“Used” stays: It is a task of “O0”, “O1”, “O2” and 2 more; remove it there first."
    ]
