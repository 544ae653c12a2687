"""Files given in pages: kept in a store beside Storage until no configuration names them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from components.enums import UNFINISHED_JOB
from components.models import Component, ConfigurationVersion, Job
from components.store.segments import Store, open_store

MEGABYTE = 1024 * 1024
LONGEST_NAME = 200  # bytes; file systems take 255
GRACE = timedelta(hours=24)  # a form may stay open that long before it is saved
REFERENCE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.[a-z]+/[^/]+")


def uploads_store() -> Store:
    """Return the store of uploads: Storage's address with `-uploads` after it."""
    return open_store(
        settings.STORAGE_URL + "-uploads",
        cache=Path(settings.HOME, "cache"),
        cache_bytes=settings.SEGMENT_CACHE_MB * MEGABYTE,
    )


def save_upload(name: str, local: Path) -> str:
    """Move a local file into the store; return its reference, `<store path>/<file name>`.

    Raises StorageError where the store cannot be written.
    """
    return f"{uploads_store().put(local)}/{safe_name(name)}"


def safe_name(name: str) -> str:
    """Return the last part of a name without what a file system or a page could stumble over."""
    text = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, ending = text.rpartition(".")
    if not dot:
        stem, ending = text, ""
    tail = f"{dot}{ending}"[:20]
    room = LONGEST_NAME - len(tail.encode())
    return (stem.encode()[:room].decode(errors="ignore") + tail).strip(" .") or "file"


def file_name(reference: str) -> str:
    """Return the name under which the file was given."""
    return reference.rsplit("/", 1)[-1]


def sweep_uploads(older_than: timedelta = GRACE) -> int:
    """Delete files that no configuration version and no unfinished job names; return how many.

    Younger files than `older_than` stay: their form may still be open. Safe to call twice.
    """
    store = uploads_store()
    limit = timezone.now() - older_than
    old = {file.path for file in store.files() if file.changed < limit}
    gone = old - _named() if old else set()
    store.delete(sorted(gone))
    return len(gone)


def _named() -> set[str]:
    """Return the store paths that are still named somewhere."""
    components = [c.pk for c in Component.objects.all() if "upload" in _formats(c.schema)]
    versions = ConfigurationVersion.objects.filter(configuration__component__in=components)
    jobs = Job.objects.filter(component__in=components, status__in=UNFINISHED_JOB)
    found: set[str] = set()
    for rows in (versions, jobs):
        for parameters in rows.values_list("parameters", flat=True).iterator():
            found.update(text.rpartition("/")[0] for text in _references(parameters))
    return found


def _formats(schema: Any) -> set[str]:
    """Return every `format` inside a JSON schema."""
    if isinstance(schema, list):
        return set().union(*(_formats(item) for item in schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["format"]} if isinstance(schema.get("format"), str) else set()
    return own.union(*(_formats(item) for item in schema.values()))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _references(item)
