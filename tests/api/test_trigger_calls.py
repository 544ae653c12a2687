from __future__ import annotations

from typing import Any

import pytest

from components.models import ApiToken
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Run, Trigger
from orchestrations.services import triggers
from tests.api.test_calls import Api, api
from tests.builders import make_empty_orchestration, make_trigger, update_table

__all__ = ["api"]

ORDERS, ITEMS = "in.c-shop.orders", "in.c-shop.items"
pytestmark = pytest.mark.django_db


def test_a_trigger_is_made_changed_listed_and_removed(api: Api) -> None:
    orchestration = make_empty_orchestration()
    update_table(ORDERS)
    path = f"/orchestrations/{orchestration.pk}/triggers"
    body = {"name": "Shop", "tables": [ORDERS, ITEMS], "cooldown": 20, "variables": {"a": "b"}}
    made = api("POST", path, body, status=201)
    imported_at = made["tables"][1].pop("imported_at")
    assert imported_at is not None
    assert made == {
        "id": made["id"],
        "orchestration": orchestration.pk,
        "name": "Shop",
        "is_enabled": True,
        "kind": "tables",
        "source": None,
        "outcomes": [],
        "place": "",
        "pattern": "",
        "problem": "",
        "hook": None,
        "cooldown": 20,
        "needs": "all",
        "quorum": 1,
        "fresh_for": None,
        "fallback_after": None,
        "variables": {"a": "b"},
        "last_run_at": None,
        "is_ready": False,
        "came": 0,
        "waiting_since": None,
        "falls_back_at": None,
        "usual_arrivals": {},
        "cools_until": None,
        "queued_run": None,
        "own_tables": [],
        "tables": [
            {**_table(ITEMS), "is_missing": True, "is_stale": False, "imported_at": None},
            _table(ORDERS),
        ],
    }
    one = f"/triggers/{made['id']}"
    assert api("PATCH", one, {"cooldown": 7, "tables": [ORDERS]})["cooldown"] == 7
    assert api("PATCH", one, {"is_enabled": False})["is_enabled"] is False
    assert [t["key"] for t in api("GET", one)["tables"]] == [ORDERS]
    assert [t["id"] for t in api("GET", path)] == [made["id"]]
    api("DELETE", one, status=204)
    assert api("GET", path) == []
    for method in ("GET", "PATCH", "DELETE"):
        api(method, one, {}, status=404)
    changes = orchestration.versions.order_by("number").values_list("change", flat=True)
    assert list(changes) == [
        "Created",
        "Added trigger “Shop”.",
        (
            "Changed trigger “Shop”: tables: in.c-shop.items, in.c-shop.orders → "
            "in.c-shop.orders; at most one run in: 20 minutes → 7 minutes."
        ),
        "Changed trigger “Shop”: switched off.",
        "Removed trigger “Shop”.",
    ]
    assert orchestration.versions.get(number=2).created_by == api.user


def _table(key: str) -> dict[str, Any]:
    return {
        "key": key,
        "is_ready": False,
        "is_missing": False,
        "is_stale": False,
        "updated_at": None,
        "version": None,
    }


def test_what_is_wrong_is_said_by_field(api: Api) -> None:
    path = f"/orchestrations/{make_empty_orchestration().pk}/triggers"
    answer = api("POST", path, {"tables": ["orders"], "cooldown": 0}, status=422)
    assert answer["error"]["fields"] == {
        "tables": "“orders” is no table id; a table is named like in.c-sales.orders.",
        "cooldown": "This takes a whole number of minutes from 1 to 44640.",
    }
    assert api("POST", path, {"tables": [ORDERS], "table": 1}, status=422)["error"]["fields"]
    assert not Trigger.objects.exists()


def test_all_of_an_orchestration_or_one_of_them_are_removed(api: Api) -> None:
    orchestration = make_empty_orchestration()
    first, second, third = (make_trigger(ORDERS, orchestration=orchestration) for _ in range(3))
    other = make_trigger(ORDERS)
    path = f"/orchestrations/{orchestration.pk}/triggers"
    api("DELETE", f"{path}?trigger={other.pk}", status=404)
    api("DELETE", f"{path}?trigger={second.pk}", status=204)
    assert [t["id"] for t in api("GET", path)] == [first.pk, third.pk]
    api("DELETE", path, status=204)
    assert api("GET", path) == []
    assert list(Trigger.objects.filter(deleted_at=None)) == [other]


def test_a_run_names_the_updates_that_started_it(api: Api) -> None:
    trigger = make_trigger(ORDERS)
    update_table(ORDERS)
    [pk] = triggers.fire_ready([trigger.pk])
    run = api("GET", f"/runs/{pk}")
    assert (run["started_by"], run["trigger"]) == ("trigger", trigger.pk)
    assert [(u["table"], u["version"]) for u in run["updates"]] == [(ORDERS, 1)]
    state = api("GET", f"/triggers/{trigger.pk}")
    assert (state["queued_run"], state["is_ready"]) == (pk, False)
    assert state["cools_until"] > state["last_run_at"]


def test_running_now_happens_once_for_each_key(api: Api) -> None:
    trigger = make_trigger(ORDERS, ITEMS)
    update_table(ORDERS)
    path = f"/triggers/{trigger.pk}/run"
    answers = [api("POST", path, status=202, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0] == answers[1]
    run = Run.objects.get()
    token = ApiToken.objects.get()
    assert (run.started_by, run.status) == (StartedBy.API, RunStatus.CREATED)
    assert (run.created_by, run.token_name) == (token.user, token.name)
    assert [u["table"] for u in answers[0]["updates"]] == [ORDERS]
