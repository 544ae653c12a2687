from __future__ import annotations

from pathlib import Path

import pytest

from components.builtin import files
from components.exceptions import RunnerError

OUTSIDE = ["/etc", "..", "a/../../b", "a/..", "a\\b", "a\0b"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("secret")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_text("new")
    return file


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leads_outside_is_refused(root: Path, source: Path, path: str) -> None:
    with pytest.raises(RunnerError, match="not inside the files folder"):
        files.publish(root, path, "x.csv", source)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "/x"])
def test_a_name_that_is_a_path_is_refused(root: Path, source: Path, name: str) -> None:
    with pytest.raises(RunnerError):
        files.publish(root, "", name, source)
    assert list(root.iterdir()) == []


def test_a_file_is_published_into_new_folders(root: Path, source: Path) -> None:
    assert files.publish(root, "a/./b", "x.csv", source) == 3
    assert (root / "a/b/x.csv").read_text() == "new"
    assert [file.name for file in (root / "a/b").iterdir()] == ["x.csv"]


def test_a_folder_that_is_a_link_is_not_entered(root: Path, source: Path) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    with pytest.raises(RunnerError, match="links are not followed"):
        files.publish(root, "link", "key.txt", source)
    assert (root.parent / "secret/key.txt").read_text() == "secret"


def test_a_file_that_is_a_link_is_replaced_and_its_target_kept(root: Path, source: Path) -> None:
    (root / "x.csv").symlink_to(root.parent / "secret/key.txt")
    files.publish(root, "", "x.csv", source)
    assert (root.parent / "secret/key.txt").read_text() == "secret"
    assert not (root / "x.csv").is_symlink()
    assert (root / "x.csv").read_text() == "new"


def test_a_folder_of_the_files_name_is_a_sentence(root: Path, source: Path) -> None:
    (root / "x.csv").mkdir()
    with pytest.raises(RunnerError, match=r"“x\.csv” cannot be written"):
        files.publish(root, "", "x.csv", source)
    assert [file.name for file in root.iterdir()] == ["x.csv"]


def test_a_missing_folder_is_named(root: Path) -> None:
    with pytest.raises(RunnerError, match="“b” is missing"), files.folder(root, "b/c"):
        pass


def test_a_regular_file_is_found(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a/b.db").write_text("data")
    with files.regular_file(root, "a/b.db") as path:
        assert path.read_text() == "data"


def test_a_linked_file_is_refused(root: Path) -> None:
    (root / "a.db").symlink_to(root.parent / "secret/key.txt")
    with (
        pytest.raises(RunnerError, match="links are not followed"),
        files.regular_file(root, "a.db", create=True),
    ):
        pass


def test_a_missing_file_is_refused_unless_it_may_be_made(root: Path) -> None:
    with pytest.raises(RunnerError, match=r"“a\.db” is missing"), files.regular_file(root, "a.db"):
        pass
    with files.regular_file(root, "a.db", create=True) as path:
        path.write_text("made")
    assert (root / "a.db").read_text() == "made"


def test_no_descriptor_stays_open(root: Path, source: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    files.publish(root, "a/b/c", "x", source)
    for path in OUTSIDE:
        with pytest.raises(RunnerError):
            files.publish(root, path, "x", source)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
