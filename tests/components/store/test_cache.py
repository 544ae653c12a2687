"""The cache under several processes at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from components.store.cache import FileCache

READER = """
import sys
from pathlib import Path
from components.store.cache import FileCache

cache = FileCache(Path(sys.argv[1]), 3000)
for i in range(200):
    name = f"ab/{(i * int(sys.argv[2])) % 7}.parquet"
    with cache.holding(name, lambda part: part.write_bytes(name.encode() * 100)) as file:
        assert file.read_bytes() == name.encode() * 100
"""


def test_many_processes_share_it_and_never_see_a_missing_copy(tmp_path: Path) -> None:
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(tmp_path), str(step)])
        for step in (1, 2, 3)
    ]
    assert [reader.wait(timeout=60) for reader in readers] == [0, 0, 0]
    left = sum(file.stat().st_size for file in tmp_path.rglob("*.parquet"))
    assert left <= 3000
    assert list(tmp_path.rglob("*.part")) == []


def test_a_copy_is_fetched_once_by_threads_that_want_it_together(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 10_000)
    fetched: list[Path] = []
    start = threading.Barrier(4)

    def fetch(part: Path) -> None:
        fetched.append(part)
        part.write_bytes(b"rows")

    def read() -> None:
        start.wait()
        with cache.holding("ab/c.parquet", fetch) as file:
            assert file.read_bytes() == b"rows"

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1


def test_a_copy_of_a_process_that_was_killed_can_go(tmp_path: Path) -> None:
    holder = (
        "import os, sys; from pathlib import Path; from components.store.cache import FileCache\n"
        "with FileCache(Path(sys.argv[1]), 10).holding('a/1.parquet',"
        " lambda part: part.write_bytes(b'x' * 20)):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", holder, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert (tmp_path / "a/1.parquet").exists()
    with FileCache(tmp_path, 10).holding("a/2.parquet", lambda part: part.write_bytes(b"y" * 10)):
        assert [file.name for file in tmp_path.rglob("*.parquet")] == ["2.parquet"]
