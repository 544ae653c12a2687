"""The one folder of the machine that components may touch; no path leads out of it.

Every step is opened from the one before without following links (O_NOFOLLOW), so that a link put
there in the meantime changes nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath

from components.exceptions import RunnerError

STEP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def steps(path: str) -> tuple[str, ...]:
    """Return the names on a relative path; raises RunnerError for one that leads outside."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path or "\\" in path:
        raise RunnerError(
            f"The path “{path}” is not inside the files folder. Give it relative to that folder, "
            "without “..” and backslashes.",
            permanent=True,
        )
    return tuple(part for part in pure.parts if part != ".")


@contextmanager
def folder(root: Path, path: str, *, create: bool = False) -> Iterator[int]:
    """Open a folder below `root` and give its descriptor; raises RunnerError where it cannot."""
    names = steps(path)
    with ExitStack() as stack:
        here = _entered(stack, os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for name in names:
            try:
                here = _entered(stack, _step(here, name, create=create))
            except OSError as error:
                raise _refusal(path, name, error) from error
        yield here


def _entered(stack: ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _step(here: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):  # a folder, or what the next line refuses
            os.mkdir(name, 0o750, dir_fd=here)
    return os.open(name, STEP, dir_fd=here)


def _refusal(path: str, name: str, error: OSError) -> RunnerError:
    if isinstance(error, FileNotFoundError):
        return RunnerError(f"“{path}” is not in the files folder: “{name}” is missing.")
    if isinstance(error, NotADirectoryError):
        return RunnerError(f"“{name}” in “{path}” is no folder; links are not followed.")
    return RunnerError(f"“{path}” in the files folder cannot be opened: {error.strerror}.")


def publish(root: Path, path: str, name: str, source: Path) -> int:
    """Put a finished file into a folder below `root` at once and return its bytes.

    Readers see the old file or the new one, never half of one. Raises RunnerError.
    """
    if len(steps(name)) != 1:
        raise RunnerError(f"“{name}” cannot be the name of a file.", permanent=True)
    with folder(root, path, create=True) as here:
        passing = f".{secrets.token_hex(8)}.part"
        try:
            _copy(source, passing, here)
            os.replace(passing, name, src_dir_fd=here, dst_dir_fd=here)
        except OSError as error:
            raise RunnerError(f"“{name}” cannot be written: {error.strerror}.") from error
        finally:
            _discard(passing, here)
    return source.stat().st_size


def _copy(source: Path, name: str, here: int) -> None:
    with (
        source.open("rb") as reader,
        os.fdopen(os.open(name, NEW, 0o640, dir_fd=here), "wb") as writer,
    ):
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def _discard(name: str, here: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=here)


@contextmanager
def regular_file(root: Path, path: str, *, create: bool = False) -> Iterator[Path]:
    """Give a path to a file below `root` that stays right while inside, such as a database's.

    Raises RunnerError where it leads outside, is a link, or (unless `create`) is not there.
    """
    names = steps(path)
    if not names:
        raise RunnerError("The path of the file is missing.", permanent=True)
    *folders, name = names
    with folder(root, "/".join(folders)) as here:
        try:
            mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
        except FileNotFoundError as error:
            if not create:
                raise _refusal(path, name, error) from error
        else:
            if not stat.S_ISREG(mode):
                raise RunnerError(f"“{path}” is no ordinary file; links are not followed.")
        yield Path(f"/proc/self/fd/{here}") / name
