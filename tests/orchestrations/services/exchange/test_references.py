"""Secrets of files: kept, given, taken from elsewhere, and never where they could be read."""

from __future__ import annotations

from typing import Any

import pytest

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.services.exchange.problems import ExchangeError
from orchestrations.services.exchange.references import Sources
from orchestrator_site.lib.secrets import decrypt_tree
from tests.orchestrations.services.exchange.conftest import SECRETS, apply_text, exported, plan_text

pytestmark = pytest.mark.django_db
OWN = "${secret:configurations/shop-db/#password}"


def stored(key: str = "shop-db") -> Any:
    return decrypt_tree(Configuration.objects.get(key=key).parameters)


@pytest.mark.usefixtures("project")
def test_a_secret_that_is_given_replaces_the_stored_one() -> None:
    text = exported()
    given = Sources({"configurations/shop-db/#password": "new-password"})
    plan = plan_text(text, sources=given)
    assert "#password: a secret → another secret" in plan
    assert "new-password" not in plan
    assert len(apply_text(text, sources=given)) == 1
    assert stored()["#password"] == "new-password"
    assert apply_text(text, sources=given) == []
    assert exported() == text


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("written", "sources", "clear"),
    [
        (SECRETS["configurations/shop-db/#password"], Sources(), None),  # the same: no change
        ("in-clear", Sources(), "in-clear"),
        ("${env:SHOP}", Sources(environment={"SHOP": "from-there"}), "from-there"),
        ("${secret:configurations/shop-db/servers/0/#token}", Sources(), "tok-abcdef"),
        ("${secret:mine}", Sources({"mine": 42}), 42),
    ],
)
def test_where_a_secret_may_come_from(written: str, sources: Sources, clear: Any) -> None:
    text = exported().replace(f'"{OWN}"', f'"{written}"')
    assert len(apply_text(text, sources=sources)) == (0 if clear is None else 1)
    assert stored()["#password"] == (clear or "hunter2-and-more")
    assert Configuration.objects.get(key="shop-db").parameters["#password"].startswith("enc::")
    assert apply_text(text, sources=sources) == []


@pytest.mark.usefixtures("project")
def test_a_reference_elsewhere_stays_a_text() -> None:
    text = exported().replace('url: "https://shop.example.com"', f'url: "{OWN}"')
    apply_text(text)
    assert stored()["url"] == OWN


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("written", ["${env:SECRET_KEY}", "${secret:configurations/none/#x}"])
def test_what_cannot_be_found_is_named_and_nothing_is_changed(written: str) -> None:
    text = exported().replace(OWN, written).replace("name: Inner", "name: Other")
    with pytest.raises(ExchangeError, match=r"p\.yaml:10 configurations\.shop-db\.parameters"):
        apply_text(text)
    assert stored()["#password"] == "hunter2-and-more"
    assert Orchestration.objects.filter(name="Inner").exists()


@pytest.mark.usefixtures("project")
def test_secrets_in_lists_and_under_strange_names_come_through() -> None:
    strange = '"#list": [a-secret, {x: b-secret}]\n      "a/b": {"#c}d~e": c-secret}'
    apply_text(exported().replace(f'"#password": "{OWN}"', strange))
    text = exported()
    assert "${secret:configurations/shop-db/#list/1/x}" in text
    assert "${secret:configurations/shop-db/a~1b/#c~2d~0e}" in text
    assert apply_text(text) == []
    assert stored()["#list"] == ["a-secret", {"x": "b-secret"}]
    assert stored()["a/b"] == {"#c}d~e": "c-secret"}
