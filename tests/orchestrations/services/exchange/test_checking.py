"""What is wrong in a file is said with its line and place, all of it at once."""

from __future__ import annotations

import pytest

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.services.exchange.problems import ExchangeError
from tests.builders import make_component
from tests.orchestrations.services.exchange.conftest import SCHEMA, WEBHOOK, apply_text

pytestmark = pytest.mark.django_db


def wrong(text: str) -> list[str]:
    with pytest.raises(ExchangeError) as refused:
        apply_text(text)
    assert not Configuration.objects.exists()
    assert not Orchestration.objects.exists()
    return str(refused.value).splitlines()


def test_forms_are_checked_everywhere() -> None:
    text = """\
configurations:
  Bad Key: {component: ex-test, name: A}
  a: {component: 1, nam: A}
  b: []
orchestrations:
  n:
    name: 2026
    enabled: "yes"
    variables: {city: 5}
    phases:
      - tasks:
          - {configuration: a, orchestration: n}
          - {retries: many}
        depends_on: [1]
    schedules:
      - {cron: "61 * * * *", overlap: never, misfire_limit: 0}
      - {cron: "0 * * * *", timezone: Mars/Base, valid_from: yesterday}
      - {}
    triggers:
      - {tables: [1], cooldown: 2.5}
      - {tables: [orders], cooldown: 0}
    notifications:
      - {event: never, channel: pigeon}
"""
    assert wrong(text) == [
        (
            "p.yaml:2 configurations.Bad Key: “Bad Key” cannot be a key: a key has small letters, "
            "digits, - and _, and begins with a letter or digit."
        ),
        *(
            f"p.yaml:3 configurations.a{rest}"
            for rest in (
                ".component: This must be a text; put it into quotes.",
                ".nam: There is no “nam” here.",
                ": Say its name.",
            )
        ),
        *wrong(text)[4:],
    ]
    said = wrong(text)
    for line in (
        "p.yaml:4 configurations.b: This must be a group of names and values.",
        "p.yaml:7 orchestrations.n.name: This must be a text; put it into quotes.",
        "p.yaml:8 orchestrations.n.enabled: This must be true or false.",
        (
            "p.yaml:12 orchestrations.n.phases[0].tasks[0]: Name what it runs: one `configuration` or "
            "one `orchestration`."
        ),
        "p.yaml:13 orchestrations.n.phases[0].tasks[1].retries: This must be a whole number.",
        (
            "p.yaml:14 orchestrations.n.phases[0].depends_on[0]: This must be a text; put it into "
            "quotes."
        ),
        (
            "p.yaml:16 orchestrations.n.schedules[0].overlap: This takes one of: queue_one, skip, "
            "queue_all, terminate."
        ),
        (
            "p.yaml:17 orchestrations.n.schedules[1].valid_from: Use a moment with its zone, such as "
            "2026-11-01T06:00:00+00:00."
        ),
        "p.yaml:18 orchestrations.n.schedules[2]: Say its cron.",
        (
            "p.yaml:20 orchestrations.n.triggers[0].tables[0]: This must be a text; put it into "
            "quotes."
        ),
        "p.yaml:20 orchestrations.n.triggers[0].cooldown: This must be a whole number.",
        (
            "p.yaml:21 orchestrations.n.triggers[1].tables: “orders” is no table id; a table is named "
            "like in.c-sales.orders."
        ),
        "p.yaml:23 orchestrations.n.notifications[0]: Say its to.",
    ):
        assert line in said
    assert any(line.startswith("p.yaml:16 orchestrations.n.schedules[0].cron:") for line in said)
    assert any(
        line.startswith("p.yaml:17 orchestrations.n.schedules[1].timezone:") for line in said
    )


def test_what_services_refuse_is_led_back_to_its_line() -> None:
    make_component("ex-test", schema={**SCHEMA, "additionalProperties": False})
    text = f"""\
configurations:
  a:
    component: ex-test
    name: A
    parameters:
      pages: many
      other: 1
    output:
      - source: x
        destination: nowhere
  b: {{component: ex-none, name: B}}
orchestrations:
  n:
    name: N
    phases:
      - name: One
        tasks:
          - configuration: orders
          - configuration: a
  m:
    name: M
    notifications:
      - {{event: error, to: nobody}}
      - {{event: error, to: "{WEBHOOK} x"}}
"""
    said = wrong(text)
    assert [line.replace(" a table is named like in.c-sales.orders.", "") for line in said[:4]] == [
        "p.yaml:5 configurations.a.parameters: There is no such parameter: other.",
        "p.yaml:6 configurations.a.parameters.pages: This must be a whole number.",
        "p.yaml:10 configurations.a.output[0].destination: “nowhere”:",
        "p.yaml:11 configurations.b.component: There is no component “ex-none”.",
    ]
    assert (
        "p.yaml:18 orchestrations.n.phases[0].tasks[0]: there is no configuration “orders”" in said
    )
    assert any(line.startswith("p.yaml:23 orchestrations.m.notifications[0].to:") for line in said)
    assert WEBHOOK not in "\n".join(said)


def test_orchestrations_inside_each_other_are_named() -> None:
    text = """\
orchestrations:
  a: {name: A, phases: [{tasks: [{orchestration: b}]}]}
  b: {name: B, phases: [{tasks: [{orchestration: a}]}]}
"""
    [line] = wrong(text)
    assert line == "p.yaml:2 orchestrations.a: It would run inside itself: a → b → a."
