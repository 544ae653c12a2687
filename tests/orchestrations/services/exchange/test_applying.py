from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.models import Configuration, ConfigurationVersion
from components.services.configurations import move_to_trash
from orchestrations.models import Orchestration, OrchestrationVersion, Schedule, Trigger
from orchestrations.services.exchange.applying import apply
from orchestrations.services.exchange.documents import Selection
from orchestrations.services.exchange.problems import ExchangeError
from orchestrations.services.orchestrations import move_to_trash as trash_orchestration
from orchestrations.services.orchestrations import save_orchestration
from tests.builders import make_component, make_user
from tests.orchestrations.services.exchange.conftest import (
    WEBHOOK,
    WITH_SECRETS,
    apply_text,
    exported,
    plan_text,
)

pytestmark = pytest.mark.django_db
PLAN = Path(__file__).with_name("plan.txt")


def wrong(text: str, **options: Any) -> list[str]:
    with pytest.raises(ExchangeError) as refused:
        apply_text(text, **options)
    return str(refused.value).splitlines()


def counts() -> tuple[int, ...]:
    models: tuple[Any, ...] = (
        Configuration,
        ConfigurationVersion,
        Orchestration,
        OrchestrationVersion,
        Schedule,
        Trigger,
    )
    return tuple(model.objects.count() for model in models)


SMALL = """\
configurations:
  orders:
    component: ex-test
    name: Orders
orchestrations:
  nightly:
    name: Nightly
    phases:
      - name: Load
        tasks:
          - configuration: orders
"""


def test_a_file_by_hand_makes_keys_of_its_own_that_stay() -> None:
    make_component("ex-test")
    assert apply_text(SMALL) == [
        ("create", "configuration", "orders"),
        ("create", "orchestration", "nightly"),
    ]
    phase = Orchestration.objects.get().phases.get()
    assert (phase.key, phase.tasks.get().key) == ("load", "orders")
    assert apply_text(SMALL) == []
    assert exported() == f"version: 1\n{SMALL}"


def test_all_that_differs_is_changed_in_one_version(project: Orchestration) -> None:
    text = exported()
    versions = counts()[3]
    changed = (
        text.replace("0 6 * * 1-5", "30 7 * * 1-5")
        .replace("cooldown: 20", "cooldown: 90")
        .replace("bob@example.com", "carl@example.com")
        .replace("retries: 3", "retries: 4")
        .replace("city: Prague", "city: Brno")
    )
    assert apply_text(changed) == [("change", "orchestration", "nightly")]
    assert counts()[3] == versions + 1
    project.refresh_from_db()
    definition = project.versions.get(number=project.version).definition
    assert [s["cron"] for s in definition["schedules"]] == ["30 7 * * 1-5", "0 12 * * *"]
    assert (Schedule.objects.count(), Trigger.objects.count()) == (2, 1)  # the same rows
    assert project.versions.get(number=project.version).change == (
        "Changed variable “city”; set the retries of task “Shop DB” to 4; "
        "changed schedules and triggers."
    )
    assert exported() == changed
    assert apply_text(changed) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("cooldown: 20", "cooldown: 90", "Changed triggers from a file."),
        ("0 6 * * 1-5", "0 7 * * 1-5", "Changed schedules from a file."),
        (
            "ann@example.com",
            "eve@example.com",
            "Notifications: added eve@example.com (Errors); removed ann@example.com (Errors).",
        ),
        ("retries: 3", "retries: 4", "Set the retries of task “Shop DB” to 4."),
    ],
)
def test_the_version_says_what_was_changed(
    project: Orchestration, old: str, new: str, sentence: str
) -> None:
    user = make_user(name="ada")
    apply({"p.yaml": exported().replace(old, new)}, user=user)
    project.refresh_from_db()
    latest = project.versions.get(number=project.version)
    assert (latest.change, latest.created_by) == (sentence, user)


def test_a_rename_keeps_the_key_either_way(project: Orchestration) -> None:
    text = exported()
    assert apply_text(text.replace("name: Nightly", "name: Daily")) == [
        ("change", "orchestration", "nightly")
    ]
    project.refresh_from_db()
    assert (project.name, project.key) == ("Daily", "nightly")
    save_orchestration(project, user=None, expected_version=project.version, name="Weekly")
    assert exported() == text.replace("name: Nightly", "name: Weekly")


def test_what_no_file_names_stays_unless_it_is_asked_for(project: Orchestration) -> None:
    text = exported()
    head, rest = text.split("orchestrations:\n")
    inner, nightly = rest.split("  nightly:\n")
    assert apply_text(f"orchestrations:\n{inner}") == []
    assert counts()[2] == 2
    assert wrong(f"orchestrations:\n  nightly:\n{nightly}", prune=True) == [
        f"{place}: No file names it, but it is a task of “Nightly”."
        for place in (
            "configurations.shop-db",
            "configurations.zlutoucky-kun",
            "orchestrations.inner",
        )
    ]
    assert not Orchestration.objects.exclude(deleted_at=None).exists()
    assert apply_text(f"{head}orchestrations:\n{inner}", prune=True) == [
        ("remove", "orchestration", "nightly")
    ]
    assert list(Orchestration.objects.exclude(deleted_at=None)) == [project]


def test_what_is_in_the_trash_comes_back(project: Orchestration) -> None:
    text = exported()
    shop = Configuration.objects.get(key="shop-db")
    move_to_trash(shop, user=None)
    trash_orchestration(project, user=None)
    assert apply_text(text) == [
        ("restore", "configuration", "shop-db"),
        ("restore", "orchestration", "nightly"),
    ]
    assert exported() == text
    assert apply_text(text) == []


@pytest.mark.usefixtures("project")
def test_only_what_is_selected_is_applied() -> None:
    changed = exported().replace("name: Nightly", "name: N").replace("name: Inner", "name: I")
    changed = changed.replace("name: Shop DB", "name: S")
    selection = Selection(["orchestrations/inner", "configurations"])
    assert apply_text(changed, selection=selection) == [
        ("change", "configuration", "shop-db"),
        ("change", "orchestration", "inner"),
    ]
    assert apply_text("", selection=Selection(["orchestrations/nightly"]), prune=True) == [
        ("remove", "orchestration", "nightly")
    ]
    assert wrong(changed, selection=Selection(["schedules"])) == [
        "--only “schedules” names neither configurations nor orchestrations."
    ]


@pytest.mark.usefixtures("project")
def test_one_wrong_thing_at_the_end_changes_nothing(empty: Callable[[], None]) -> None:
    text = exported()
    empty()
    before = counts()
    last = text.rindex("to: bob@example.com")
    bad = text[:last] + "to: nobody\n" + text[last + len("to: bob@example.com\n") :]
    [line] = wrong(bad, sources=WITH_SECRETS)
    assert line == (
        "p.yaml:79 orchestrations.nightly.notifications[2].to: “nobody” is neither an e-mail "
        "address nor a URL that starts with https://."
    )
    assert counts() == before


@pytest.mark.usefixtures("project")
def test_a_plan_says_what_would_change_and_changes_nothing() -> None:
    text = exported()
    before = counts()
    changed = (
        text.replace("0 6 * * 1-5", "30 7 * * 1-5")
        .replace("retries: 3", "retries: 4")
        .replace("pages: 5", "pages: 7")
        .replace("  FROM orders", "  FROM all_orders")
        .replace("    enabled: false\n    phases", "    phases")
        + "  extra:\n    name: Extra\n    phases:\n      - name: One\n        tasks:\n"
        "          - configuration: shop-db\n    triggers:\n      - tables: [in.c-a.b]\n"
    )
    assert plan_text(changed) == PLAN.read_text().rstrip()
    assert (counts(), exported()) == (before, text)
    apply_text(changed)
    assert plan_text(changed) == "Nothing to do."
    assert plan_text(text, prune=True).endswith(
        "- orchestration extra “Extra”: to the trash\n\n3 to change, 1 to move to the trash."
    )


def test_the_webhook_is_kept_or_given(project: Orchestration) -> None:
    text = exported()
    stored = project.notifications.get(key="slack").address
    assert apply_text(text.replace("cooldown: 20", "cooldown: 21"), sources=WITH_SECRETS)
    assert project.notifications.get(key="slack").address == stored
    reference = "${secret:orchestrations/nightly/notifications/slack}"
    clear = text.replace(reference, WEBHOOK).replace("cooldown: 20", "cooldown: 21")
    assert apply_text(clear) == []
