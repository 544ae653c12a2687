from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.builtin.ex_upload import MANIFEST
from components.exceptions import ImportRejected, RunnerError
from components.store.segments import open_store

Run = Callable[..., Any]


@pytest.fixture
def upload(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Keep a file as the page does; return its reference."""

    def give(name: str, content: bytes) -> str:
        file = tmp_path / "given"
        file.write_bytes(content)
        store = open_store(
            f"file://{tmp_path / 'store'}-uploads", cache=tmp_path / "cache", cache_bytes=1 << 20
        )
        return f"{store.put(file)}/{name}"

    return give


def test_the_file_is_loaded(run: Run, upload: Callable[[str, bytes], str]) -> None:
    reference = upload("Our Customers.csv", b"code,name\n007,Bond\n")
    done = run(MANIFEST, {"file": reference, "primary_key": ["code"]})
    assert done.rows("in.c-test.our-customers") == [{"code": "007", "name": "Bond"}]
    assert done.outputs[0]["primary_key"] == ["code"]
    assert done.result == {"table": "in.c-test.our-customers", "rows": 1, "bytes": 19}
    again = run(MANIFEST, {"file": reference, "name": "people"})
    assert len(again.rows("in.c-test.people")) == 1


def test_a_bad_file_is_refused(run: Run, upload: Callable[[str, bytes], str]) -> None:
    with pytest.raises(ImportRejected) as caught:
        run(MANIFEST, {"file": upload("x.csv", b"a,b\n1,2\n1,2,3\n")})
    assert caught.value.line == 3


def test_a_file_that_is_gone_is_a_sentence(run: Run) -> None:
    with pytest.raises(RunnerError, match="gone"):
        run(MANIFEST, {"file": "0000/x.csv"})
    with pytest.raises(RunnerError):
        run(MANIFEST, {"file": "../../../etc/passwd"})
