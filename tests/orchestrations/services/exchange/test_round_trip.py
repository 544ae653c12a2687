from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings

from components.models import Configuration, ConfigurationVersion
from orchestrations.enums import HeldPolicy, TriggerKind
from orchestrations.models import (
    Calendar,
    Orchestration,
    OrchestrationVersion,
    Schedule,
    Trigger,
)
from orchestrations.services.exchange.problems import ExchangeError
from orchestrations.services.schedules import update_schedule
from orchestrations.services.triggers import create_trigger
from orchestrator_site.lib.secrets import decrypt_tree
from tests.orchestrations.services.exchange.conftest import (
    SECRETS,
    WITH_SECRETS,
    apply_text,
    exported,
)

pytestmark = pytest.mark.django_db

NIGHTLY = """\
version: 1
configurations:
  shop-db:
    component: ex-test
    name: Shop DB
    description: |-
      From the shop.
      Every night.
    parameters:
      "#password": "${secret:configurations/shop-db/#password}"
      code: "0123"
      pages: 5
      servers:
        - "#token": "${secret:configurations/shop-db/servers/0/#token}"
          host: a
      sql: |
        SELECT *
          FROM orders
      url: "https://shop.example.com"
    output:
      - destination: in.c-shop.orders
        source: orders
  zlutoucky-kun:
    component: ex-test
    name: "Žluťoučký kůň"
orchestrations:
  inner:
    name: Inner
    enabled: false
    phases:
      - name: Only
        tasks:
          - configuration: zlutoucky-kun
  nightly:
    name: Nightly
    description: All of it
    variables:
      city: Prague
      day: "1"
    phases:
      - key: a1b2
        name: Extract
        tasks:
          - configuration: shop-db
            retries: 3
            parameters:
              "#key": "${secret:orchestrations/nightly/tasks/shop-db/#key}"
              size: 1
          - configuration: shop-db
            key: random
            active: false
      - name: Then
        tasks:
          - orchestration: inner
      - name: Then
        depends_on:
          - a1b2
        tasks:
          - configuration: zlutoucky-kun
    schedules:
      - cron: "0 12 * * *"
        enabled: false
      - name: Early
        cron: "0 6 * * 1-5"
        timezone: Europe/Prague
    triggers:
      - tables:
          - in.c-a.t_1
          - in.c-b.t
        cooldown: 20
    notifications:
      - event: error
        to: ann@example.com
      - event: error
        to: "${secret:orchestrations/nightly/notifications/slack}"
        channel: slack
        key: slack
      - event: processing
        to: bob@example.com
        threshold: 50
"""


@pytest.mark.usefixtures("project")
def test_the_text_is_as_written_here() -> None:
    assert exported() == NIGHTLY


@pytest.mark.usefixtures("project")
def test_no_secret_is_in_it() -> None:
    text = exported()
    assert "${secret:configurations/shop-db/#password}" in text  # there is something to leak
    for secret in SECRETS.values():
        assert secret not in text
    assert "enc::" not in text


@pytest.mark.usefixtures("project")
def test_exporting_applying_to_an_empty_installation_and_exporting_is_the_same(
    empty: Callable[[], None],
) -> None:
    text = exported()
    empty()
    assert apply_text(text, sources=WITH_SECRETS) == [
        ("create", "configuration", "shop-db"),
        ("create", "configuration", "zlutoucky-kun"),
        ("create", "orchestration", "inner"),
        ("create", "orchestration", "nightly"),
    ]
    assert exported() == text
    shop = Configuration.objects.get(key="shop-db")
    assert decrypt_tree(shop.parameters)["#password"] == "hunter2-and-more"
    assert shop.parameters["#password"].startswith("enc::")
    nightly = Orchestration.objects.get(name="Nightly")
    assert (nightly.version, nightly.versions.get().change) == (1, "Created from a file.")
    assert nightly.versions.get().definition["schedules"] != []
    # again, with secrets and without them
    assert apply_text(text, sources=WITH_SECRETS) == []
    assert apply_text(text) == []


@pytest.mark.usefixtures("project")
def test_applying_what_is_there_makes_no_version() -> None:
    before = (ConfigurationVersion.objects.count(), OrchestrationVersion.objects.count())
    text = exported()
    assert apply_text(text) == []
    assert (ConfigurationVersion.objects.count(), OrchestrationVersion.objects.count()) == before
    assert exported() == text


@pytest.mark.usefixtures("project")
def test_a_calendar_goes_by_its_name() -> None:
    calendar = Calendar.objects.create(name="Holidays of Czechia", country="CZ")
    schedule = Schedule.objects.get(name="Early")
    update_schedule(schedule, calendar=calendar, on_held=HeldPolicy.MOVE)
    text = exported()
    assert "        calendar: Holidays of Czechia\n        on_held: move\n" in text
    assert apply_text(text, sources=WITH_SECRETS) == []
    update_schedule(schedule, calendar=None)
    assert apply_text(text, sources=WITH_SECRETS) == [("change", "orchestration", "nightly")]
    schedule.refresh_from_db()
    assert schedule.calendar == calendar
    unknown = text.replace("Holidays of Czechia", "Holidays")
    with pytest.raises(ExchangeError, match="There is no calendar “Holidays”"):
        apply_text(unknown, sources=WITH_SECRETS)


OTHER_TRIGGERS = """\
    triggers:
      - tables:
          - in.c-a.t_1
          - in.c-b.t
        cooldown: 20
      - orchestration: inner
        outcomes:
          - error
          - success
        cooldown: 5
      - place: {place}
        pattern: "*.csv"
        cooldown: 5
      - webhook: true
        cooldown: 7
"""


@pytest.fixture
def with_triggers(project: Orchestration, settings: LazySettings, tmp_path: Path) -> Trigger:
    """Beside that of tables: after an orchestration, for files, and a webhook, which is given."""
    settings.WATCHED_PLACES = [str(tmp_path)]
    inner = Orchestration.objects.get(name="Inner")
    create_trigger(
        project,
        user=None,
        kind=TriggerKind.ORCHESTRATION,
        source_id=inner.pk,
        outcomes=["success", "error"],
    )
    create_trigger(project, user=None, kind=TriggerKind.FILES, place=str(tmp_path), pattern="*.csv")
    return create_trigger(project, user=None, kind=TriggerKind.WEBHOOK, cooldown=7)


def test_triggers_of_all_kinds_come_back_and_a_webhook_with_another_secret(
    with_triggers: Trigger, empty: Callable[[], None], tmp_path: Path
) -> None:
    text = exported()
    assert OTHER_TRIGGERS.format(place=tmp_path) in text
    assert with_triggers.hook_key
    assert str(with_triggers.hook_key) not in text
    empty()
    apply_text(text, sources=WITH_SECRETS)
    assert exported() == text
    assert apply_text(text) == []
    made = Trigger.objects.get(kind=TriggerKind.WEBHOOK)
    assert len(made.hook_secret) == len(with_triggers.hook_secret)
    assert made.hook_secret != with_triggers.hook_secret
    after = Trigger.objects.get(kind=TriggerKind.ORCHESTRATION)
    assert after.source == Orchestration.objects.get(name="Inner")


def test_what_stays_the_same_keeps_its_secret(with_triggers: Trigger) -> None:
    changed = (
        exported().replace("cooldown: 20", "cooldown: 30").replace("cooldown: 7", "cooldown: 8")
    )
    assert apply_text(changed, sources=WITH_SECRETS) == [("change", "orchestration", "nightly")]
    kept = Trigger.objects.get(pk=with_triggers.pk)
    assert (kept.deleted_at, kept.cooldown, kept.hook_key, kept.hook_secret) == (
        *(None, 8, with_triggers.hook_key, with_triggers.hook_secret),
    )


def test_a_file_without_a_trigger_removes_it(with_triggers: Trigger) -> None:
    text = exported().replace("      - webhook: true\n        cooldown: 7\n", "")
    assert apply_text(text, sources=WITH_SECRETS) == [("change", "orchestration", "nightly")]
    with_triggers.refresh_from_db()
    assert with_triggers.deleted_at is not None


@pytest.mark.usefixtures("with_triggers")
def test_what_a_trigger_waits_for_may_come_later_in_the_file(empty: Callable[[], None]) -> None:
    text = exported().replace("inner", "zz-last")
    empty()
    apply_text(text, sources=WITH_SECRETS)
    assert Trigger.objects.get(kind=TriggerKind.ORCHESTRATION).source.key == "zz-last"  # type: ignore[union-attr]  # it has one


@pytest.mark.usefixtures("with_triggers")
def test_an_orchestration_that_is_not_there_is_named_with_its_place() -> None:
    text = exported().replace(
        "- orchestration: inner\n        outcomes", "- orchestration: gone\n        outcomes"
    )
    with pytest.raises(ExchangeError) as caught:
        apply_text(text, sources=WITH_SECRETS)
    assert [str(problem) for problem in caught.value.problems] == [
        (
            "p.yaml:71 orchestrations.nightly.triggers[1].orchestration: "
            "there is no orchestration “gone”"
        )
    ]
