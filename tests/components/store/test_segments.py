"""The local store: whole files or none, private, never outside its root."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.exceptions import StorageError
from components.store.segments import LocalStore, Store, open_store


def make_file(tmp_path: Path, content: bytes = b"rows", name: str = "made") -> Path:
    file = tmp_path / name
    file.write_bytes(content)
    return file


def test_put_moves_the_file_and_reading_finds_it(store: Store, tmp_path: Path) -> None:
    local = make_file(tmp_path)
    path = store.put(local)
    assert not local.exists()
    with store.reading([path]) as files:
        assert files[path].read_bytes() == b"rows"
        assert stat.S_IMODE(files[path].stat().st_mode) == 0o600


def test_every_file_gets_a_name_of_its_own(store: Store, tmp_path: Path) -> None:
    paths = {store.put(make_file(tmp_path)) for _ in range(20)}
    assert len(paths) == 20
    assert {file.path for file in store.files()} == paths


def test_put_copies_between_file_systems(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs /dev/shm as another file system")
    local = make_file(elsewhere, name=f"segment-of-{tmp_path.name}")
    store = LocalStore(tmp_path / "store")
    path = store.put(local)
    assert not local.exists()
    assert [file.path for file in store.files()] == [path]
    with store.reading([path]) as files:
        assert files[path].read_bytes() == b"rows"


def test_put_tells_when_there_is_no_room_for_it(tmp_path: Path) -> None:
    make_file(tmp_path, name="store")
    with pytest.raises(StorageError, match="A file in Storage could not be written: Not a dir"):
        LocalStore(tmp_path / "store").put(make_file(tmp_path))


def test_a_missing_file_is_named(store: Store) -> None:
    with (
        pytest.raises(StorageError, match=r"^The segment ab/c.parquet is missing in Storage.$"),
        store.reading(["ab/c.parquet"]),
    ):
        pass


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", ""])
def test_a_path_outside_is_refused(store: Store, path: str) -> None:
    with (
        pytest.raises(StorageError, match="is not a path inside Storage"),
        store.reading([path]),
    ):
        pass
    with pytest.raises(StorageError, match="is not a path inside Storage"):
        store.delete([path])


def test_delete_removes_and_may_be_repeated(store: Store, tmp_path: Path) -> None:
    kept, gone = store.put(make_file(tmp_path)), store.put(make_file(tmp_path))
    store.delete([gone])
    store.delete([gone])
    assert [file.path for file in store.files()] == [kept]


def test_files_tells_size_and_age(store: Store, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    store.put(make_file(tmp_path, b"12345"))
    (file,) = store.files()
    assert file.bytes == 5
    assert before < file.changed < datetime.now(UTC) + timedelta(seconds=1)


def test_check_passes_where_files_can_be_written(store: Store) -> None:
    store.check()
    assert list(store.files()) == []


def test_check_tells_where_they_cannot(tmp_path: Path) -> None:
    make_file(tmp_path, name="store")
    with pytest.raises(StorageError, match="could not be written"):
        open_store(f"file://{tmp_path}/store", cache=tmp_path).check()


def test_blanks_in_the_url_are_decoded(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/a%20b", cache=tmp_path)
    assert isinstance(store, LocalStore)
    assert store.root == tmp_path / "a b"


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "storage"])
def test_another_url_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="STORAGE_URL must be"):
        open_store(url, cache=tmp_path)
