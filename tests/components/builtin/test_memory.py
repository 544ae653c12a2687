"""A large file goes through ex-http with little memory: the child's own peak is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROWS = 2_500_000
BLOCK = 10_000
LIMIT_MB = 256
PROGRAM = """
import json, re, sys
from pathlib import Path
from components.builtin.ex_http import MANIFEST
from components.runners.inline import run_inline
_, url, root, limit = sys.argv
done = run_inline(MANIFEST, {"url": url}, root=Path(root), memory_mb=int(limit))
peak = re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({**done.result, "peak_kb": int(peak)}))
"""


def lines(first: int) -> bytes:
    return "".join(
        f"{number},name of customer {number},{number % 1000}.25,2026-02-03 04:05:06,"
        "some words that make the line as long as lines are\n"
        for number in range(first, first + BLOCK)
    ).encode()


@pytest.mark.processes
def test_a_file_larger_than_the_memory_is_streamed(web: Any, tmp_path: Path) -> None:
    sent = 0

    def large(handler: Any) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Type", "text/csv")
        handler.send_header("Connection", "close")
        handler.end_headers()
        sent = handler.wfile.write(b"id,name,amount,at,note\n")
        for first in range(0, ROWS, BLOCK):
            sent += handler.wfile.write(lines(first))

    url = web.does("/large.csv", large)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, str(tmp_path), str(LIMIT_MB)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    result = json.loads(done.stdout)
    assert sent > 250_000_000
    assert (result["rows"], result["bytes"]) == (ROWS, sent)
    assert result["peak_kb"] < LIMIT_MB * 1024
