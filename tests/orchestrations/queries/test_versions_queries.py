from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from orchestrations.models.orchestration import Definition
from orchestrations.queries.differences import as_text
from orchestrations.queries.versions import compare
from orchestrations.services.orchestrations import save_orchestration
from orchestrator_site.lib.secrets import Vault, site_keys
from tests.builders import make_configuration, make_orchestration

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("tasks", [1, 3])
def test_names_are_looked_up_in_two_queries(
    django_assert_num_queries: DjangoAssertNumQueries, tasks: int
) -> None:
    nested = make_orchestration([], name="Nested")
    configurations = [make_configuration(name=f"C{number}") for number in range(tasks)]
    orchestration = make_orchestration([configurations])
    save_orchestration(
        orchestration,
        user=None,
        expected_version=1,
        phases=[{"key": "p1", "name": "Phase 1", "tasks": [{"orchestration": nested.pk}]}],
    )
    old, new = (version.definition for version in orchestration.versions.order_by("number"))
    with django_assert_num_queries(2):
        found = compare(old, new)
    assert as_text(found) == [
        "Tasks",
        "  + Nested in phase “Phase 1”",
        *[f"  - C{number} from phase “Phase 1”" for number in range(tasks)],
    ]


def test_of_a_webhook_only_host_and_end_are_shown() -> None:
    orchestration = make_orchestration([])
    old: Definition = orchestration.versions.get().definition
    url = Vault(site_keys()).encrypt("https://hooks.example.com/services/T0/secret")
    rows: list[dict[str, Any]] = [
        {"key": "a", "event": "error", "channel": "slack", "address": url, "threshold": None},
        {"key": "b", "event": "error", "channel": "slack", "address": "odd", "threshold": None},
        {"key": "c", "event": "error", "channel": "email", "address": "a@b.c", "threshold": None},
    ]
    new: Any = {**old, "notifications": rows}
    assert as_text(compare(old, new)) == [
        "Notifications",
        "  + Errors to https://hooks.example.com/…cret by Slack",
        "  + Errors to a URL that cannot be read by Slack",
        "  + Errors to a@b.c by E-mail",
    ]
