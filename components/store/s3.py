"""Segments in an S3-compatible bucket, read through a local cache: segments never change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.exceptions import StorageError
from components.store.cache import FileCache
from components.store.segments import Store, StoredFile, inside, new_path

DELETES_PER_CALL = 1000  # S3's own limit
ERRORS = (Boto3Error, BotoCoreError, ClientError)
CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 5, "mode": "standard"})


class S3Store(Store):
    """A bucket, or a folder of one; address and credentials come from AWS_… variables."""

    def __init__(self, bucket: str, prefix: str, *, cache: Path, cache_bytes: int) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.cache = FileCache(cache, cache_bytes)
        self.client: Any = boto3.client("s3", config=CONFIG)

    def put(self, local: Path) -> str:
        """Upload a local file and remove it."""
        path = new_path()
        try:
            self.client.upload_file(str(local), self.bucket, self.prefix + path)
        except ERRORS as error:
            raise _failed("written", error) from error
        local.unlink()
        return path

    @contextmanager
    def reading(self, paths: Iterable[str]) -> Iterator[dict[str, Path]]:
        """Download what the cache lacks and hold all of it."""
        with ExitStack() as held:
            yield {
                path: held.enter_context(self.cache.holding(inside(path), partial(self._get, path)))
                for path in paths
            }

    def _get(self, path: str, local: Path) -> None:
        try:
            self.client.download_file(self.bucket, self.prefix + path, str(local))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                raise StorageError(f"The segment {path} is missing in Storage.") from error
            raise _failed("read", error) from error
        except ERRORS as error:
            raise _failed("read", error) from error

    def delete(self, paths: Iterable[str]) -> None:
        """Remove objects, a thousand per call."""
        keys = [{"Key": self.prefix + inside(path)} for path in paths]
        try:
            for start in range(0, len(keys), DELETES_PER_CALL):
                answer = self.client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": keys[start : start + DELETES_PER_CALL], "Quiet": True},
                )
                if answer.get("Errors"):
                    raise StorageError(
                        f"A file in Storage could not be removed: {answer['Errors'][0]['Message']}."
                    )
        except ERRORS as error:
            raise _failed("removed", error) from error

    def files(self, *, deep: bool = True) -> Iterator[StoredFile]:
        """List the objects below the prefix; without those of deeper folders unless `deep`."""
        pages = self.client.get_paginator("list_objects_v2")
        folders = {} if deep else {"Delimiter": "/"}
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix, **folders):
                for entry in page.get("Contents", ()):
                    yield StoredFile(
                        entry["Key"].removeprefix(self.prefix), entry["Size"], entry["LastModified"]
                    )
        except ERRORS as error:
            raise _failed("listed", error) from error

    def check(self) -> None:
        """Write and remove a probe."""
        key = f"{self.prefix}probe"
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=b"ok")
            self.client.delete_object(Bucket=self.bucket, Key=key)
        except ERRORS as error:
            raise _failed("written", error) from error


def _failed(what: str, error: Exception) -> StorageError:
    return StorageError(f"A file in Storage could not be {what}: {error}")
