from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Run
from orchestrations.queries.run_search import run_fields, run_values, runs_found
from orchestrator_site.lib.search_fields import understand
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_run,
    make_user,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def found(text: str, user: User | None = None) -> list[int]:
    search = understand(text, run_fields(), now=NOW)
    assert search.problems == ()
    rows = runs_found(search, user=user, now=NOW).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def test_each_key_finds_what_it_names() -> None:
    ann = make_user(name="ann")
    shop, weekly = (make_empty_orchestration(name=name) for name in ("The Shop", "Weekly"))
    one = make_run(
        shop,
        status=RunStatus.ERROR,
        reason="“Orders” failed: no such host.",
        created_by=ann,
        started_at=NOW - timedelta(seconds=100),
        ended_at=NOW - timedelta(seconds=50),
    ).pk
    other = make_run(
        weekly,
        status=RunStatus.PROCESSING,
        started_by=StartedBy.SCHEDULE,
        started_at=NOW - timedelta(seconds=40),
    ).pk
    Run.objects.filter(pk=one).update(created_at=NOW - timedelta(days=2))
    Run.objects.filter(pk=other).update(created_at=NOW)
    expected = {
        "": [one, other],
        "status:error,warning": [one],
        'orchestration:"the shop"': [one],
        f"orchestration:{weekly.pk}": [other],
        "-orchestration:shop": [other],
        "user:ann": [one],
        "-user:ann": [other],
        "startedBy:schedule": [other],
        "created:2026-11-23": [one],
        "created:>-1d": [other],
        "duration:>45": [one],
        "duration:<45": [other],
        "error:host": [one],
        "-error:host": [other],
        "shop": [one],
        '"no such host"': [one],
        "-shop": [other],
        str(other): [other],
        f"id:>{one}": [other],
        "weekly status:error": [],
    }
    assert {text: found(text) for text in expected} == expected
    assert found("user:me", ann) == [one]


def test_runs_are_found_by_the_components_of_their_tasks(control: Control) -> None:
    targets = make_configuration("ex-http"), make_configuration("tr-sql")
    one, other = (make_run(make_orchestration([[target]])) for target in targets)
    for run in (one, other):
        control.advance(run)
    assert found("component:ex-http") == [one.pk]
    assert found("-component:ex-http") == [other.pk]
    assert found("component:ex-http,tr-sql status:processing") == [one.pk, other.pk]


def test_the_search_that_the_lists_have_in_common_is_understood() -> None:
    text = "status:error durationSeconds:>120 -user:ada component:ex-http created:>2026-11-01"
    make_configuration("ex-http")
    assert found(text) == []


def test_values_are_offered() -> None:
    make_empty_orchestration(name="The Shop")
    make_empty_orchestration(name="Weekly")
    assert run_values("orchestration", "shop") == [("The Shop", "")]
    assert run_values("user", "") == [("me", "yourself")]
    assert run_values("id", "") == []
