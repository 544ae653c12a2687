from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from components.models import Configuration
from orchestrations.enums import RunStatus
from orchestrations.exceptions import EditConflict, InvalidOrchestration, NotAllowed
from orchestrations.models import Orchestration, Phase, Run, Task
from orchestrations.services import orchestrations as service
from orchestrations.services.schedules import create_schedule
from tests.builders import (
    make_component,
    make_configuration,
    make_orchestration,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def configurations() -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name=name) for name in ("orders", "clients", "report")]


def design(orchestration: Orchestration) -> list[tuple[str, list[str]]]:
    """What the rows say: phases with the names of their tasks' targets."""
    return [
        (phase.name, [str(task) for task in phase.tasks.order_by("position")])
        for phase in orchestration.phases.order_by("position")
    ]


def save(orchestration: Orchestration, **fields: Any) -> str:
    version = service.save_orchestration(
        orchestration, user=None, expected_version=orchestration.version, **fields
    )
    return version.change


def phases_of(orchestration: Orchestration) -> list[Any]:
    found: list[Any] = orchestration.versions.latest("number").definition["phases"]
    return found


def test_creating(configurations: list[Configuration]) -> None:
    orders, clients, report = configurations
    user = make_user()
    orchestration = service.create_orchestration(
        name=" Daily ",
        user=user,
        description="All of it",
        phases=[
            {"tasks": [{"configuration": orders.pk}, {"configuration": clients.pk}]},
            {"name": "Empty"},
            {"name": "Last", "tasks": [{"configuration": report.pk, "retries": 3}]},
        ],
    )
    stored = Orchestration.objects.get()
    assert (stored.name, stored.description, stored.created_by, stored.version) == (
        "Daily",
        "All of it",
        user,
        1,
    )
    assert design(stored) == [("Phase 1", ["orders", "clients"]), ("Last", ["report"])]
    version = orchestration.versions.get()
    assert (version.number, version.change, version.created_by) == (1, "Created.", user)
    task = version.definition["phases"][1]["tasks"][0]
    assert task == {
        "key": task["key"],
        "configuration": report.pk,
        "orchestration": None,
        "is_active": True,
        "continue_on_failure": False,
        "parameters": {},
        "retries": 3,
        "retry_delay": 60,
        "retry_backoff": 2.0,
        "retry_match": "",
        "delay": 0,
        "timeout": None,
    }
    row = Task.objects.get(configuration=report)
    assert {f: getattr(row, f) for f in task if f not in {"configuration", "orchestration"}} == {
        f: v for f, v in task.items() if f not in {"configuration", "orchestration"}
    }


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"name": ""}, {"name": "Give it a name."}),
        ({"description": "\0"}, {"description": "A description cannot hold a NUL character."}),
        (
            {"phases": [{"tasks": [{"configuration": 987654}]}]},
            {"phases.0.tasks.0.configuration": "This configuration does not exist."},
        ),
        (
            {"phases": [{"tasks": [{"orchestration": 987654}]}]},
            {"phases.0.tasks.0.orchestration": "This orchestration does not exist."},
        ),
        (
            {"phases": [{"tasks": [{}]}]},
            {"phases.0.tasks.0.configuration": "Choose one configuration, or one orchestration."},
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields: dict[str, Any], errors: dict[str, str]) -> None:
    with pytest.raises(InvalidOrchestration) as error:
        service.create_orchestration(**{"name": "x", "user": None, **fields})
    assert error.value.fields == errors
    assert Orchestration.objects.count() == 0


def test_unknown_fields_of_a_task_are_left_out(configurations: list[Configuration]) -> None:
    extra: Any = {"configuration": configurations[0].pk, "colour": "red"}
    orchestration = service.create_orchestration(name="x", user=None, phases=[{"tasks": [extra]}])
    assert "colour" not in phases_of(orchestration)[0]["tasks"][0]


def test_saving_makes_one_version_with_a_sentence(configurations: list[Configuration]) -> None:
    orders, clients, report = configurations
    orchestration = make_orchestration([[orders], [clients]], name="Daily")
    user = make_user()
    phases = phases_of(orchestration)
    phases[0]["name"] = "Extract"
    phases[0]["tasks"][0]["retries"] = 2
    phases[1]["tasks"] = []
    phases.append({"name": "Report", "tasks": [{"configuration": report.pk}]})
    version = service.save_orchestration(
        orchestration, user=user, expected_version=1, name="Nightly", phases=phases
    )
    assert (version.number, version.created_by) == (2, user)
    assert version.change == (
        "Renamed to “Nightly”; added phase “Report”; removed phase “Phase 2”; renamed phase "
        "“Phase 1” to “Extract”; added task “report”; removed task “clients”; set the "
        "retries of task “orders” to 2."
    )
    assert (orchestration.name, orchestration.version) == ("Nightly", 2)
    assert design(orchestration) == [("Extract", ["orders"]), ("Report", ["report"])]
    assert orchestration.versions.count() == 2
    assert orchestration.versions.get(number=1).definition["name"] == "Daily"


def test_keys_stay_the_same_over_saves(configurations: list[Configuration]) -> None:
    orchestration = make_orchestration([configurations])
    phases = phases_of(orchestration)
    phases[0]["tasks"].reverse()
    save(orchestration, phases=phases)
    assert list(Task.objects.order_by("position").values_list("key", flat=True)) == [
        "t3",
        "t2",
        "t1",
    ]
    assert Phase.objects.get().key == "p1"


def test_saving_what_is_there_makes_no_version(configurations: list[Configuration]) -> None:
    orchestration = make_orchestration([configurations])
    save(orchestration, name=orchestration.name, phases=phases_of(orchestration))
    assert (orchestration.version, orchestration.versions.count()) == (1, 1)


def test_the_second_of_two_editors_is_told() -> None:
    orchestration = make_orchestration()
    other = Orchestration.objects.get()
    ada = make_user(name="ada")
    service.save_orchestration(orchestration, user=ada, expected_version=1, name="Ada's")
    with pytest.raises(EditConflict) as error:
        service.save_orchestration(other, user=None, expected_version=1, name="Bob's")
    assert error.value.message == (
        "Version 2 was saved by ada while you were editing version 1. "
        "Look at what changed, then save again."
    )
    assert Orchestration.objects.get().name == "Ada's"


def test_what_waited_for_a_dropped_phase_waits_for_what_that_waited_for(
    configurations: list[Configuration],
) -> None:
    a, b, c = configurations
    orchestration = make_orchestration(
        [[a], [], [], [b], [c]], waits=[None, None, [], ["p2"], ["p3", "p1"]]
    )
    assert [(p["key"], p["depends_on"]) for p in phases_of(orchestration)] == [
        ("p1", None),
        ("p4", ["p1"]),
        ("p5", ["p1"]),
    ]


def test_a_phase_after_a_dropped_one_follows_the_one_before(
    configurations: list[Configuration],
) -> None:
    a, b, _ = configurations
    orchestration = make_orchestration([[a], [], [b]])
    assert [(p["key"], p["depends_on"]) for p in phases_of(orchestration)] == [
        ("p1", None),
        ("p3", None),
    ]


def test_a_phase_after_a_dropped_beginning_is_one(configurations: list[Configuration]) -> None:
    a, b, _ = configurations
    orchestration = make_orchestration([[a], [], [b]], waits=[None, [], None])
    assert [(p["key"], p["depends_on"]) for p in phases_of(orchestration)] == [
        ("p1", None),
        ("p3", []),
    ]


def test_switching_rests_and_wakes_the_schedules() -> None:
    orchestration = make_orchestration()
    schedule = create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None)
    service.set_enabled(orchestration, enabled=False)
    schedule.refresh_from_db()
    assert (Orchestration.objects.get().is_enabled, schedule.next_fire_at) == (False, None)
    service.set_enabled(orchestration, enabled=True)
    schedule.refresh_from_db()
    assert Orchestration.objects.get().is_enabled is True
    assert schedule.next_fire_at is not None


def test_the_trash_and_back() -> None:
    orchestration = make_orchestration()
    schedule = create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None)
    user = make_user()
    for _ in range(2):
        service.move_to_trash(orchestration, user=user)
    stored = Orchestration.objects.get()
    assert (stored.deleted_by, stored.deleted_at) == (user, orchestration.deleted_at)
    assert stored.deleted_at is not None
    schedule.refresh_from_db()
    assert schedule.next_fire_at is None
    with pytest.raises(NotAllowed):
        save(orchestration, name="x")
    with pytest.raises(NotAllowed):
        service.set_enabled(orchestration, enabled=False)
    for _ in range(2):
        service.restore_from_trash(orchestration)
    stored = Orchestration.objects.get()
    assert (stored.deleted_at, stored.deleted_by) == (None, None)
    schedule.refresh_from_db()
    assert schedule.next_fire_at is not None


def test_purging_deletes_all_of_it(configurations: list[Configuration]) -> None:
    orchestration = make_orchestration([configurations])
    create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None)
    make_run(orchestration, status=RunStatus.SUCCESS)
    kept = make_run(make_orchestration([configurations]))
    with pytest.raises(NotAllowed):
        service.purge(orchestration)
    service.move_to_trash(orchestration, user=None)
    service.purge(orchestration)
    assert (list(Orchestration.objects.all()), list(Run.objects.all())) == (
        [kept.orchestration],
        [kept],
    )
    assert not PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.").exists()


def test_purging_is_refused_while_it_is_needed(configurations: list[Configuration]) -> None:
    inner = make_orchestration([[configurations[0]]])
    outer = make_orchestration([[inner]], name="outer")
    service.move_to_trash(inner, user=None)
    with pytest.raises(NotAllowed) as error:
        service.purge(inner)
    assert error.value.message == "It is a task of “outer”; remove it there first."
    make_run(outer)
    service.move_to_trash(outer, user=None)
    with pytest.raises(NotAllowed) as error:
        service.purge(outer)
    assert error.value.message == "A run of this orchestration has not ended yet."


def test_saving_costs_the_same_for_many_tasks(configurations: list[Configuration]) -> None:
    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as found:
            make_orchestration([configurations] * count)
        return len(found)

    assert queries(1) == queries(5)
