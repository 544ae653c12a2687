"""What a search for jobs finds, against a slow and obvious reading of the same rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.enums import JobOrigin, JobStatus
from components.models import Job
from components.queries.job_search import job_fields, job_values, jobs_found
from orchestrator_site.lib.search_fields import understand
from tests.builders import make_component, make_configuration, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
S = JobStatus


def job(name: str = "Orders", **fields: Any) -> Job:
    component = fields.pop("component", None) or make_component()
    configuration = fields.pop("configuration", None) or make_configuration(component, name=name)
    created_at = fields.pop("created_at", NOW)
    made = Job.objects.create(
        component=configuration.component,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=1,
        **{"status": S.SUCCESS, **fields},
    )
    Job.objects.filter(pk=made.pk).update(created_at=created_at)
    made.refresh_from_db()
    return made


def found(text: str, user: User | None = None) -> list[int]:
    search = understand(text, job_fields(), now=NOW)
    assert search.problems == ()
    rows = jobs_found(search, user=user, now=NOW).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def test_each_key_finds_what_it_names() -> None:
    ann = make_user(name="ann")
    one = job(
        component=make_component("ex-one", name="The One"),
        created_by=ann,
        origin=JobOrigin.API,
        status=S.ERROR,
        error="No such host.",
        created_at=NOW - timedelta(days=2),
        started_at=NOW - timedelta(seconds=100),
        ended_at=NOW - timedelta(seconds=50),
    ).pk
    other = job("Customers", started_at=NOW - timedelta(seconds=40), status=S.PROCESSING).pk
    queued = job("Weekly", status=S.WAITING).pk
    expected = {
        "": [one, other, queued],
        "status:error,cancelled": [one],
        "-status:error": [other, queued],
        "component:ex-one": [one],
        "-component:ex-one": [other, queued],
        "configuration:order": [one],
        f"configuration:{Job.objects.get(pk=other).configuration_id}": [other],
        "user:ANN": [one],
        "-user:ann": [other, queued],
        "user:nobody": [],
        "startedBy:api": [one],
        "created:<-1d": [one],
        "created:2026-11-23": [one],
        "-created:2026-11-23": [other, queued],
        "ended:today": [one],
        "-ended:today": [other, queued],
        "duration:>45": [one],
        "duration:>30": [one, other],
        "duration:50": [one],
        "duration:..45": [other],
        "-duration:>45": [other, queued],
        'error:"SUCH host"': [one],
        "-error:host": [other, queued],
        f"id:>={other}": [other, queued],
        f"id:{one},{queued}": [one, queued],
        "customers": [other],
        "-customers": [one, queued],
        "the one": [one],
        '"such host"': [one],
        "o e -w": [one, other],
        f"#{other}": [other],
    }
    assert {text: found(text) for text in expected} == expected


def test_me_is_who_asks() -> None:
    ann, bob = make_user(), make_user(name="bob")
    mine, theirs = job(created_by=ann).pk, job(created_by=bob).pk
    assert (found("user:me", ann), found("-user:me", ann)) == ([mine], [theirs])
    assert (found("user:me,bob", ann), found("user:me")) == ([mine, theirs], [])


def test_jobs_of_a_configuration_that_is_gone_are_found_by_its_name() -> None:
    made = job("Gone")
    assert made.configuration is not None
    made.configuration.delete()
    assert (found("gone"), found("configuration:gone"), found("other")) == (
        [made.pk],
        [made.pk],
        [],
    )


def test_values_are_offered() -> None:
    make_user(name="ann")
    make_configuration(make_component("x", name="The X"), name="Orders")
    assert job_values("configuration", "ord") == [("Orders", "The X")]
    assert job_values("user", "an") == [("me", "yourself"), ("ann", "")]
    assert job_values("error", "") == []


def seconds(made: Job) -> float | None:
    if made.started_at is None:
        return None
    return ((made.ended_at or NOW) - made.started_at).total_seconds()


KNOWN: dict[str, Callable[[Job], bool]] = {
    "status:error": lambda j: j.status == S.ERROR,
    "status:success,processing": lambda j: j.status in {S.SUCCESS, S.PROCESSING},
    "duration:>60": lambda j: (seconds(j) or 0) > 60,
    "duration:..60": lambda j: seconds(j) is not None and (seconds(j) or 0) <= 60,
    "user:ann": lambda j: j.created_by is not None and j.created_by.username == "ann",
    "orders": lambda j: "orders" in j.configuration_name.lower() or "orders" in j.error,
    "error:host": lambda j: "host" in j.error,
    "created:>=2026-11-24": lambda j: j.created_at >= NOW - timedelta(hours=36),
    "ended:>-90s": lambda j: j.ended_at is not None and j.ended_at > NOW - timedelta(seconds=90),
}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(sorted(KNOWN))), max_size=4))
def test_conditions_all_hold_and_a_minus_turns_round(
    many_jobs: list[Job], chosen: list[tuple[bool, str]]
) -> None:
    text = " ".join(f"{'-' if negated else ''}{term}" for negated, term in chosen)
    expected = [
        made.pk
        for made in many_jobs
        if all(KNOWN[term](made) is not negated for negated, term in chosen)
    ]
    assert found(text) == expected


@pytest.fixture
def many_jobs() -> list[Job]:
    ann = make_user(name="ann")
    orders, weekly = make_configuration(name="Orders"), make_configuration(name="Weekly")
    times = [(None, None), (200, None), (10, None), (200, 100), (80, 70)]
    return [
        job(
            configuration=configuration,
            status=status,
            created_by=ann if number % 2 else None,
            error=error,
            created_at=NOW - timedelta(days=number % 4),
            started_at=begin and NOW - timedelta(seconds=begin),
            ended_at=end and NOW - timedelta(seconds=end),
        )
        for number, (configuration, error, (begin, end)) in enumerate(
            (c, e, t) for c in (orders, weekly) for e in ("", "No host for orders") for t in times
        )
        for status in (S.ERROR, S.SUCCESS)
    ]
