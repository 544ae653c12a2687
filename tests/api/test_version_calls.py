from __future__ import annotations

from typing import Any

import pytest

from orchestrations.models import Orchestration
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestrations import save_orchestration
from orchestrations.services.schedules import create_schedule
from orchestrator_site.lib.secrets import HIDDEN
from tests.api.test_calls import Api, api
from tests.builders import make_configuration, make_orchestration, make_user

__all__ = ["api"]

URL = "https://hooks.slack.com/services/T0/B0/abcdefgh"
pytestmark = pytest.mark.django_db


def shop() -> Orchestration:
    """Version 1 as made, 2 with a schedule, 3 with notifications, 4 renamed and without tasks."""
    orders = make_configuration("ex-http", name="Orders")
    orchestration = make_orchestration(
        [[{"configuration": orders.pk, "parameters": {"#key": "hush"}}]], name="Shop"
    )
    create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None, name="Mornings")
    save_notifications(orchestration, [{"event": "error", "address": URL}], user=None)
    orchestration.refresh_from_db()
    save_orchestration(
        orchestration,
        user=make_user(name="bob"),
        expected_version=3,
        name="Store",
        phases=[],
    )
    return orchestration


def test_versions_are_listed_page_by_page(api: Api) -> None:
    path = f"/orchestrations/{shop().pk}/versions"
    first = api("GET", f"{path}?limit=2")
    assert [(row["number"], row["created_by"], row["is_latest"]) for row in first["items"]] == [
        (4, "bob", True),
        (3, None, False),
    ]
    second = api("GET", f"{path}?limit=2&after={first['next']}")
    assert [row["change"] for row in second["items"]] == [
        "Added schedule “Mornings”.",
        "Created.",
    ]
    assert (first["next"], second["next"]) == (3, None)
    assert [row["number"] for row in api("GET", f"{path}?search=added+schedule")["items"]] == [2]
    assert [row["number"] for row in api("GET", f"{path}?by=bob")["items"]] == [4]
    api("GET", "/orchestrations/99/versions", status=404)


def test_one_version_hides_its_secrets(api: Api) -> None:
    orchestration = shop()
    found = api("GET", f"/orchestrations/{orchestration.pk}/versions/3")
    held = found["definition"]
    assert held["phases"][0]["tasks"][0]["parameters"] == {"#key": HIDDEN}
    assert held["schedules"][0]["name"] == "Mornings"
    assert URL not in str(found)
    assert "enc::" not in str(found)
    assert (found["number"], found["is_latest"]) == (3, False)
    api("GET", f"/orchestrations/{orchestration.pk}/versions/9", status=404)


def test_two_versions_are_compared(api: Api) -> None:
    path = f"/orchestrations/{shop().pk}/versions/compare"
    found = api("GET", f"{path}?from=3&to=4")
    assert (found["from"], found["to"]) == (3, 4)
    assert found["text"] == [
        "Name and description",
        "  ~ Name",
        "      Shop → Store",
        "Phases",
        "  - Phase 1",
        "Tasks",
        "  - Orders from phase “Phase 1”",
    ]
    assert found["parts"][0] == {
        "key": "details",
        "title": "Name and description",
        "items": [
            {
                "kind": "changed",
                "name": "Name",
                "note": "",
                "changes": [{"path": "", "before": "Shop", "after": "Store", "lines": []}],
            }
        ],
    }
    assert api("GET", f"{path}?from=4&to=4")["parts"] == []
    api("GET", f"{path}?from=1&to=9", status=404)
    assert api("GET", path, status=422)["error"]["fields"].keys() == {"from", "to"}


def test_a_version_or_a_part_of_it_is_restored(api: Api) -> None:
    orchestration = shop()
    path = f"/orchestrations/{orchestration.pk}/restore"
    tasks = api("POST", path, {"version": 3, "parts": ["tasks"]})
    assert (tasks["name"], tasks["version"], len(tasks["phases"])) == ("Store", 5, 1)
    whole = api("POST", path, {"version": 1})
    assert (whole["name"], whole["version"]) == ("Shop", 6)
    assert orchestration.schedules.filter(deleted_at=None).count() == 0
    version = orchestration.versions.get(number=6)
    assert (version.created_by, version.change) == (api.user, "Restored version 1.")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"version": 9}, {"version": "This orchestration has no version 9."}),
        ({"version": 1, "parts": ["colour"]}, None),
        ({"version": 1, "parts": []}, None),
        ({}, None),
    ],
)
def test_a_bad_restore_is_422(api: Api, body: dict[str, Any], fields: Any) -> None:
    orchestration = shop()
    path = f"/orchestrations/{orchestration.pk}/restore"
    error = api("POST", path, body, status=422)["error"]
    assert fields is None or error["fields"] == fields
    assert orchestration.versions.count() == 4


def test_a_version_is_copied_once_per_key(api: Api) -> None:
    orchestration = shop()
    path = f"/orchestrations/{orchestration.pk}/copy"
    body = {"version": 3, "name": "Mine", "parts": ["schedules", "notifications"]}
    made = api("POST", path, body, status=201, **{"Idempotency-Key": "k1"})
    again = api("POST", path, body, status=201, **{"Idempotency-Key": "k1"})
    assert made == again
    copy = Orchestration.objects.get(name="Mine")
    assert (made["id"], made["version"], len(made["phases"])) == (copy.pk, 1, 1)
    assert [s.is_enabled for s in copy.schedules.all()] == [False]
    assert copy.notifications.get().recipient == "https://hooks.slack.com/…efgh"
    plain = api("POST", path, {}, status=201)
    assert (plain["name"], plain["phases"]) == ("Copy of Store", [])
