from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from orchestrations.exceptions import InvalidOrchestration
from orchestrations.models import Orchestration
from orchestrations.services import orchestrations as service
from orchestrations.services.restoring import copy_orchestration, restore_version
from tests.builders import make_component, make_configuration, make_orchestration

pytestmark = pytest.mark.django_db
FIELD = "phases.0.tasks.0.orchestration"
MISSING = "This orchestration does not exist."


def make(name: str, *inside: Orchestration) -> Orchestration:
    """An orchestration with others, or with one configuration, as its tasks."""
    if inside:
        return make_orchestration([inside], name=name)
    return make_orchestration([[make_configuration(make_component())]], name=name)


def nest(outer: Orchestration, *inner: Orchestration | int, **fields: Any) -> None:
    """Save these as the only tasks of another."""
    tasks: Any = [{"orchestration": getattr(o, "pk", o)} for o in inner]
    outer.refresh_from_db()
    service.save_orchestration(
        outer, user=None, expected_version=outer.version, phases=[{"tasks": tasks}], **fields
    )


def refused(work: Callable[[], Any]) -> dict[str, str]:
    with pytest.raises(InvalidOrchestration) as caught:
        work()
    return caught.value.fields


def test_one_inside_itself_is_refused_by_name() -> None:
    nightly = make("Nightly")
    assert refused(lambda: nest(nightly, nightly)) == {
        FIELD: "Nightly → Nightly would run inside itself."
    }


def test_a_circle_is_refused_with_the_whole_chain() -> None:
    shop = make("Shop")
    middle = make("Middle", shop)
    nightly = make("Nightly", middle)
    assert refused(lambda: nest(shop, nightly)) == {
        FIELD: "Shop → Nightly → Middle → Shop would run inside itself."
    }
    assert refused(lambda: nest(shop, middle)) == {
        FIELD: "Shop → Middle → Shop would run inside itself."
    }


def test_each_wrong_task_is_told_and_by_the_new_name() -> None:
    shop, fine = make("Shop"), make("Fine")
    nightly = make("Nightly", shop)
    assert refused(lambda: nest(shop, fine, nightly, 999_999, name="Store")) == {
        "phases.0.tasks.1.orchestration": "Store → Nightly → Store would run inside itself.",
        "phases.0.tasks.2.orchestration": MISSING,
    }
    shop.refresh_from_db()
    assert (shop.name, shop.version) == ("Shop", 1)


def test_too_deep_is_refused_from_the_top_the_bottom_and_the_middle() -> None:
    d = make("D")
    c = make("C", d)
    b = make("B", c)
    deep = {FIELD: "A → B → C → D: orchestrations may be nested 2 deep at most."}
    assert refused(lambda: make("A", b)) == deep
    top = make("A", make("X"))
    assert refused(lambda: nest(top, b)) == deep
    # what is above a child gets deeper with it
    low, lower = make("Low"), make("Lower")
    high = make("Higher", make("High", low))
    assert refused(lambda: nest(low, lower)) == {
        FIELD: "Higher → High → Low → Lower: orchestrations may be nested 2 deep at most."
    }
    nest(high, lower)
    nest(low, lower)


def test_what_a_save_takes_out_no_longer_counts() -> None:
    a, b = make("A"), make("B")
    nest(a, b)
    nest(a, make("C"))
    nest(b, a)


def test_the_limit_is_a_setting(settings: Settings) -> None:
    settings.NESTING_LIMIT = 1
    inner = make("Inner")
    outer = make("Outer", inner)
    assert refused(lambda: make("Outermost", outer)) == {
        FIELD: "Outermost → Outer → Inner: orchestrations may be nested 1 deep at most."
    }


def test_long_names_are_shortened_in_a_chain() -> None:
    long = make("L" * 200)
    [text] = refused(lambda: nest(long, long)).values()
    assert text == f"{'L' * 59}… → {'L' * 59}… would run inside itself."


def test_one_in_the_trash_counts_and_can_come_back() -> None:
    shop = make("Shop")
    nightly = make("Nightly", shop)
    service.move_to_trash(nightly, user=None)
    assert refused(lambda: nest(shop, nightly)) == {
        FIELD: "Shop → Nightly (in the trash) → Shop would run inside itself."
    }
    nest(shop, make("Other"))
    service.restore_from_trash(nightly)
    assert Orchestration.objects.get(pk=nightly.pk).deleted_at is None


def test_restoring_a_version_is_checked() -> None:
    shop, plain = make("Shop"), make("Plain")
    nightly = make("Nightly", shop)
    nest(nightly, plain)
    nest(shop, nightly)
    assert refused(lambda: restore_version(nightly, 1, user=None)) == {
        FIELD: "Nightly → Shop → Nightly would run inside itself."
    }
    nightly.refresh_from_db()
    assert nightly.version == 2


def test_a_copy_nests_as_deep_as_what_it_is_copied_from() -> None:
    c = make("C")
    a = make("A", make("B", c))
    copy = copy_orchestration(a, user=None)
    assert refused(lambda: make("Above", copy)) == {
        FIELD: "Above → Copy of A → B → C: orchestrations may be nested 2 deep at most."
    }


def queries_of_nesting(count: int) -> int:
    inner = [make(f"Inner {number}") for number in range(count)]
    outer = make("Outer")
    with CaptureQueriesContext(connection) as queries:
        nest(outer, *inner)
    return len(queries)


def test_checking_costs_the_same_for_any_number() -> None:
    assert queries_of_nesting(1) == queries_of_nesting(3)
