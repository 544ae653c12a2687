from __future__ import annotations

import gzip
import html
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client
from django.urls import reverse

from components.models import Bucket, Table, TableVersion
from components.services.jobs import create_job
from components.services.previews import preview
from tests.builders import make_configuration, make_user
from tests.pages import text_of
from tests.storage_tables import KEY, load, rows_of, values

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
CSV = b"id,name\n1,Ada\n2,Bob\n"


@pytest.fixture
def editor(client: Client) -> User:
    user = make_user(role="Editor", name="eve")
    client.force_login(user)
    return user


@pytest.fixture
def viewer(client: Client) -> User:
    user = make_user(role="Viewer", name="vera")
    client.force_login(user)
    return user


@pytest.fixture
def table() -> Table:
    load(values("(1, 'Ada')", "(2, NULL)"), key=["id"])
    return Table.objects.get(key=KEY)


def url(name: str, *more: Any, table: str = KEY) -> str:
    return reverse(f"table{name}", args=[table, *more])


def links(response: Any) -> list[str]:
    """The rows' main links."""
    found = re.findall(r'class="row-link[^"]*" href="([^"]+)"', response.content.decode())
    return [html.unescape(link) for link in found]


def cells(response: Any) -> list[list[str]]:
    """The rows of a preview."""
    body = response.content.decode().partition('class="table dense preview"')[2]
    rows = re.findall(r"<tr>(.*?)</tr>", body.partition("<tbody>")[2], re.DOTALL)
    return [
        [html.unescape(re.sub(r"<[^>]+>", "", c)) for c in re.findall(r"<td.*?</td>", row)]
        for row in rows
    ]


def file(content: bytes = CSV, name: str = "people.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


# Buckets and tables


def test_it_lists_buckets_with_their_sums(client: Client, viewer: User, table: Table) -> None:
    load(values("(1, 'a')"), table="in.c-shop.people")
    load(values("(1, 'a')"), table="out.c-report.totals")
    page = client.get(reverse("storage"))
    assert links(page) == [reverse("bucket", args=[k]) for k in ("in.c-shop", "out.c-report")]
    assert re.search(r"in\.c-shop 2 3 \d+", text_of(page))
    assert re.search(r"Tables 3 Rows 4 Size \d+", text_of(page))
    part = client.get(reverse("storage"), headers=HTMX)
    assert ("<html" in part.content.decode(), links(part)) == (False, links(page))


def test_it_lists_all_tables(client: Client, viewer: User, table: Table) -> None:
    load(values("(1, 'a')"), table="out.c-report.totals")
    page = client.get(reverse("storage"), {"tab": "tables"})
    assert links(page) == [url(""), url("", table="out.c-report.totals")]
    assert re.search(rf"{KEY} 2 2 \d", text_of(page))


def test_search_finds_in_both_tabs(client: Client, viewer: User, table: Table) -> None:
    load(values("(1, 'a')"), table="out.c-report.totals")
    found = [
        links(client.get(reverse("storage"), {"tab": tab, "q": words}))
        for tab, words in (("buckets", "order"), ("tables", "TOTAL"), ("tables", "nothing"))
    ]
    assert found == [
        [reverse("bucket", args=["in.c-shop"])],
        [url("", table="out.c-report.totals")],
        [],
    ]
    nothing = client.get(reverse("storage"), {"q": "nothing"})
    assert ("Nothing found" in text_of(nothing), 'value="nothing"' in nothing.content.decode()) == (
        True,
        True,
    )


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("tab", "queries"), [("buckets", 8), ("tables", 8)])
def test_a_list_costs_the_same_for_any_number(
    client: Client,
    viewer: User,
    count: int,
    tab: str,
    queries: int,
    django_assert_num_queries: Any,
) -> None:
    for number in range(count):
        load(values("(1, 'a')"), table=f"in.c-b{number}.t")
    client.get(reverse("storage"), {"tab": tab})
    with django_assert_num_queries(queries):
        client.get(reverse("storage"), {"tab": tab})


def test_empty_storage_offers_the_next_step(client: Client, editor: User) -> None:
    page = client.get(reverse("storage"))
    assert "Storage is empty" in text_of(page)
    client.force_login(make_user(role="Operator"))
    assert reverse("table-new") not in client.get(reverse("storage")).content.decode()


def test_a_bucket_lists_its_tables(client: Client, viewer: User, table: Table) -> None:
    load(values("(1, 'a')"), table="in.c-shop.people")
    load(values("(1, 'a')"), table="in.c-other.people")
    address = reverse("bucket", args=["in.c-shop"])
    assert links(client.get(address)) == [url(""), url("", table="in.c-shop.people")]
    part = client.get(address, {"q": "people"}, headers=HTMX)
    assert links(part) == [url("", table="in.c-shop.people")]
    assert "<html" not in part.content.decode()


def test_only_an_empty_bucket_is_deleted(client: Client, editor: User, table: Table) -> None:
    address = reverse("bucket-delete", args=["in.c-shop"])
    said = text_of(client.post(address, follow=True))
    assert "in.c-shop has tables; delete them first." in said
    client.post(url("-delete"))
    assert address in client.get(reverse("bucket", args=["in.c-shop"])).content.decode()
    assert "The bucket in.c-shop was deleted." in text_of(client.post(address, follow=True))
    assert Bucket.objects.count() == 0


# One table


def test_it_shows_what_a_table_holds(client: Client, viewer: User, table: Table) -> None:
    page = client.get(url(""))
    assert cells(page) == [["1", "Ada"], ["2", "null"]]
    text = text_of(page)
    for word in (f"{KEY}", "Primary key id", "All 2 rows.", "integer", "varchar"):
        assert word in text, word
    for name in ("-upload", "-delete"):
        assert url(name) not in page.content.decode()
    part = client.get(url(""), headers=HTMX).content.decode()
    assert ("<html" in part, 'id="table-preview"' in part) == (False, True)


def test_it_says_which_job_loaded_it(client: Client, viewer: User) -> None:
    job = create_job(make_configuration(name="Nightly load"))
    load(values("(1, 'a')"), job=job)
    assert f"by job {job.pk} of Nightly load" in text_of(client.get(url("")))


def test_rows_are_filtered(client: Client, viewer: User, table: Table) -> None:
    page = client.get(url(""), {"q": "ADA"})
    assert cells(page) == [["1", "Ada"]]
    assert "1 of 2 rows contains “ADA”." in text_of(page)
    none = client.get(url(""), {"q": "<b>"})
    assert (cells(none), "No such rows" in text_of(none)) == ([], True)
    assert "<b>" not in none.content.decode()


def test_a_long_table_is_cut_and_says_so(client: Client, viewer: User) -> None:
    load("SELECT range AS id, '<i>' AS v FROM range(1234)")
    page = client.get(url(""))
    assert (len(cells(page)), cells(page)[0]) == (100, ["0", "<i>"])
    assert "The first 100 of 1,234 rows." in text_of(page)


def test_its_columns_and_types(client: Client, viewer: User, table: Table) -> None:
    text = text_of(client.get(url(""), {"tab": "columns"}))
    assert "1 id INTEGER yes 2 v VARCHAR" in text


def test_who_uses_it(client: Client, viewer: User, table: Table) -> None:
    reader = make_configuration(name="Reader", input=[{"source": KEY}])
    writer = make_configuration(name="Writer", output=[{"source": "x", "destination": KEY}])
    make_configuration(name="Stranger", input=[{"source": "in.c-shop.people"}])
    page = client.get(url(""), {"tab": "uses"})
    assert links(page) == [reader.get_absolute_url(), writer.get_absolute_url()]
    assert [w in text_of(page) for w in ("reads", "writes", "Stranger")] == [True, True, False]


def test_its_versions_are_looked_at_and_restored(
    client: Client, editor: User, table: Table
) -> None:
    load(values("(3, 'Cyd')"))
    versions = client.get(url(""), {"tab": "versions"})
    assert links(versions) == ["?version=2", "?version=1"]
    assert versions.content.decode().count(url("-restore", 1)) == 1
    assert url("-restore", 2) not in versions.content.decode()
    earlier = client.get(url(""), {"version": "1"})
    assert cells(earlier) == [["1", "Ada"], ["2", "null"]]
    assert "You are looking at version 1" in text_of(earlier)
    current = client.get(url(""), {"version": "2"})
    assert (cells(current), "You are looking" in text_of(current)) == ([["3", "Cyd"]], False)
    back = client.post(url("-restore", 1), follow=True)
    assert "Version 1 is back, as version 3." in text_of(back)
    assert cells(back) == [["1", "Ada"], ["2", "null"]]
    assert TableVersion.objects.get(number=3).created_by == editor
    again = client.post(url("-restore", 3), follow=True)
    assert "Version 3 is the current one." in text_of(again)
    assert TableVersion.objects.count() == 3


@pytest.mark.parametrize("version", ["7", "0", "x", "-1", "9" * 30])
def test_a_version_that_is_not_there(
    client: Client, editor: User, table: Table, version: str
) -> None:
    assert client.get(url(""), {"version": version}).status_code == 404
    assert client.get(url("-export"), {"version": version}).status_code == 404


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("tab", "queries"), [("versions", 8), ("uses", 7), ("columns", 6)])
def test_a_tab_costs_the_same_for_any_number(
    client: Client,
    viewer: User,
    count: int,
    tab: str,
    queries: int,
    django_assert_num_queries: Any,
) -> None:
    for _ in range(count):
        configuration = make_configuration(input=[{"source": KEY}])
        load(values("(1, 'a')"), job=create_job(configuration))
    client.get(url(""), {"tab": tab})
    with django_assert_num_queries(queries):
        client.get(url(""), {"tab": tab})


# Export


def test_it_is_exported_as_csv(client: Client, viewer: User, table: Table) -> None:
    load(values("(3, '')"))
    response = client.get(url("-export"))
    assert b"".join(response.streaming_content) == b'id,v\n3,""\n'  # type: ignore[attr-defined]
    assert response["Content-Disposition"] == 'attachment; filename="orders.csv"'
    earlier = client.get(url("-export"), {"version": "1", "format": "csv"})
    assert b"".join(earlier.streaming_content) == b"id,v\n1,Ada\n2,\n"  # type: ignore[attr-defined]
    assert earlier["Content-Disposition"] == 'attachment; filename="orders-version-1.csv"'


def test_it_is_exported_as_parquet(
    client: Client, viewer: User, table: Table, tmp_path: Path
) -> None:
    response = client.get(url("-export"), {"format": "parquet"})
    target = tmp_path / "orders.parquet"
    target.write_bytes(b"".join(response.streaming_content))  # type: ignore[attr-defined]
    with duckdb.connect() as connection:
        connection.execute(f"SELECT * FROM read_parquet('{target}') ORDER BY id")
        rows = connection.fetchall()
    assert rows == [(1, "Ada"), (2, None)]


def test_other_formats_are_not_there(client: Client, viewer: User, table: Table) -> None:
    assert client.get(url("-export"), {"format": "xlsx"}).status_code == 404


# Upload


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_file_becomes_a_table(client: Client, editor: User, headers: dict[str, str]) -> None:
    data = {"file": file(), "bucket": "in.c-new", "name": "", "primary_key": "id"}
    response = client.post(reverse("table-new"), data, headers=headers)
    assert response.get("HX-Redirect") or response["Location"] == url("", table="in.c-new.people")
    version = TableVersion.objects.select_related("table").get()
    assert (version.table.key, version.primary_key, version.created_by) == (
        "in.c-new.people",
        ["id"],
        editor,
    )
    assert rows_of(version) == [("1", "Ada"), ("2", "Bob")]
    page = text_of(client.get(version.table.get_absolute_url()))
    assert ("in.c-new.people now holds 2 rows." in page, "by upload" in page) == (True, True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(CSV, mtime=0)),
        ("a.TSV", b"id\tname\n1\tAda\n2\tBob\n"),
        ("a.txt", b"id;name\n1;Ada\n2;Bob\n"),
        ("a.json", b'[{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]'),
        ("a.jsonl", b'{"id": 1, "name": "Ada"}\n{"id": 2, "name": "Bob"}\n'),
    ],
)
def test_the_ending_says_the_format(
    client: Client, editor: User, name: str, content: bytes
) -> None:
    data = {"file": file(content, name), "bucket": "in.c-new", "name": "t"}
    assert client.post(reverse("table-new"), data).status_code == 302
    assert rows_of(TableVersion.objects.get()) == [("1", "Ada"), ("2", "Bob")]


def test_the_delimiter_may_be_said(client: Client, editor: User) -> None:
    data = {
        "file": file(b"a|b,c\n1|2,3\n"),
        "bucket": "in.c-new",
        "name": "t",
        "delimiter": "|",
    }
    assert client.post(reverse("table-new"), data).status_code == 302
    assert [c["name"] for c in TableVersion.objects.get().columns] == ["a", "b_c"]


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        ("full", "", [("1", "new"), ("3", "new")]),
        ("incremental", "", [("1", "new"), ("2", None), ("3", "new")]),
        ("incremental", "id", [("1", "new"), ("2", None), ("3", "new")]),
    ],
)
def test_a_file_goes_into_a_table(
    client: Client, editor: User, table: Table, mode: str, key: str, expected: list[Any]
) -> None:
    data = {"file": file(b"id,v\n1,new\n3,new\n"), "mode": mode, "primary_key": key}
    assert client.post(url("-upload"), data)["Location"] == url("")
    assert rows_of(TableVersion.objects.get(number=2)) == expected


def test_the_key_of_the_table_is_offered(client: Client, editor: User, table: Table) -> None:
    page = client.get(url("-upload")).content.decode()
    assert re.search(r'name="primary_key" value="id"', page)


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"file": file(b"id,name\n1,Ada\n2\n")}, "Line 3"),
        ({"file": file(b"")}, "The file is empty; its first line should name the columns."),
        ({"file": file(name="a.xlsx")}, "“a.xlsx” is of no kind that can be loaded"),
        ({"file": file(), "bucket": "sales"}, "“sales” is no bucket"),
        ({"file": file(), "bucket": ""}, "Name the bucket."),
        ({"file": file(), "name": "a.b"}, "Use letters, digits, - and _ only."),
        ({"file": file(), "bucket": "in.c-shop", "name": "orders"}, f"{KEY} exists already"),
        ({"file": file(), "primary_key": "nope"}, "nope"),
        ({"file": file(), "delimiter": "#"}, "Select a valid choice."),
        ({}, "Choose a file."),
    ],
)
def test_what_is_wrong_with_an_upload_is_said(
    client: Client,
    editor: User,
    table: Table,
    headers: dict[str, str],
    given: dict[str, Any],
    sentence: str,
) -> None:
    if "file" in given:
        given["file"].seek(0)
    data = {"bucket": "in.c-new", "name": "made", "primary_key": "id, name", **given}
    response = client.post(reverse("table-new"), data, headers=headers)
    assert (response.status_code, sentence in text_of(response)) == (422, True)
    body = response.content.decode()
    assert f'name="primary_key" value="{data["primary_key"]}"' in body  # it is kept
    assert ("<html" in body) == (not headers)
    assert list(Table.objects.values_list("key", flat=True)) == [KEY]


def test_a_refused_file_leaves_the_table_as_it_was(
    client: Client, editor: User, table: Table
) -> None:
    data = {"file": file(b"v\nx\n"), "mode": "incremental"}
    response = client.post(url("-upload"), data)
    assert response.status_code == 422
    assert "Some columns are missing" in text_of(response)
    assert (TableVersion.objects.count(), preview(table).total) == (1, 2)


def test_a_file_may_be_too_large(client: Client, editor: User, settings: LazySettings) -> None:
    settings.UPLOAD_LIMIT_MB = 1
    content = b"id\n" + b"1\n" * (512 * 1024)
    data = {"file": file(content), "bucket": "in.c-new", "name": "t"}
    response = client.post(reverse("table-new"), data)
    assert (response.status_code, "The file is larger than 1 MB." in text_of(response)) == (
        422,
        True,
    )


@pytest.mark.parametrize("bucket", ["in.c-shop", "nonsense/../x", ""])
def test_the_form_of_a_new_table(client: Client, editor: User, table: Table, bucket: str) -> None:
    response = client.get(reverse("table-new"), {"bucket": bucket})
    body = response.content.decode()
    offered = "in.c-shop" if bucket == "in.c-shop" else "in.c-"
    assert (response.status_code, f'name="bucket" value="{offered}"' in body) == (200, True)
    assert '<option value="in.c-shop">' in body


# Delete


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_it_asks_before_it_deletes_and_names_who_uses_it(
    client: Client, editor: User, table: Table, headers: dict[str, str]
) -> None:
    make_configuration(name="Reader", input=[{"source": KEY}])
    response = client.get(url("-delete"), headers=headers)
    assert ("<html" in response.content.decode()) == (not headers)
    for word in (f"Delete {KEY}?", "its 2 rows", "1 configuration names it", "Reader"):
        assert word in text_of(response), word
    assert Table.objects.count() == 1


def test_it_deletes_a_table(client: Client, editor: User, table: Table) -> None:
    response = client.post(url("-delete"), follow=True)
    assert f"The table {KEY} was deleted." in text_of(response)
    assert response.redirect_chain[-1][0] == reverse("bucket", args=["in.c-shop"])
    assert (Table.objects.count(), TableVersion.objects.count()) == (0, 0)


# Who may


def status(client: Client, address: str) -> int:
    response = client.get(address)
    # An export is an open file. Its end would close the database's connection, which is the test's.
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)
    return response.status_code


READS = ["", "-export"]
CHANGES = ["-upload", "-delete"]


@pytest.mark.parametrize(
    ("role", "read", "change"),
    [
        (None, 403, 403),
        ("Viewer", 200, 403),
        ("Operator", 200, 403),
        ("Editor", 200, 200),
        ("Admin", 200, 200),
    ],
)
def test_who_may_do_what(
    client: Client, table: Table, role: str | None, read: int, change: int
) -> None:
    load(values("(3, 'c')"))
    client.force_login(make_user(role=role))
    bucket = reverse("bucket", args=["in.c-shop"])
    reads = [reverse("storage"), bucket, *map(url, READS)]
    assert [status(client, u) for u in reads] == [read] * 4
    changes = [reverse("table-new"), *map(url, CHANGES)]
    assert [client.get(u).status_code for u in changes] == [change] * 3
    refused = [
        client.post(u).status_code
        for u in (
            reverse("table-new"),
            url("-upload"),
            url("-restore", 1),
            reverse("bucket-delete", args=["in.c-shop"]),
            url("-delete"),
        )
    ]
    assert refused == ([422, 422, 302, 302, 302] if change == 200 else [403] * 5)
    assert Table.objects.exists() == (change == 403)


def test_nobody_is_sent_to_log_in(client: Client, table: Table) -> None:
    for address in (reverse("storage"), url(""), url("-export"), url("-delete")):
        assert client.get(address)["Location"] == f"/accounts/login/?next={address}"


def test_what_is_not_there(client: Client, editor: User, table: Table) -> None:
    other = "in.c-shop.nothing"
    gets = [reverse("bucket", args=["in.c-nothing"])]
    gets += [url(name, table=other) for name in ("", "-export", "-upload", "-delete")]
    posts = [reverse("bucket-delete", args=["in.c-nothing"]), url("-restore", 9)]
    posts += [url("-delete", table=other), url("-restore", 1, table=other)]
    assert [client.get(u).status_code for u in gets] == [404] * 5
    assert [client.post(u).status_code for u in posts] == [404] * 4


def test_links_change_nothing(client: Client, editor: User, table: Table) -> None:
    addresses = [url("-restore", 1), reverse("bucket-delete", args=["in.c-shop"])]
    assert [client.get(u).status_code for u in addresses] == [405] * 2
    reads = [reverse("storage"), reverse("bucket", args=["in.c-shop"]), url(""), url("-export")]
    assert [client.post(u).status_code for u in reads] == [405] * 4
