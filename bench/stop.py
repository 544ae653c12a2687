"""How long Ctrl-C takes until everything has ended: idle, and while jobs run; ten seconds at most.

Prints one JSON object per line and fails where one took longer: `python bench/stop.py`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.installation import Source

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 10.0  # seconds
JOBS = 4


def main() -> None:
    """Start an installation twice, and stop it."""
    sys.path.insert(0, str(ROOT))
    from tests.e2e.installation import Source  # after the path is set

    source = Source()
    try:
        found = [measure("idle", source, jobs=0), measure("running", source, jobs=JOBS)]
    finally:
        source.close()
    sys.exit(max(found) > LIMIT)


def measure(name: str, source: Source, *, jobs: int) -> float:
    """Return the seconds of one stop, with so many jobs that wait for their source."""
    from tests.e2e.installation import Installation, until

    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as home:
        installation = Installation(Path(home))
        installation.start()
        try:
            source.gate.clear()
            for number in range(jobs):
                parameters = {"url": source.url}
                pk = installation.configuration(f"Job {number}", "ex-http", parameters)
                installation.api("POST", f"/configurations/{pk}/jobs")
            path = "/jobs?status=processing"
            until(lambda: len(installation.api("GET", path)["items"]) == jobs, "the jobs")
            began = time.monotonic()
            status = installation.stop()
            seconds = round(time.monotonic() - began, 2)
        finally:
            installation.stop()
            source.gate.set()
    load = round(os.getloadavg()[0], 2)
    line = {"bench": "stop", "state": name, "jobs": jobs, "seconds": seconds, "status": status}
    print(json.dumps({**line, "load": load}), flush=True)
    return seconds


if __name__ == "__main__":
    main()
