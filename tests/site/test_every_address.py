"""Who may open which address of the pages, and how: an address without a row here fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from orchestrations.models import Calendar, TaskRun
from tests.builders import (
    make_configuration,
    make_orchestration,
    make_run,
    make_schedule,
    make_trigger,
    make_user,
)
from tests.storage_tables import KEY, load

pytestmark = pytest.mark.django_db

NEVER, OPEN, ANYBODY, VIEWER, OPERATOR, EDITOR, ADMIN = range(-1, 6)
ROLES = {None: ANYBODY, "Viewer": VIEWER, "Operator": OPERATOR, "Editor": EDITOR, "Admin": ADMIN}
OTHERS = ("api/v1/", "admin/", "hooks/<slug:key>/", "metrics")  # have tests of their own

# What GET and what POST need at least.
ADDRESSES = {
    "favicon.ico": (OPEN, OPEN),
    "admin/login/": (OPEN, OPEN),
    "accounts/login/": (OPEN, OPEN),
    "accounts/logout/": (NEVER, OPEN),
    "accounts/password/": (ANYBODY, ANYBODY),
    "accounts/password/done/": (ANYBODY, NEVER),
    "components/": (VIEWER, NEVER),
    "components/<str:key>/": (VIEWER, NEVER),
    "components/<str:key>/new/": (EDITOR, EDITOR),
    "configurations/tables/": (VIEWER, NEVER),
    "configurations/<int:pk>/": (VIEWER, NEVER),
    "configurations/<int:pk>/save/": (NEVER, EDITOR),
    "configurations/<int:pk>/test/": (NEVER, EDITOR),
    "configurations/<int:pk>/run/": (NEVER, OPERATOR),
    "configurations/<int:pk>/jobs/": (VIEWER, NEVER),
    "configurations/<int:pk>/copy/": (NEVER, EDITOR),
    "configurations/<int:pk>/trash/": (NEVER, EDITOR),
    "configurations/<int:pk>/restore/": (NEVER, EDITOR),
    "configurations/<int:pk>/versions/": (VIEWER, NEVER),
    "configurations/<int:pk>/versions/compare/": (VIEWER, NEVER),
    "configurations/<int:pk>/versions/<int:number>/restore/": (NEVER, EDITOR),
    "configurations/<int:pk>/^(?P<field>name|description)/$": (EDITOR, EDITOR),
    "configurations/<int:pk>/^(?P<field>name|description)/shown/$": (VIEWER, NEVER),
    "jobs/": (VIEWER, NEVER),
    "jobs/search/": (VIEWER, NEVER),
    "jobs/<int:pk>/": (VIEWER, NEVER),
    "jobs/<int:pk>/log/": (VIEWER, NEVER),
    "jobs/<int:pk>/log/download/": (VIEWER, NEVER),
    "jobs/<int:pk>/terminate/": (OPERATOR, OPERATOR),
    "audit/": (ADMIN, NEVER),
    "audit/export/": (ADMIN, NEVER),
    "audit/<str:word>/<int:pk>/": (VIEWER, NEVER),
    "storage/": (VIEWER, NEVER),
    "storage/upload/": (EDITOR, EDITOR),
    "storage/buckets/<str:key>/": (VIEWER, NEVER),
    "storage/buckets/<str:key>/delete/": (NEVER, EDITOR),
    "storage/tables/<str:key>/": (VIEWER, NEVER),
    "storage/tables/<str:key>/upload/": (EDITOR, EDITOR),
    "storage/tables/<str:key>/export/": (VIEWER, NEVER),
    "storage/tables/<str:key>/delete/": (EDITOR, EDITOR),
    "storage/tables/<str:key>/versions/<int:version>/restore/": (NEVER, EDITOR),
    "configurations/<int:pk>/automate/": (EDITOR, EDITOR),
    "orchestrations/<int:pk>/schedules/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/schedules/new/": (EDITOR, EDITOR),
    "schedules/<int:pk>/": (EDITOR, EDITOR),
    "schedules/<int:pk>/switch/": (NEVER, OPERATOR),
    "schedules/<int:pk>/delete/": (EDITOR, EDITOR),
    "schedules/<int:pk>/slots/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/triggers/new/": (EDITOR, EDITOR),
    "orchestrations/<int:pk>/triggers/new/<slug:kind>/": (EDITOR, EDITOR),
    "triggers/<int:pk>/": (EDITOR, EDITOR),
    "triggers/<int:pk>/secret/": (NEVER, EDITOR),
    "triggers/<int:pk>/switch/": (NEVER, OPERATOR),
    "triggers/<int:pk>/run/": (NEVER, OPERATOR),
    "triggers/<int:pk>/delete/": (EDITOR, EDITOR),
    "calendars/": (VIEWER, NEVER),
    "calendars/new/": (EDITOR, EDITOR),
    "calendars/<int:pk>/": (VIEWER, EDITOR),
    "calendars/<int:pk>/delete/": (EDITOR, EDITOR),
    "": (VIEWER, NEVER),
    "sample/": (NEVER, EDITOR),
    "orchestrations/": (VIEWER, NEVER),
    "orchestrations/bulk/": (NEVER, OPERATOR),
    "orchestrations/new/": (EDITOR, EDITOR),
    "orchestrations/tasks/choices/": (EDITOR, NEVER),
    "orchestrations/<int:pk>/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/details/": (EDITOR, EDITOR),
    "orchestrations/<int:pk>/tasks/": (EDITOR, EDITOR),
    "orchestrations/<int:pk>/runs/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/slots/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/run/": (OPERATOR, OPERATOR),
    "orchestrations/<int:pk>/enabled/": (NEVER, OPERATOR),
    "orchestrations/<int:pk>/copy/": (EDITOR, EDITOR),
    "orchestrations/<int:pk>/trash/": (NEVER, EDITOR),
    "export/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/export/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/versions/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/versions/compare/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/versions/<int:number>/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/versions/<int:number>/restore/": (EDITOR, EDITOR),
    "runs/": (VIEWER, NEVER),
    "runs/search/": (VIEWER, NEVER),
    "runs/<int:pk>/": (VIEWER, NEVER),
    "runs/<int:pk>/log/": (VIEWER, NEVER),
    "runs/<int:pk>/log/download/": (VIEWER, NEVER),
    "runs/<int:pk>/tasks/<int:task>/attempts/": (VIEWER, NEVER),
    "runs/<int:pk>/retry/": (OPERATOR, OPERATOR),
    "runs/<int:pk>/terminate/": (OPERATOR, OPERATOR),
    "runs/<int:pk>/tasks/<int:task>/terminate/": (OPERATOR, OPERATOR),
    "configurations/<int:pk>/orchestrations/": (VIEWER, NEVER),
    "jobs/<int:pk>/run/": (VIEWER, NEVER),
    "tokens/": (VIEWER, NEVER),
    "tokens/new/": (VIEWER, VIEWER),
    "tokens/<int:pk>/rename/": (VIEWER, VIEWER),
    "tokens/<int:pk>/revoke/": (NEVER, VIEWER),
    "orchestrations/<int:pk>/token/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/token/refresh/": (EDITOR, EDITOR),
    "trash/": (VIEWER, NEVER),
    "trash/restore/": (NEVER, EDITOR),
    "trash/purge/": (EDITOR, EDITOR),
    "search/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/notifications/": (VIEWER, EDITOR),
    "orchestrations/<int:pk>/notifications/card/": (VIEWER, NEVER),
    "orchestrations/<int:pk>/notifications/secret/": (NEVER, EDITOR),
    "orchestrations/<int:pk>/notifications/<slug:key>/test/": (NEVER, EDITOR),
    "orchestrations/<int:pk>/notifications/<slug:key>/channel/": (NEVER, EDITOR),
    "orchestrations/<int:pk>/deliveries/": (VIEWER, NEVER),
    "deliveries/<int:pk>/retry/": (NEVER, OPERATOR),
    "runs/<int:pk>/deliveries/": (VIEWER, NEVER),
    "bell/": (VIEWER, NEVER),
    "bell/count/": (VIEWER, NEVER),
    "bell/seen/": (NEVER, VIEWER),
    "palette/": (ANYBODY, NEVER),  # offers each what that one may see
    "retention/": (ADMIN, ADMIN),
    "timeline/": (VIEWER, NEVER),
    "status/": (VIEWER, NEVER),
    "status/banner/": (VIEWER, NEVER),
    "status/slots/count/": (NEVER, ADMIN),
    "healthz": (OPEN, NEVER),
    "readyz": (OPEN, NEVER),
}


def addresses(
    patterns: Sequence[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[str]:
    """Yield each address of the pages as it is written in the code."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            if route not in OTHERS:
                yield route
        elif route not in OTHERS:
            yield from addresses(each.url_patterns, route)


def project() -> dict[str, int]:
    """Make one of each; return the ids by the first word of the addresses they stand in."""
    configuration = make_configuration("ex-http")
    orchestration = make_orchestration([[configuration]])
    load("SELECT 1 AS id")
    run = make_run(orchestration)
    task = TaskRun.objects.create(
        run=run, key="t1", phase=0, phase_key="p1", phase_name="Phase 1", position=0, name="Orders"
    )
    return {
        "configurations": configuration.pk,
        "orchestrations": orchestration.pk,
        "runs": run.pk,
        "task": task.pk,
        "calendars": Calendar.objects.create(name="Holidays").pk,
        "schedules": make_schedule(None, orchestration=orchestration).pk,
        "triggers": make_trigger(KEY, orchestration=orchestration).pk,
    }


def path_of(route: str, ids: dict[str, int]) -> str:
    key = {"tables": KEY, "buckets": KEY.rpartition(".")[0]}
    words = route.split("/")
    known = next((text for word, text in key.items() if word in words), "ex-http")
    values = {
        "<int:pk>": ids.get(words[0], 999_999),
        "<int:task>": ids["task"],
        "<int:number>": 1,
        "<int:version>": 1,
        "<str:key>": known,
        "<slug:key>": "t1",
        "<slug:kind>": "webhook",
        "<str:word>": "orchestration",
        "(?P<field>name|description)": "name",
    }
    for place, value in values.items():
        route = route.replace(place, str(value))
    return "/" + re.sub(r"[\^$]", "", route)


def statuses(client: Client, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Make requests, each without an effect on the next; return their statuses."""
    ids, found = project(), {}
    for method, route in wanted:
        with transaction.atomic():
            answer = client.generic(method, path_of(route, ids))
            if answer.streaming:
                answer.getvalue()  # a file is closed when it was read
            found[method, route] = answer.status_code
            transaction.set_rollback(True)
    return found


def rows() -> list[tuple[str, str, int]]:
    return [
        (method, route, need)
        for route, needs in ADDRESSES.items()
        for method, need in zip(("GET", "POST"), needs, strict=True)
    ]


def test_the_table_holds_every_address() -> None:
    assert sorted(addresses()) == sorted(ADDRESSES)


@pytest.mark.parametrize("role", ROLES)
def test_who_may_not_is_refused(role: str | None) -> None:
    client = Client()
    client.force_login(make_user(role=role))
    wanted = [(method, route) for method, route, need in rows() if need > ROLES[role]]
    assert statuses(client, wanted) == dict.fromkeys(wanted, 403)


@pytest.mark.parametrize("role", ROLES)
def test_the_smallest_role_that_may_is_let_in(role: str | None) -> None:
    client = Client()
    client.force_login(make_user(role=role))
    wanted = [(method, route) for method, route, need in rows() if need == ROLES[role]]
    found = statuses(client, wanted)
    assert {row: code for row, code in found.items() if code not in {200, 302, 404, 422}} == {}


def test_a_number_that_no_database_can_hold_is_not_found() -> None:
    client = Client(raise_request_exception=False)
    client.force_login(make_user(role="Admin"))
    ids = project()
    for method, route, need in rows():
        if need == NEVER or "<int:" not in route:
            continue
        for place in re.findall("<int:[^>]+>", route):
            path = path_of(route.replace(place, str(10**30)), ids)
            code = client.generic(method, path).status_code
            assert (method, path, code) == (method, path, 404)


def test_nobody_may_use_a_method_that_an_address_does_not_have() -> None:
    client = Client()
    client.force_login(make_user(role="Admin"))
    wanted = [(method, route) for method, route, need in rows() if need == NEVER]
    assert statuses(client, wanted) == dict.fromkeys(wanted, 405)


def test_a_stranger_is_sent_to_log_in() -> None:
    wanted = [(method, route) for method, route, need in rows() if need > OPEN]
    ids = project()
    for method, route in wanted:
        answer = Client().generic(method, path_of(route, ids))
        assert (route, answer.status_code) == (route, 302)
        assert answer["Location"].startswith("/accounts/login/?next=")


def test_what_is_posted_needs_the_token_against_forgery() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(role="Admin"))
    wanted = [(m, r) for m, r, need in rows() if m == "POST" and need not in {NEVER, OPEN}]
    assert statuses(client, wanted) == dict.fromkeys(wanted, 403)


def test_the_panel_is_for_administrators() -> None:
    for role, rank in ROLES.items():
        client = Client()
        client.force_login(make_user(role=role))
        code = client.get("/admin/").status_code
        assert (role, code) == (role, 200 if rank == ADMIN else 302)
