"""Files applied by several at once, and while people save: one after the other, nothing lost."""

from __future__ import annotations

import pytest

from components.models import Configuration
from components.services.configurations import update_configuration
from orchestrations.models import Orchestration
from tests.builders import make_component
from tests.orchestrations.services.exchange.conftest import apply_text, exported
from tests.threads import at_once

pytestmark = [pytest.mark.postgres_database, pytest.mark.django_db(transaction=True)]

TEXT = "version: 1\nconfigurations:\n" + "".join(
    f"  c-{n}: {{component: ex-test, name: C {n}, description: first}}\n" for n in range(5)
)
FLOW = """\
orchestrations:
  flow:
    name: Flow
    phases: [{tasks: [{configuration: c-1}]}]
    schedules: [{cron: "0 6 * * *"}]
"""


def test_of_two_that_apply_the_same_change_one_makes_it() -> None:
    make_component("ex-test")
    apply_text(TEXT + FLOW)
    for turn in range(5):
        changed = (TEXT + FLOW).replace("first", f"turn {turn}").replace("0 6", f"{turn} 7")
        done = at_once(*[lambda text=changed: apply_text(text)] * 3)
        assert sorted(map(len, done)) == [0, 0, 6]
    assert list(Configuration.objects.values_list("version", flat=True)) == [6] * 5
    assert Orchestration.objects.get().version == 6


def test_what_a_person_saves_meanwhile_is_not_lost() -> None:
    make_component("ex-test")
    apply_text(TEXT)
    row = Configuration.objects.get(key="c-3")

    def save() -> None:
        for number in range(10):
            update_configuration(row, user=None, parameters={"mine": number})

    def apply() -> None:
        for _ in range(5):
            apply_text(TEXT.replace("first", "second").replace("  c-3:", "  # c-3:"))

    at_once(save, apply, exported)
    row.refresh_from_db()
    assert (row.parameters, row.description, row.version) == ({"mine": 9}, "first", 11)
    assert Configuration.objects.get(key="c-4").description == "second"
