from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from components.models import Bucket, Configuration, Job, Table
from orchestrations.models import Orchestration
from orchestrations.queries.palette import EACH, MOST, Item, palette
from tests.builders import (
    make_component,
    make_configuration,
    make_empty_orchestration,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> User:
    return make_user(role="Editor")


def titles(text: str, user: User, *recent: str) -> list[str]:
    return [item.title for item in palette(text, user=user, recent=recent).items]


def make_table(key: str) -> Table:
    bucket, _ = Bucket.objects.get_or_create(key="in.c-a", stage="in", name="a")
    return Table.objects.create(bucket=bucket, key=key, name=key)


def test_everything_with_a_name_is_found(editor: User) -> None:
    orchestration = make_empty_orchestration(name="Nightly sales")
    component = make_component("zz", name="Zzz")
    configuration = make_configuration(component, name="Sales of Nick")
    table = make_table("in.c-a.night-sales")
    thrown = timezone.now()
    make_empty_orchestration(name="Night thrown away", deleted_at=thrown)
    make_configuration(component, name="Night thrown away", deleted_at=thrown)
    found = palette("nigh", user=editor).items
    assert found == [
        Item(
            "Nightly sales",
            f"/orchestrations/{orchestration.pk}/",
            "hierarchy-2",
            "Orchestration",
            key=f"o:{orchestration.pk}",
        ),
        Item(
            "in.c-a.night-sales",
            table.get_absolute_url(),
            "table",
            "Table",
            key="t:in.c-a.night-sales",
        ),
    ]
    (first, *_) = palette("sales nick", user=editor).items
    assert first == Item(
        "Sales of Nick",
        f"/configurations/{configuration.pk}/",
        component.icon,
        "Configuration",
        note="Zzz",
        key=f"c:{configuration.pk}",
        tone="extractor",
    )


def test_actions_follow_a_verb(editor: User) -> None:
    orchestration = make_empty_orchestration(name="Nightly")
    configuration = make_configuration(name="Nightly orders")
    assert titles("run nig", editor)[0] == "Run Nightly"
    assert titles("automate nig", editor)[0] == "Automate Nightly orders"
    (run, *_) = palette("run nig", user=editor).items
    assert (run.url, run.is_dialog) == (f"/orchestrations/{orchestration.pk}/run/", True)
    (automate, *_) = palette("auto orders", user=editor).items
    assert (automate.url, automate.is_dialog) == (
        f"/configurations/{configuration.pk}/automate/",
        True,
    )
    assert titles("new orch", editor)[0] == "New orchestration"
    assert titles("new configuration of http", editor)[0].startswith("New configuration of HTTP")
    assert titles("dark", editor)[0] == "Switch to the dark theme"


def test_runs_and_jobs_are_found_by_number(editor: User) -> None:
    run = make_run(make_empty_orchestration(name="Nightly"))
    configuration = make_configuration(name="Orders")
    job = Job.objects.create(
        pk=run.pk,
        component=configuration.component,
        configuration=configuration,
        configuration_name="Orders",
        configuration_version=1,
    )
    for text in (str(run.pk), f"#{run.pk}"):
        assert {f"Run {run.pk}", f"Job {job.pk}"} <= set(titles(text, editor))
    (first, *_) = palette(f"job {job.pk}", user=editor).items
    assert (first.title, first.note) == (f"Job {job.pk}", "Orders, Created")
    assert titles("9" * 40, editor) == []


def test_what_was_chosen_lately_comes_first(editor: User) -> None:
    old, new = (make_empty_orchestration(name=name) for name in ("Sales old", "Sales new"))
    configuration, table = make_configuration(name="Config"), make_table("in.c-a.t")
    gone = make_empty_orchestration(name="Gone", deleted_at=timezone.now())
    recent = [f"c:{configuration.pk}", "t:in.c-a.t", f"o:{gone.pk}", f"o:{old.pk}", "p:jobs"]
    nonsense = ["", "x", "o:x", "o:", f"o:{10**30}", "t:", "p:burn", "c:٣"]
    found = titles("", editor, *recent, *nonsense)
    assert found[:5] == ["Config", table.key, "Sales old", "Jobs", "Dashboard"]
    assert len(found) == len(set(found)) == MOST
    assert titles("sales", editor)[:2] == ["Sales new", "Sales old"]
    assert titles("sales", editor, f"o:{old.pk}")[:2] == ["Sales old", "Sales new"]
    assert new.pk != old.pk


def test_nobody_is_offered_what_they_may_not_do() -> None:
    make_empty_orchestration(name="Nightly")
    make_configuration(name="Nightly")
    users = {role: make_user(role=role) for role in ("Viewer", "Operator", "Editor", "Admin")}
    users["none"] = make_user()
    asked = ("run nightly", "automate nightly", "new orchestration", "administration", "nightly")
    offered = {
        role: [text for text in asked if text in [t.lower() for t in titles(text, user)]]
        for role, user in users.items()
    }
    assert offered == {
        "Viewer": ["nightly"],
        "Operator": ["run nightly", "nightly"],
        "Editor": ["run nightly", "automate nightly", "new orchestration", "nightly"],
        "Admin": list(asked),
        "none": [],
    }
    recent = [f"o:{Orchestration.objects.get().pk}"]
    assert "Nightly" not in titles("", users["none"], *recent)
    assert titles("", users["Viewer"], *recent)[0] == "Nightly"


@pytest.mark.parametrize("count", [1, 3])
def test_it_costs_a_constant_number_of_queries(
    editor: User, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        make_configuration(make_component(), name="Run")
        make_empty_orchestration(name="Run")
    editor = User.objects.get(pk=editor.pk)
    editor.has_perm("x")
    with django_assert_num_queries(5):
        palette("run", user=editor)
    recent = [f"c:{pk}" for pk in Configuration.objects.values_list("pk", flat=True)]
    with django_assert_num_queries(1):
        palette("", user=editor, recent=recent)


def test_each_kind_has_its_share(editor: User) -> None:
    for _ in range(20):
        make_empty_orchestration(name="Sales")
    make_configuration(name="All the sales of the shop")
    found = palette("sales", user=editor).items
    assert [item.kind for item in found] == ["Orchestration"] * EACH + ["Configuration"]
