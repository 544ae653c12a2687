"""The S3 store against a real server on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from components.exceptions import StorageError
from components.store.loading import Bench, load_file
from components.store.sandbox import connect
from components.store.segments import Store, open_store


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"b-{abs(hash(tmp_path.name))}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3(bucket: str, tmp_path: Path) -> Store:
    return open_store(f"s3://{bucket}/some/prefix", cache=tmp_path / "cache", cache_bytes=2500)


def put(store: Store, tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "made"
    file.write_bytes(content)
    path = store.put(file)
    assert not file.exists()
    return path


def copies(tmp_path: Path) -> set[str]:
    root = tmp_path / "cache"
    return {file.relative_to(root).as_posix() for file in root.rglob("*.parquet")}


def test_files_come_back_through_the_cache(s3: Store, bucket: str, tmp_path: Path) -> None:
    path = put(s3, tmp_path, b"rows")
    assert [(file.path, file.bytes) for file in s3.files()] == [(path, 4)]
    with s3.reading([path]) as files:
        assert files[path].read_bytes() == b"rows"
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"some/prefix/{path}")
    with s3.reading([path]) as files:
        assert files[path].read_bytes() == b"rows"


def test_the_least_recently_used_copy_goes(s3: Store, tmp_path: Path) -> None:
    first, second, third = (put(s3, tmp_path, b"x" * 1000) for _ in range(3))
    for path in (first, second, first, third):
        with s3.reading([path]):
            pass
    assert copies(tmp_path) == {first, third}
    with s3.reading([second]) as files:
        assert files[second].read_bytes() == b"x" * 1000


def test_a_copy_that_is_read_stays(s3: Store, tmp_path: Path) -> None:
    first, second, third = (put(s3, tmp_path, b"x" * 2000) for _ in range(3))
    with s3.reading([first]) as files:
        for path in (second, third):
            with s3.reading([path]):
                pass
        assert copies(tmp_path) == {first, third}
        assert files[first].read_bytes() == b"x" * 2000


def test_delete_removes_and_may_be_repeated(s3: Store, tmp_path: Path) -> None:
    kept, gone = put(s3, tmp_path, b"1"), put(s3, tmp_path, b"2")
    s3.delete([gone])
    s3.delete([gone])
    assert [file.path for file in s3.files()] == [kept]


def test_a_missing_file_is_named_and_leaves_no_copy(s3: Store, tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"^The segment ab/c.parquet is missing in Storage.$"),
        s3.reading(["ab/c.parquet"]),
    ):
        pass
    assert [f for f in (tmp_path / "cache").rglob("*") if f.suffix in {".part", ".parquet"}] == []


def test_check_tells_of_a_missing_bucket(s3: Store, bucket: str, tmp_path: Path) -> None:
    s3.check()
    assert list(s3.files()) == []
    other = open_store(f"s3://{bucket}-not-there", cache=tmp_path / "other")
    with pytest.raises(StorageError, match="A file in Storage could not be written"):
        other.check()
    with pytest.raises(StorageError, match="A file in Storage could not be written"):
        put(other, tmp_path, b"1")
    with pytest.raises(StorageError, match="A file in Storage could not be listed"):
        list(other.files())
    with pytest.raises(StorageError, match="A file in Storage could not be removed"):
        other.delete(["ab/c.parquet"])


def test_a_load_goes_to_the_bucket(s3: Store, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "x.csv").write_text("a\n1\n")
    connection = connect(tmp_path / "spill")
    segment = load_file(Bench(connection, s3, scratch), tmp_path / "x.csv", "csv")
    with s3.reading([segment["path"]]) as files:
        rows = connection.read_parquet(str(files[segment["path"]])).fetchall()
    connection.close()
    assert rows == [(1,)]
