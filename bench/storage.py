"""A CSV file into a table, beside bare DuckDB's CSV to Parquet, in the same run.

    python bench/storage.py --mb 1024

Prints one JSON line per measurement (each in a process of its own, so that memory is its own) and
a last one with the ratios of the medians. Both use two threads and zstd. Bare DuckDB guesses the
types from a sample; ours are proved over all rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MEGABYTE = 1024 * 1024
ROWS_PER_MB = 8_900
ROW = """
    i AS id, (i * 7919) % 100000 AS customer, 'name ' || (i % 5000) AS name,
    round((i * 37 % 100000) / 100.0, 2) AS price, DATE '2020-01-01' + (i % 2000)::INT AS day,
    TIMESTAMP '2024-01-01' + INTERVAL (i) SECOND AS at, i % 2 = 0 AS is_paid,
    'some longer text with words ' || hash(i) AS note
"""


def make_file(path: Path, megabytes: int) -> None:
    """Write the rows that both read."""
    rows = f"SELECT {ROW} FROM range({megabytes * ROWS_PER_MB}) t(i)"
    duckdb.connect().execute(f"COPY ({rows}) TO '{path}' (HEADER)")


def bare(source: Path, folder: Path) -> int:
    """Let DuckDB do all; returns the number of rows."""
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "384MB"})
    copy = f"COPY (FROM read_csv('{source}')) TO '{folder}/bare.parquet' (COMPRESSION zstd)"
    found = connection.execute(copy).fetchone()
    return int(found[0]) if found else 0


def ours(source: Path, folder: Path) -> int:
    """Load as the CSV upload and the extractors do; returns the number of rows."""
    from components.store.loading import Bench, load_file  # not for the bare one
    from components.store.sandbox import connect
    from components.store.segments import open_store

    store = open_store(f"file://{folder}/store", cache=folder / "cache")
    return load_file(Bench(connect(folder / "spill"), store, folder), source, "csv")["rows"]


def upsert(source: Path, folder: Path) -> int:
    """Merge a tenth of the rows, by key, into all of them; returns the superseded rows."""
    from components.store.loading import Bench
    from components.store.merging import Merge
    from components.store.sandbox import connect
    from components.store.segments import open_store
    from components.store.tables import SegmentPlan
    from components.store.writing import write_query

    store = open_store(f"file://{folder}/store", cache=folder / "cache")
    bench = Bench(connect(folder / "spill"), store, folder)
    base, new = (
        write_query(bench.connection, f"FROM read_csv('{source}'){where}", bench.target(), store)
        for where in ("", " WHERE id % 10 = 0")
    )
    plans = [
        SegmentPlan(path=segment["path"], columns=segment["columns"], changed_at="", deletes=[])
        for segment in (base, new)
    ]
    started, cpu = time.perf_counter(), time.process_time()
    deletes = Merge(bench, base["columns"], ["id"]).superseded(plans[:1], plans[1:])
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"what": "positions", "seconds": round(seconds, 2), "cpu": round(cpu, 2)}))
    return sum(found["rows"] for found in deletes)


def refused(_source: Path, folder: Path) -> int:
    """Refuse a file of which half of the lines lack a column; returns the number of lines."""
    from components.exceptions import ImportRejected

    lines = 200_000
    bad = folder / "bad.csv"
    bad.write_text("a,b\n" + "1,2\n" * lines + "3\n" * lines)
    try:
        ours(bad, folder)
    except ImportRejected:
        return 2 * lines
    sys.exit("A file with bad lines was not refused.")


WORK = {"bare": bare, "ours": ours, "upsert": upsert, "refused": refused}


def measure(what: str, source: Path) -> None:
    """Do one thing in this process and print what it took."""
    with tempfile.TemporaryDirectory(prefix="bench-storage-") as name:
        started = time.perf_counter()
        rows = WORK[what](source, Path(name))
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "what": what,
                "rows": rows,
                "seconds": round(seconds, 2),
                "cpu": round(used.ru_utime + used.ru_stime, 2),
                "peak_mb": round(used.ru_maxrss / 1024),
            }
        )
    )


def run(what: str, source: Path) -> dict[str, float]:
    """Measure in a fresh process; returns the line that it printed last."""
    command = [sys.executable, __file__, "--measure", what, "--source", str(source)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(printed, end="", flush=True)
    line: dict[str, float] = json.loads(printed.splitlines()[-1])
    return line


def main() -> None:
    """Compare, or measure one thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=100, help="size of the CSV file")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--measure", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.source)
        return
    with tempfile.TemporaryDirectory(prefix="bench-storage-") as name:
        source = Path(name, "rows.csv")
        make_file(source, options.mb)
        found: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
        for _ in range(options.times):
            for what, lines in found.items():
                lines.append(run(what, source))
        run("upsert", source)
        run("refused", source)
        size = source.stat().st_size
    middle = {
        what: {
            key: statistics.median(line[key] for line in lines) for key in lines[0] if key != "what"
        }
        for what, lines in found.items()
    }
    ratios = {
        key: round(middle["ours"][key] / middle["bare"][key], 2) for key in ("seconds", "cpu")
    }
    peak = max(line["peak_mb"] for line in found["ours"])
    print(json.dumps({"mb": round(size / MEGABYTE), "ratio": ratios, "peak_mb": peak}))


if __name__ == "__main__":
    main()
