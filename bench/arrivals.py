"""Many files that arrive at once: what it costs to notice them, and to start runs of them.

    DATABASE_URL=postgresql://… python bench/arrivals.py --files 10000

Prints the seconds of a look that sees them for the first time, of the look that notes all of them
as complete (it holds the trigger's row for most of it), of one where nothing is new, and of the
start of the first run. Without the variable it is measured on SQLite.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Let files arrive in a folder; returns seconds."""
    from django.utils import timezone

    from orchestrations.enums import TriggerKind
    from orchestrations.scheduling.triggers import sweep
    from orchestrations.services.arrivals import watch_files
    from orchestrations.services.orchestrations import create_orchestration
    from orchestrations.services.triggers import create_trigger

    create_trigger(
        create_orchestration(name="Files", user=None),
        user=None,
        kind=TriggerKind.FILES,
        place=str(folder),
    )
    now = timezone.now()
    watch_files(now)
    for number in range(count):
        (folder / f"{number:06}.csv").write_text("x")
    found: dict[str, Any] = {"files": count}
    for look in ("seen", "noted", "idle"):
        now += timedelta(seconds=10)
        began = time.perf_counter()
        arrived = watch_files(now)
        found[f"{look}_s"] = round(time.perf_counter() - began, 3)
        assert arrived == (count if look == "noted" else 0)
    began = time.perf_counter()
    found["runs"] = len(sweep(now))
    found["start_s"] = round(time.perf_counter() - began, 3)
    return found


def main() -> None:
    """Measure once, in a folder that goes with the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from bench.phases import prepare_environment  # needs the path

    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WATCHED_PLACES"] = folder
        import django  # after the environment is set

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        print(json.dumps(measure(Path(folder), options.files)))  # its output


if __name__ == "__main__":
    main()
