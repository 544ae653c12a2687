"""A file given in the page becomes a table, or nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from components.exceptions import ImportRejected
from components.models import Table
from components.services.imports import import_file
from components.services.storage_files import segment_store
from tests.builders import make_user
from tests.storage_tables import KEY, rows_of


@pytest.fixture(autouse=True)
def _own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/store"


def given(tmp_path: Path, content: str) -> Path:
    file = tmp_path / "given"
    file.write_text(content)
    return file


@pytest.mark.django_db
def test_a_file_becomes_a_table(tmp_path: Path) -> None:
    user = make_user()
    version = import_file(KEY, given(tmp_path, "id,v\n1,a\n1,b\n"), primary_key=["id"], user=user)
    assert (version.number, version.created_by, version.job) == (1, user, None)
    assert (version.table.key, version.primary_key) == (KEY, ["id"])
    assert rows_of(version) == [("1", "b")]
    more = import_file(KEY, given(tmp_path, "v;id\nc;1\nd;2\n"), incremental=True, user=user)
    assert rows_of(more) == [("1", "c"), ("2", "d")]


@pytest.mark.django_db
def test_other_formats_and_delimiters_are_taken(tmp_path: Path) -> None:
    version = import_file(KEY, given(tmp_path, '{"id": 1}'), format="json", user=None)
    assert rows_of(version) == [("1",)]
    version = import_file(KEY, given(tmp_path, "a,b;c\n1,2;3\n"), delimiter=";", user=None)
    assert rows_of(version) == [("1,2", "3")]


@pytest.mark.parametrize(
    ("content", "sentence", "line"),
    [
        (
            "id,v\n1,a\n2\n",
            "Line 3 has 1 value, but line 1 names 2 columns (the delimiter is a comma).",
            3,
        ),
        ("id\n1\n", f"Some columns are missing in the load of {KEY}: v.", None),
        (
            "id,v\n,a\n",
            "The key column “id” is empty in 1 row; every row needs a value there.",
            None,
        ),
    ],
)
@pytest.mark.django_db
def test_a_bad_file_leaves_the_table_and_the_store_as_they_were(
    tmp_path: Path, content: str, sentence: str, line: int | None
) -> None:
    old = import_file(KEY, given(tmp_path, "id,v\n1,a\n"), primary_key=["id"], user=None)
    stored = list(segment_store().files())
    with pytest.raises(ImportRejected) as caught:
        import_file(KEY, given(tmp_path, content), incremental=True, user=None)
    assert (caught.value.message, caught.value.line) == (sentence, line)
    assert Table.objects.get(key=KEY).current == old
    assert list(segment_store().files()) == stored


@pytest.mark.django_db
def test_a_bad_table_id_is_told_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ImportRejected, match=r"^“orders” is no table id;"):
        import_file("orders", tmp_path / "not there", user=None)
