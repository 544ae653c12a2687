"""Places where files arrive: which may be watched, and what is there now.

An administrator names the roots (WATCHED_PLACES); editors choose at or below them. A directory is
resolved each time it is read, so that no link leads out of its root, and links are not followed.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from django.conf import settings

from components.exceptions import StorageError
from components.store.s3 import S3Store

MOST_FILES = 10_000
# So many names are read, whether they fit or not.
MOST_NAMES = 100_000
LONGEST_PLACE = 1000
LONGEST_PATTERN = 200
S3 = "s3://"
# Control characters, all line breaks, and halves of surrogate pairs: bytes that are no UTF-8.
STRANGE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

logger = logging.getLogger(__name__)
# Of a store that does not answer no look is held for long; the next one comes in ten seconds.
IMPATIENT = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1})


class PlaceError(Exception):
    """This place cannot be looked at."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class MissingPlace(PlaceError):
    """This directory does not exist."""


@dataclass(frozen=True)
class Found:
    """One file: its name, where it is, how large, and what changes with its content.

    `came_at` is when it was written or put there, by the clock of the place.
    """

    name: str
    where: str
    bytes: int
    stamp: str
    came_at: datetime


def watched_roots() -> list[str]:
    """Return the places that may be watched, with all that is below them."""
    return [str(root) for root in settings.WATCHED_PLACES]


def place_errors(place: str, pattern: str) -> dict[str, str]:
    """Return a sentence for each of both that cannot be used; nothing is looked at."""
    wrong = {}
    try:
        _checked(place)
    except PlaceError as error:
        wrong["place"] = str(error)
    if len(pattern) > LONGEST_PATTERN or "/" in pattern or not pattern.isprintable():
        wrong["pattern"] = f"Use up to {LONGEST_PATTERN} characters and no slash, such as *.csv."
    return wrong


def look(place: str, pattern: str, left_out: list[str] | None = None) -> list[Found]:
    """Return the files at a place whose names fit, in the order of their names.

    Names with line breaks, other control characters or bytes that are no UTF-8 can be put into no
    variable of a run; they are added to `left_out`.

    Raises MissingPlace where it is not there (yet), and PlaceError with a sentence where it may not
    be read, or holds more than 10,000 that fit, or 100,000 in all.
    """
    root = _checked(place)
    files = _objects(place) if isinstance(root, str) else _files(root)
    wanted = pattern or "*"
    found = []
    for each in files:
        # Programs that copy write to hidden files first.
        is_hidden = each.name.startswith(".") and not wanted.startswith(".")
        if is_hidden or not fnmatch.fnmatchcase(each.name, wanted):
            continue
        if not STRANGE.search(each.name):
            found.append(each)
        elif left_out is not None:
            left_out.append(each.name)
        if len(found) > MOST_FILES:
            raise PlaceError(f"More than {MOST_FILES:,} files fit; move old ones away.")
    return sorted(found, key=lambda each: each.name)


def _checked(place: str) -> Path | str:
    """Return the directory, or the address of objects; raises PlaceError where it may not be."""
    roots = watched_roots()
    allowed = f"Use a place at or below: {', '.join(roots) or 'none is set up'}."
    if not place or not place.isprintable() or len(place) > LONGEST_PLACE:
        raise PlaceError(allowed)
    if place.startswith(S3):
        whole = place.rstrip("/")
        tops = [root.rstrip("/") for root in roots if root.startswith(S3)]
        if not any(whole == top or whole.startswith(f"{top}/") for top in tops):
            raise PlaceError(allowed)
        return whole
    try:
        path = Path(place).resolve()
        tops_here = [Path(root).resolve() for root in roots if not root.startswith(S3)]
    except (OSError, RuntimeError, ValueError):
        raise PlaceError(allowed) from None
    if not Path(place).is_absolute() or not any(path.is_relative_to(top) for top in tops_here):
        raise PlaceError(allowed)
    return path


def _files(directory: Path) -> Iterator[Found]:
    try:
        with os.scandir(directory) as entries:
            for count, entry in enumerate(entries, 1):
                if count > MOST_NAMES:
                    raise PlaceError(f"More than {MOST_NAMES:,} are there; move old ones away.")
                if entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # moved away since it was listed
                        yield _found(entry)
    except FileNotFoundError:
        raise MissingPlace from None
    except OSError as error:
        raise PlaceError(f"This directory cannot be read: {error.strerror}.") from None


def _found(entry: os.DirEntry[str]) -> Found:
    status = entry.stat(follow_symlinks=False)
    # Not its number: a disk that comes back may give it another.
    stamp = f"{status.st_size}:{status.st_mtime_ns}"
    # One that is moved here keeps the time at which it was written, and not of its change.
    came_at = datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC)
    return Found(entry.name, entry.path, status.st_size, stamp, came_at)


def _objects(place: str) -> Iterator[Found]:
    try:
        for count, each in enumerate(_store(place).files(deep=False), 1):
            if count > MOST_NAMES:
                raise PlaceError(
                    f"More than {MOST_NAMES:,} objects are there; name a longer prefix."
                )
            if each.path:
                stamp = f"{each.bytes}:{each.changed.timestamp()}"
                yield Found(each.path, f"{place}/{each.path}", each.bytes, stamp, each.changed)
    except StorageError as error:
        logger.warning("The place %s cannot be looked at: %s", place, error)
        raise PlaceError(_plain(error)) from None


def _plain(error: StorageError) -> str:
    """Say what is wrong without what only the installation knows: hosts, and names of keys."""
    cause = error.__cause__
    code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""
    if code == "NoSuchBucket":
        return "This bucket does not exist."
    if code in {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return "This installation may not list what is there."
    if isinstance(cause, (BotoConnectionError, HTTPClientError)):
        return "The store of this bucket cannot be reached."
    return "This place cannot be read; the log says more."


@lru_cache(maxsize=100)
def _store(place: str) -> S3Store:
    # Not read as an address: a key may hold any character, such as # and ?.
    bucket, _, prefix = place.removeprefix(S3).partition("/")
    store = S3Store(bucket, prefix.strip("/"), cache=settings.HOME / "cache", cache_bytes=0)
    store.client = boto3.client("s3", config=IMPATIENT)
    return store
