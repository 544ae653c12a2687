from __future__ import annotations

import pytest

from components.models import Configuration
from components.services.configurations import move_to_trash as throw_configuration
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import move_to_trash
from orchestrations.services.schedules import create_schedule
from tests.api.test_calls import Api, api
from tests.builders import make_configuration, make_orchestration, make_user

__all__ = ["api"]

pytestmark = pytest.mark.django_db


def thrown() -> tuple[Configuration, Orchestration]:
    """A configuration, and then the orchestration that has it as a task."""
    orders = make_configuration("ex-http", name="Orders")
    nightly = make_orchestration([[orders]], name="Nightly")
    create_schedule(nightly, cron="0 5 * * *", timezone="UTC", user=None)
    ann = make_user(name="ann")
    throw_configuration(orders, user=ann)
    move_to_trash(nightly, user=ann)
    return orders, nightly


def test_the_trash_is_listed_page_by_page(api: Api) -> None:
    orders, nightly = thrown()
    first = api("GET", "/trash?limit=1")
    row = first["items"][0]
    assert row.pop("deleted_at") is not None
    assert row == {
        "kind": "orchestration",
        "id": nightly.pk,
        "name": "Nightly",
        "about": "Orchestration, 1 task",
        "deleted_by": "ann",
        "comes_back": "1 schedule",
        "is_lost": "2 versions and 1 schedule",
        "kept_by": "",
    }
    second = api("GET", f"/trash?limit=1&after={first['next']}")
    assert [(r["kind"], r["id"], r["kept_by"]) for r in second["items"]] == [
        ("configuration", orders.pk, "It is a task of “Nightly”; remove it there first.")
    ]
    assert second["next"] is None
    assert [r["name"] for r in api("GET", "/trash?kind=configuration")["items"]] == ["Orders"]
    assert [r["name"] for r in api("GET", "/trash?search=night")["items"]] == ["Nightly"]
    api("GET", "/trash?kind=table", status=422)
    api("GET", "/trash?after=nonsense", status=422)
    api("GET", f"/trash?after={'9' * 20}_orchestration_1", status=422)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_things_thrown_away_at_one_moment_are_paged_whole(api: Api, limit: int) -> None:
    for number in range(3):
        make_configuration(name=f"C{number}")
        make_orchestration(name=f"O{number}")
    moment = Orchestration.objects.latest("created_at").created_at
    Configuration.objects.update(deleted_at=moment)
    Orchestration.objects.update(deleted_at=moment)
    names, after = [], ""
    while True:
        page = api("GET", f"/trash?limit={limit}{after}")
        names += [row["name"] for row in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert names == ["C2", "C1", "C0", "O2", "O1", "O0"]


def test_things_are_restored_with_what_is_to_be_known(api: Api) -> None:
    orders, nightly = thrown()
    found = api("POST", f"/trash/orchestration/{nightly.pk}/restore")
    assert found == {
        "kind": "orchestration",
        "id": nightly.pk,
        "name": "Nightly",
        "warnings": ["“Nightly” has tasks that fail: “Orders” is in the trash."],
    }
    assert nightly.schedules.get().next_fire_at is not None
    assert api("POST", f"/trash/configuration/{orders.pk}/restore")["warnings"] == []
    assert Configuration.objects.get().deleted_at is None
    api("POST", f"/trash/configuration/{orders.pk}/restore", status=404)
    api("POST", f"/trash/table/{orders.pk}/restore", status=422)


def test_things_are_deleted_for_good_unless_something_needs_them(api: Api) -> None:
    orders, nightly = thrown()
    kept = api("DELETE", f"/trash/configuration/{orders.pk}", status=409)
    assert kept["error"]["message"] == (
        "“Orders” stays: It is a task of “Nightly”; remove it there first."
    )
    api("DELETE", f"/trash/orchestration/{nightly.pk}", status=204)
    api("DELETE", f"/trash/configuration/{orders.pk}", status=204)
    assert (Configuration.objects.count(), Orchestration.objects.count()) == (0, 0)
    api("DELETE", f"/trash/configuration/{orders.pk}", status=404)
