"""Where segment files are: a local directory, or an S3-compatible bucket with a read cache.

Made from plain values, so that a job's child process can use it without Django.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from components.exceptions import StorageError

DEFAULT_CACHE_BYTES = 2048 * 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    """One file as the store lists it; `changed` is in UTC."""

    path: str  # below the store's root
    bytes: int
    changed: datetime


class Store(ABC):
    """Immutable files under names that were never used before."""

    @abstractmethod
    def put(self, local: Path) -> str:
        """Move a finished local file into the store; return its path below the store's root."""

    @abstractmethod
    def reading(self, paths: Iterable[str]) -> AbstractContextManager[dict[str, Path]]:
        """Have stored files as local ones for as long as the context lasts: {path: local path}.

        Raises StorageError for a file that is not there.
        """

    @abstractmethod
    def delete(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone already are fine."""

    @abstractmethod
    def files(self) -> Iterator[StoredFile]:
        """List everything below the root, half-written files too."""

    @abstractmethod
    def check(self) -> None:
        """Raise StorageError unless files can be written and read now."""


def open_store(url: str, *, cache: Path, cache_bytes: int = DEFAULT_CACHE_BYTES) -> Store:
    """Return the store at `file:///directory` or `s3://bucket/prefix`.

    `cache` is a folder of this machine that an S3 store keeps copies in, up to `cache_bytes`.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        from components.store.s3 import S3Store  # noqa: PLC0415  # boto3 is large

        return S3Store(parts.netloc, parts.path.strip("/"), cache=cache, cache_bytes=cache_bytes)
    raise StorageError("STORAGE_URL must be file:///directory or s3://bucket/prefix.")


def new_path() -> str:
    """Return a path that no segment has, spread over 256 folders."""
    name = uuid.uuid4().hex
    return f"{name[:2]}/{name}.parquet"


class LocalStore(Store):
    """A directory; a file appears under its name only when it is whole and on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, local: Path) -> str:
        """Rename a local file into the directory."""
        path = new_path()
        target = self.root / path
        try:
            self._move(local, target)
        except OSError as error:
            raise _failed("written", error) from error
        return path

    def _move(self, local: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        local.chmod(0o600)
        _flush(local)
        try:
            local.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Another file system: copied beside the target first, so that it too appears at once.
            part = target.with_suffix(".part")
            shutil.copyfile(local, part)
            part.chmod(0o600)
            _flush(part)
            part.replace(target)
            local.unlink()
        _flush(target.parent)

    @contextmanager
    def reading(self, paths: Iterable[str]) -> Iterator[dict[str, Path]]:
        """Return the files themselves: they never change."""
        found = {path: self._inside(path) for path in paths}
        for path, file in found.items():
            if not file.is_file():
                raise StorageError(f"The segment {path} is missing in Storage.")
        yield found

    def delete(self, paths: Iterable[str]) -> None:
        """Unlink files."""
        for path in paths:
            try:
                self._inside(path).unlink(missing_ok=True)
            except OSError as error:
                raise _failed("removed", error) from error

    def files(self) -> Iterator[StoredFile]:
        """Walk the directory."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                file = Path(folder, name)
                try:
                    found = file.stat()
                except FileNotFoundError:  # gone since the folder was listed
                    continue
                yield StoredFile(
                    file.relative_to(self.root).as_posix(),
                    found.st_size,
                    datetime.fromtimestamp(found.st_mtime, UTC),
                )

    def check(self) -> None:
        """Write and remove a probe."""
        probe = self.root / f"probe-{uuid.uuid4().hex}"
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe.write_bytes(b"ok")
            probe.unlink()
        except OSError as error:
            raise _failed("written", error) from error

    def _inside(self, path: str) -> Path:
        return self.root / inside(path)


def inside(path: str) -> str:
    """Return `path` if it stays below a root; raises StorageError otherwise."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise StorageError(f"“{path}” is not a path inside Storage.")
    return path


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk: the catalogue must never name a lost one."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(what: str, error: OSError) -> StorageError:
    return StorageError(f"A file in Storage could not be {what}: {error.strerror or error}.")
