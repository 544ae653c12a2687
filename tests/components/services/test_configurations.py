from __future__ import annotations

from typing import Any

import pytest

from components.enums import ComponentType
from components.exceptions import EditConflict, InvalidConfiguration, NotAllowed
from components.models import Component, Configuration, ConfigurationVersion
from components.services.configurations import (
    copy_configuration,
    create_configuration,
    move_to_trash,
    purge,
    restore_from_trash,
    restore_version,
    update_configuration,
)
from components.services.jobs import create_job
from orchestrator_site.lib.secrets import HIDDEN, decrypt_tree
from tests.builders import make_component, make_user

pytestmark = pytest.mark.django_db

SCHEMA = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "minLength": 1},
        "name": {"type": "string"},
        "#key": {"type": "string"},
    },
    "required": ["url", "name"],
}


@pytest.fixture
def component() -> Component:
    return make_component(type_=ComponentType.EXTRACTOR, schema=SCHEMA)


def changes(configuration: Configuration) -> list[tuple[int, str]]:
    return list(configuration.versions.order_by("number").values_list("number", "change"))


def test_a_draft_needs_a_name_only_and_can_be_renamed(component: Component) -> None:
    user = make_user()
    draft = create_configuration(component, user=user, name="  Orders ")
    renamed = update_configuration(draft, user=user, name="Sales")

    assert (renamed.name, renamed.parameters, renamed.version) == ("Sales", {}, 2)
    assert changes(renamed) == [(1, "Created"), (2, "Renamed to Sales")]
    assert ConfigurationVersion.objects.get(number=1).created_by == user


def test_every_missing_parameter_is_named(component: Component) -> None:
    draft = create_configuration(component, user=None, name="Orders")
    with pytest.raises(InvalidConfiguration) as caught:
        update_configuration(draft, user=None, parameters={"#key": "k"}, output=[{}])
    assert caught.value.fields == {
        "parameters.url": "Fill this in.",
        "parameters.name": "Fill this in.",
        "output.0.source": "Name the source.",
        "output.0.destination": "Name the table; a table is named like in.c-sales.orders.",
    }
    assert changes(draft) == [(1, "Created")]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({"name": " "}, {"name": "Give the configuration a name."}),
        ({"name": "x" * 201}, {"name": "Use 200 characters or fewer."}),
        ({"name": "a\0b"}, {"name": "A text holds a NUL character; remove it."}),
        (
            {"parameters": {"url": "\ud800", "name": "x"}},
            {"parameters": "A text holds half of a surrogate pair, which is no character."},
        ),
        (
            {"parameters": {"url": "x", "name": "x", "n": float("inf")}},
            {"parameters": "A number is too large."},
        ),
        (
            {"parameters": {"url": "x" * 4_200_000, "name": "x"}},
            {"parameters": "The configuration has 4200034 bytes; 4194304 are allowed."},
        ),
    ],
    ids=["blank name", "long name", "NUL", "surrogate", "infinite", "large"],
)
def test_what_cannot_be_stored_is_refused_at_its_field(
    component: Component, content: Any, fields: dict[str, str]
) -> None:
    draft = create_configuration(component, user=None, name="Orders")
    with pytest.raises(InvalidConfiguration) as caught:
        update_configuration(draft, user=None, **content)
    assert caught.value.fields == fields


def test_saving_what_is_there_already_makes_no_version(component: Component) -> None:
    content = {"url": "u", "name": "n", "#key": "secret"}
    made = create_configuration(component, user=None, name="Orders", parameters=content)
    again = update_configuration(
        made, user=None, name="Orders", parameters={"url": "u", "name": "n", "#key": HIDDEN}
    )
    assert again.version == 1
    assert decrypt_tree(again.parameters) == content
    assert "secret" not in str(again.parameters)


def test_the_second_of_two_saves_is_told_who_was_first(component: Component) -> None:
    made = create_configuration(component, user=None, name="Orders")
    update_configuration(made, user=make_user(name="ada"), name="Ada's", expected_version=1)
    with pytest.raises(EditConflict) as caught:
        update_configuration(made, user=None, name="Mine", expected_version=1)
    assert caught.value.message == (
        "Version 2 was saved by ada while you were editing version 1. "
        "Look at what changed, then save again."
    )
    assert Configuration.objects.get().name == "Ada's"


def test_an_older_version_comes_back_as_a_new_one_even_a_draft(component: Component) -> None:
    made = create_configuration(component, user=None, name="Orders")
    made = update_configuration(made, user=None, parameters={"url": "u", "name": "n"})
    restored = restore_version(made, number=1, user=None)
    assert (restored.parameters, restored.version) == ({}, 3)
    assert changes(restored)[-1] == (3, "Restored version 1")


def test_a_copy_has_the_secrets_and_a_history_of_its_own(component: Component) -> None:
    content = {"url": "u", "name": "n", "#key": "secret"}
    made = create_configuration(component, user=None, name="x" * 200, parameters=content)
    copy = copy_configuration(made, name="", user=None)
    named = copy_configuration(made, name="Second", user=None)

    assert copy.name == "x" * 193 + " (copy)"
    assert decrypt_tree(copy.parameters) == content
    assert changes(named) == [(1, f"Copied from {'x' * 200}, version 1")]


def test_the_trash_keeps_it_unchanged_until_it_is_restored(component: Component) -> None:
    made = create_configuration(component, user=None, name="Orders")
    with pytest.raises(NotAllowed):
        purge(made)
    move_to_trash(made, user=make_user(name="ada"))
    move_to_trash(made, user=None)
    made.refresh_from_db()
    assert str(made.deleted_by) == "ada"
    with pytest.raises(NotAllowed):
        update_configuration(made, user=None, name="New")
    with pytest.raises(NotAllowed):
        restore_version(made, number=1, user=None)

    restore_from_trash(made)
    made.refresh_from_db()
    assert (made.deleted_at, made.name, made.version) == (None, "Orders", 1)
    move_to_trash(made, user=None)
    made.refresh_from_db()
    purge(made)
    assert list(Configuration.objects.all()) == []


def test_a_configuration_that_runs_does_not_go_to_the_trash(component: Component) -> None:
    made = create_configuration(component, user=None, name="Orders")
    create_job(made)
    with pytest.raises(NotAllowed, match="terminate it first"):
        move_to_trash(made, user=None)
    made.refresh_from_db()
    assert made.deleted_at is None
