"""How fast coming starts are replayed where a long line waits: `python bench/forecast.py`.

Prints one JSON object per line. No database is asked.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STARTS, ORCHESTRATIONS, LIMIT = (3_000, 30_000), 50, 4
MINUTE = timedelta(minutes=1)


def main() -> None:
    """Replay starts of every minute that each take two hours, all of them queued."""
    sys.path.insert(0, str(ROOT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
    os.environ.setdefault("SECRET_KEY", "a key for the benchmark, longer than 32 characters")
    from orchestrations.enums import Overlap
    from orchestrations.insights.forecast import Start, Usual, replay

    usual = {n: Usual(120 * MINUTE, 200 * MINUTE) for n in range(ORCHESTRATIONS)}
    begin = datetime(2026, 6, 1, tzinfo=UTC)
    for count in STARTS:
        starts = [
            Start(begin + n * MINUTE, n % ORCHESTRATIONS, n % ORCHESTRATIONS, Overlap.QUEUE_ALL)
            for n in range(count)
        ]
        began = time.perf_counter()
        replay(starts, usual, limit=LIMIT)
        seconds = round(time.perf_counter() - began, 3)
        print(json.dumps({"bench": "forecast", "starts": count, "seconds": seconds}))


if __name__ == "__main__":
    main()
