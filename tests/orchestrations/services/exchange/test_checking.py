"""What is wrong in a file is said with its line and place, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.services.exchange.problems import ExchangeError
from tests.builders import make_component
from tests.orchestrations.services.exchange.conftest import SCHEMA, WEBHOOK, apply_text

pytestmark = pytest.mark.django_db
HERE = Path(__file__).parent


def wrong(text: str) -> list[str]:
    with pytest.raises(ExchangeError) as refused:
        apply_text(text)
    assert not Configuration.objects.exists()
    assert not Orchestration.objects.exists()
    return str(refused.value).splitlines()


def test_forms_are_checked_everywhere() -> None:
    said = "\n".join(wrong((HERE / "wrong.yaml").read_text()))
    assert f"{said}\n" == (HERE / "wrong.txt").read_text()


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
