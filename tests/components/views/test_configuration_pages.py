from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from components.enums import JobStatus
from components.models import Component, Configuration, Job
from components.services.configurations import create_configuration, update_configuration
from components.services.jobs import create_job
from components.services.uploads import file_name
from orchestrator_site.lib.secrets import decrypt_tree
from tests.builders import finish_job, make_component, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
SCHEMA = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "minLength": 1},
        "#key": {"type": "string"},
        "rows": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
    },
    "required": ["url"],
}


@pytest.fixture
def configuration() -> Configuration:
    component = make_component("test-form", schema=SCHEMA, has_input=True, has_output=True)
    parameters = {"url": "http://a", "#key": "s3cret", "extra": 1}
    return create_configuration(
        component, user=make_user(name="ada"), name="Orders", parameters=parameters
    )


@pytest.fixture
def editor(client: Client) -> User:
    user = make_user(role="Editor", name="eve")
    client.force_login(user)
    return user


def url(name: str, configuration: Configuration, *more: Any) -> str:
    return reverse(f"configuration{name}", args=[configuration.pk, *more])


def typed(configuration: Configuration, **values: Any) -> dict[str, Any]:
    version = {"version": configuration.version, "base": configuration.version}
    return {**version, "parameters.url": "http://a", **values}


def said(response: Any) -> str:
    return str(json.loads(response["HX-Trigger"])["toast"]["message"])


def test_the_page_shows_the_form_without_secrets(
    client: Client, editor: User, configuration: Configuration
) -> None:
    page = client.get(configuration.get_absolute_url())
    content = page.content.decode()
    assert content.startswith("<!doctype html>")
    assert 'value="http://a"' in content
    assert ("s3cret" in content, configuration.parameters["#key"] in content) == (False, False)
    part = client.get(configuration.get_absolute_url(), headers=HTMX).content.decode()
    assert ("<html" in part, 'name="parameters.url"' in part) == (False, True)


def test_it_saves_a_version_and_keeps_what_the_form_does_not_show(
    client: Client, editor: User, configuration: Configuration
) -> None:
    data = typed(configuration, **{"parameters.url": "http://b"})
    answer = client.post(url("-save", configuration), data, headers=HTMX)
    assert said(answer) == "Saved as version 2."
    assert "configuration-changed" in json.loads(answer["HX-Trigger"])
    configuration.refresh_from_db()
    expected = {"url": "http://b", "#key": "s3cret", "extra": 1}
    assert decrypt_tree(configuration.parameters) == expected
    latest = configuration.versions.get(number=2)
    assert (latest.change, latest.created_by) == ("Changed url", editor)

    again = client.post(url("-save", configuration), typed(configuration) | {
        "parameters.url": "http://b"
    })  # fmt: skip
    assert (again.status_code, again["Location"]) == (302, configuration.get_absolute_url())
    assert configuration.versions.count() == 2


def test_wrong_input_is_kept_and_nothing_is_saved(
    client: Client, editor: User, configuration: Configuration
) -> None:
    data = typed(
        configuration,
        **{"parameters.url": "", "parameters.#key": "typed-secret", "input.row": "new"},
        **{"input.0.source": "orders", "input.0.destination": "kept alias"},
    )
    answer = client.post(url("-save", configuration), data, headers=HTMX)
    assert answer.status_code == 422
    content = answer.content.decode()
    assert "Fill this in." in content
    assert 'value="kept alias"' in content
    assert "typed-secret" not in content
    assert configuration.versions.count() == 1

    data["parameters.url"] = "http://b"
    answer = client.post(url("-save", configuration), data)
    assert answer.status_code == 422
    assert "“orders”: a table is named like in.c-sales.orders." in text_of(answer)


def test_the_mappings_are_saved(client: Client, editor: User, configuration: Configuration) -> None:
    data = typed(
        configuration,
        **{
            "input.row": "new",
            "input.0.source": "in.c-shop.orders",
            "input.0.columns": ["id", "price"],
            "input.0.where_column": "id",
            "input.0.where_operator": "ne",
            "input.0.where_values": "1\n2",
            "input.0.limit": "5",
            "output.row": "new",
            "output.0.source": "result",
            "output.0.destination": "out.c-shop.result",
            "output.0.incremental": "on",
            "output.0.primary_key": "id",
        },
    )
    client.post(url("-save", configuration), data)
    configuration.refresh_from_db()
    assert configuration.input == [
        {
            "source": "in.c-shop.orders",
            "columns": ["id", "price"],
            "where_column": "id",
            "where_operator": "ne",
            "where_values": ["1", "2"],
            "limit": 5,
        }
    ]
    assert configuration.output == [
        {
            "source": "result",
            "destination": "out.c-shop.result",
            "incremental": True,
            "primary_key": ["id"],
        }
    ]


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_rows_are_added_and_removed_without_saving(
    client: Client, editor: User, configuration: Configuration, headers: dict[str, str]
) -> None:
    data = typed(configuration, **{"add": "parameters.rows", "parameters.url": ""})
    added = client.post(url("-save", configuration), data, headers=headers)
    content = added.content.decode()
    assert added.status_code == 200
    assert content.count('name="parameters.rows.0.name"') == 1
    assert ("data-unsaved" in content, "Fill this in." in content) == (True, False)
    data = typed(configuration, **{"remove": "parameters.rows.0", "parameters.rows.row": "new"})
    removed = client.post(url("-save", configuration), data, headers=headers).content.decode()
    assert 'name="parameters.rows.0.name"' not in removed
    assert configuration.versions.count() == 1


def test_two_people_at_once_see_what_the_other_saved_and_decide(
    client: Client, editor: User, configuration: Configuration
) -> None:
    mine = typed(configuration, **{"parameters.url": "http://mine"})
    parameters = {"url": "http://theirs", "#key": "another secret", "extra": 1}
    update_configuration(configuration, user=make_user(name="bob"), parameters=parameters)

    told = client.post(url("-save", configuration), mine, headers=HTMX)
    text = text_of(told)
    assert told.status_code == 422
    assert "Version 2 was saved by bob while you were editing version 1." in text
    assert "url http://a http://theirs http://mine" in text
    assert 'value="http://mine"' in told.content.decode()
    assert "another secret" not in told.content.decode().replace("another secret</td>", "")
    configuration.refresh_from_db()
    assert configuration.parameters["url"] == "http://theirs"

    client.post(url("-save", configuration), mine | {"version": 2}, headers=HTMX)
    configuration.refresh_from_db()
    assert (configuration.version, configuration.parameters["url"]) == (3, "http://mine")


def test_raw_json_is_saved_with_the_marked_secret_kept(
    client: Client, editor: User, configuration: Configuration
) -> None:
    page = client.get(configuration.get_absolute_url() + "?mode=raw").content.decode()
    assert "s3cret" not in page
    raw = '{"url": "http://raw", "#key": "••••••••", "rows": [{"odd": 1}]}'
    data = {"mode": "raw", "version": 1, "base": 1, "raw": raw}
    assert said(client.post(url("-save", configuration), data, headers=HTMX)) == (
        "Saved as version 2."
    )
    configuration.refresh_from_db()
    expected = {"url": "http://raw", "#key": "s3cret", "rows": [{"odd": 1}]}
    assert decrypt_tree(configuration.parameters) == expected

    bad = client.post(
        url("-save", configuration), data | {"version": 2, "raw": '{\n"url": 1}'}, headers=HTMX
    )
    assert bad.status_code == 422
    assert 'data-error-line="2"' in bad.content.decode()
    assert "Line 2: url: This must be text." in text_of(bad)


def test_the_name_is_edited_in_place_and_the_form_beside_it_stays_current(
    client: Client, editor: User, configuration: Configuration
) -> None:
    where = url("-text", configuration, "name")
    assert 'value="Orders"' in client.get(where, headers=HTMX).content.decode()
    saved = client.post(where, {"text": "Sales", "version": 1}, headers=HTMX).content.decode()
    assert "Sales" in saved
    assert 'value="2" hx-swap-oob="true"' in saved
    stale = client.post(where, {"text": "Shop", "version": 1}, headers=HTMX).content.decode()
    assert "hx-swap-oob" not in stale
    blank = client.post(where, {"text": " "})
    assert (blank.status_code, "Give the configuration a name." in text_of(blank)) == (422, True)
    where = url("-text", configuration, "description")
    assert client.post(where, {"text": "**Daily**"})["Location"] == (
        configuration.get_absolute_url()
    )
    page = client.get(configuration.get_absolute_url()).content.decode()
    assert "<strong>Daily</strong>" in page
    client.post(where, {"text": ""})
    configuration.refresh_from_db()
    assert (configuration.name, configuration.description) == ("Shop", "")


def test_markdown_brings_no_markup_of_its_own(
    client: Client, editor: User, configuration: Configuration
) -> None:
    text = "<script>alert(1)</script> [x](javascript:alert(1))"
    update_configuration(configuration, user=None, description=text)
    page = client.get(configuration.get_absolute_url()).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert ("<script>alert" in page, 'href="javascript' in page) == (False, False)


def test_it_is_run_and_the_last_runs_are_asked_for_until_they_end(
    client: Client, editor: User, configuration: Configuration
) -> None:
    answer = client.post(url("-run", configuration), headers=HTMX)
    job = Job.objects.get()
    toast = json.loads(answer["HX-Trigger"])["toast"]
    assert (toast["message"], toast["url"]) == ("Orders was started.", f"/jobs/{job.pk}/")
    assert job.created_by == editor
    live = client.get(url("-jobs", configuration)).content.decode()
    assert live.count("every 2s") == 1
    finish_job(job, JobStatus.SUCCESS)
    ended = client.get(url("-jobs", configuration)).content.decode()
    assert ("every 2s" in ended, "Success" in ended) == (False, True)


def test_versions_are_compared_and_restored(
    client: Client, editor: User, configuration: Configuration
) -> None:
    update_configuration(configuration, user=editor, parameters={"url": "http://b", "#key": "n"})
    text = text_of(client.get(url("-compare", configuration)))
    assert "url http://a http://b" in text
    assert "#key a secret another secret" in text
    assert "extra 1 not set" in text
    assert client.get(url("-compare", configuration) + "?from=1&to=9").status_code == 404
    assert client.get(url("-compare", configuration) + "?from=x").status_code == 404
    client.post(url("-version-restore", configuration, 1))
    configuration.refresh_from_db()
    assert (configuration.version, decrypt_tree(configuration.parameters)["#key"]) == (3, "s3cret")
    listed = text_of(client.get(url("-versions", configuration)))
    assert "Restored version 1" in listed


def test_an_earlier_version_is_copied(
    client: Client, editor: User, configuration: Configuration
) -> None:
    update_configuration(configuration, user=editor, name="New", parameters={"url": "http://b"})
    answer = client.post(url("-copy", configuration), {"version": "1"}, follow=True)
    copy = Configuration.objects.exclude(pk=configuration.pk).get()
    assert (copy.name, copy.parameters["url"]) == ("Orders (copy)", "http://a")
    assert decrypt_tree(copy.parameters)["#key"] == "s3cret"
    assert "This is the copy of version 1 of New." in text_of(answer)
    assert client.post(url("-copy", configuration), {"version": "9"}).status_code == 404
    refused = client.post(url("-copy", configuration), {"name": "x" * 201}, follow=True)
    assert "Use 200 characters or fewer." in text_of(refused)
    assert Configuration.objects.count() == 2
    listed = client.get(url("-versions", configuration)).content.decode()
    assert f"{url('-compare', configuration)}?from=2&amp;to=1" in listed


def test_it_is_copied_thrown_away_and_restored(
    client: Client, editor: User, configuration: Configuration
) -> None:
    client.post(url("-copy", configuration))
    copy = Configuration.objects.get(name="Orders (copy)")
    assert decrypt_tree(copy.parameters)["#key"] == "s3cret"
    client.post(url("-trash", configuration))
    configuration.refresh_from_db()
    assert configuration.deleted_by == editor
    page = client.get(configuration.get_absolute_url())
    assert "This configuration is in the trash" in text_of(page)
    refused = client.post(url("-save", configuration), typed(configuration), headers=HTMX)
    assert (refused.status_code, "is in the trash" in text_of(refused)) == (422, True)
    assert Job.objects.count() == 0
    client.post(url("-run", configuration))
    assert Job.objects.count() == 0
    client.post(url("-restore", configuration))
    configuration.refresh_from_db()
    assert configuration.deleted_at is None


def test_a_file_is_kept_through_a_mistake_and_too_large_a_one_is_refused(
    client: Client, editor: User, settings: LazySettings, tmp_path: Any
) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/storage"
    upload = create_configuration(
        Component.objects.get(key="ex-upload"), user=editor, name="Budget"
    )
    given = SimpleUploadedFile("../bud get.csv", b"a,b\n1,2\n")
    data = {"version": 1, "base": 1, "add": "output", "parameters.file": given}
    draft = client.post(url("-save", upload), data).content.decode()
    kept = re.search(r'name="parameters.file.kept" value="([^"]+)"', draft)
    assert kept
    assert "bud get.csv" in draft
    data = {"version": 1, "base": 1, "parameters.file.kept": html.unescape(kept[1])}
    client.post(url("-save", upload), data)
    upload.refresh_from_db()
    assert file_name(upload.parameters["file"]) == "bud get.csv"

    settings.UPLOAD_LIMIT_MB = 1
    large = SimpleUploadedFile("large.csv", b"x" * (1024 * 1024 + 1))
    data = {"version": 2, "base": 2, "parameters.file": large}
    refused = client.post(url("-save", upload), data)
    assert refused.status_code == 422
    assert "The file has 1 MB; 1 MB are allowed." in text_of(refused)


CALLS = [
    ("get", "", [], "Viewer"),
    ("get", "-jobs", [], "Viewer"),
    ("get", "-versions", [], "Viewer"),
    ("get", "-compare", [], "Viewer"),
    ("get", "-text-shown", ["name"], "Viewer"),
    ("post", "-run", [], "Operator"),
    ("get", "-text", ["name"], "Editor"),
    ("post", "-text", ["name"], "Editor"),
    ("post", "-save", [], "Editor"),
    ("post", "-test", [], "Editor"),
    ("post", "-copy", [], "Editor"),
    ("post", "-trash", [], "Editor"),
    ("post", "-restore", [], "Editor"),
    ("post", "-version-restore", [1], "Editor"),
]
ROLES = ["Viewer", "Operator", "Editor", "Admin"]


@pytest.mark.parametrize(("method", "name", "more", "least"), CALLS)
def test_each_call_is_for_its_roles_and_methods_only(
    client: Client, configuration: Configuration, method: str, name: str, more: Any, least: str
) -> None:
    where = url(name, configuration, *more)
    login = client.get(where) if method == "get" else client.post(where)
    assert login["Location"].startswith("/accounts/login/")
    for role in [None, *ROLES]:
        client.force_login(make_user(role=role))
        allowed = role is not None and ROLES.index(role) >= ROLES.index(least)
        status = getattr(client, method)(where).status_code
        assert (status == 403) is not allowed, (role, status)
    other = "post" if method == "get" else "get"
    if name != "-text":
        assert getattr(client, other)(where).status_code == 405
    missing = reverse(f"configuration{name}", args=[999_999, *more])
    assert getattr(client, method)(missing).status_code == 404


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_what_a_person_may_not_do_is_not_offered(
    client: Client, configuration: Configuration, role: str
) -> None:
    client.force_login(make_user(role=role))
    page = client.get(configuration.get_absolute_url()).content.decode()
    assert ("Run component" in page) is (role == "Operator")
    absent = [">Save<", ">Reset<", "Automate", "Move to trash", ">Copy<", "Rename"]
    assert [word for word in absent if word in page] == []
    assert '<fieldset class="plain" disabled>' in page


def test_the_page_costs_the_same_with_one_run_and_with_three(
    client: Client,
    editor: User,
    configuration: Configuration,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    create_job(configuration, user=editor)
    client.get(configuration.get_absolute_url())
    for count in (1, 3):
        with django_assert_num_queries(9):
            client.get(configuration.get_absolute_url())
        for _ in range(3 - count):
            create_job(configuration, user=editor)
            update_configuration(configuration, user=editor, description=f"n{_}")
