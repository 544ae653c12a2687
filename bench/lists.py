"""How fast the lists of runs and jobs, the list of orchestrations and the palette are answered.

Prints one JSON object per line. Use an empty database: `DATABASE_URL=postgresql://… python
bench/lists.py`; without DATABASE_URL it measures SQLite in a folder that is removed afterwards.
The time is the server's, of whole pages, without the network.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

ROOT = Path(__file__).resolve().parents[1]
RUN_SEARCHES = {
    "newest": {},
    "status": {"q": "status:error"},
    "failed lately": {"q": "status:error created:>-7d"},
    "orchestration": {"q": 'orchestration:"number 77"'},
    "long": {"q": "duration:>290"},
    "none so long": {"q": "duration:>9000"},
    "not by user": {"q": "-user:ada startedBy:schedule"},
    "old days": {"q": "created:2025-01-10..2025-01-12"},
    "before": {"q": "created:<2025-02-01"},
    "words": {"q": "number 77"},
    "error": {"q": 'error:"host 4711 "'},
    "nothing": {"q": "nothing-like-this"},
    "many": {"q": "status:error,warning -user:ada duration:>60 created:>-300d number"},
}
JOB_SEARCHES = {
    **{name: query for name, query in RUN_SEARCHES.items() if name != "orchestration"},
    "configuration": {"q": 'configuration:"number 77"'},
    "component": {"q": "component:ex-http status:error"},
}


def main() -> None:
    """Fill a database and measure what is named, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="runs, jobs, orchestrations, palette; default: all")
    parser.add_argument("--rows", type=int, default=1_000_000, help="runs, and jobs")
    parser.add_argument("--objects", type=int, default=5_000, help="orchestrations, and the others")
    parser.add_argument("--times", type=int, default=20, help="that each page is asked for")
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="orchestrator-bench-")
    os.environ["ORCHESTRATOR_HOME"] = home
    os.environ.setdefault("SECRET_KEY", "a key for the benchmark, longer than 32 characters")
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
    sys.path.insert(0, str(ROOT))
    try:
        client = prepare(options.rows, options.objects)
        for name, paths in pages(options.rows).items():
            if not options.what or name in options.what:
                for page, (path, query) in paths.items():
                    line = measure(client, path, query, options.times)
                    print(json.dumps({"bench": name, "page": page, **where(), **line}), flush=True)
        print(json.dumps({"bench": "indexes", **where(), **index_sizes()}), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def pages(rows: int) -> dict[str, dict[str, tuple[str, dict[str, str]]]]:
    """Return what is asked for: by bench and page, the path with its query."""
    runs = {name: ("/runs/", query) for name, query in RUN_SEARCHES.items()}
    jobs = {name: ("/jobs/", query) for name, query in JOB_SEARCHES.items()}
    for found, path in ((runs, "/runs/"), (jobs, "/jobs/")):
        found["deep"] = (path, {"after": str(rows // 2)})
        found["deep, status"] = (path, {"q": "status:error", "after": str(rows // 10)})
        found["last, backwards"] = (path, {"before": "1"})
    sorts = ("", "last", "next", "duration")
    texts = ("n", "number 77", "run number 7", "nmbr", "in.c-bench", "12")
    return {
        "runs": runs,
        "jobs": jobs,
        "orchestrations": {
            **{f"by {sort or 'name'}": ("/orchestrations/", {"sort": sort}) for sort in sorts},
            "failing": ("/orchestrations/", {"show": "failing"}),
        },
        "palette": {text: ("/palette/", {"q": text}) for text in texts},
    }


def prepare(rows: int, objects: int) -> Client:
    """Load Django, fill the tables where they are empty, and log somebody in."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    settings.ALLOWED_HOSTS = ["testserver"]
    user, is_new = User.objects.get_or_create(username="bench")
    if is_new:
        user.groups.add(Group.objects.get(name="Editor"))
        fill(rows, objects)
    client = Client()
    client.force_login(user)
    return client


def fill(rows: int, objects: int) -> None:
    """Make objects by the ORM, and the long tables by one statement each."""
    from django.contrib.auth.models import User

    from components.models import Bucket, Component, Configuration, Table
    from orchestrations.models import Orchestration, OrchestrationVersion

    User.objects.create(username="ada")
    component = Component.objects.get(key="ex-http")
    names = [f"Pipeline number {n}" for n in range(1, objects + 1)]
    Orchestration.objects.bulk_create(Orchestration(name=name) for name in names)
    OrchestrationVersion.objects.bulk_create(
        OrchestrationVersion(orchestration=o, number=1, definition={}, change="Created.")
        for o in Orchestration.objects.all()
    )
    Configuration.objects.bulk_create(Configuration(component=component, name=n) for n in names)
    bucket = Bucket.objects.create(key="in.c-bench", stage="in", name="bench")
    Table.objects.bulk_create(
        Table(bucket=bucket, key=f"in.c-bench.number-{n}", name=f"number-{n}")
        for n in range(objects)
    )
    insert("orchestrations_run", RUN, rows, objects)
    insert("components_job", JOB, rows, objects)


STATUS = "CASE WHEN i % 20 = 7 THEN 'error' WHEN i % 50 = 3 THEN 'warning' ELSE 'success' END"
ERROR = "CASE WHEN i % 20 = 7 THEN 'The host ' || i || ' cannot be reached.' ELSE '' END"
ADA = "(SELECT id FROM auth_user WHERE username = 'ada')"
RUN = {
    "orchestration_id": "(SELECT min(id) FROM orchestrations_orchestration) + i % {objects}",
    "version_id": "(SELECT min(id) FROM orchestrations_orchestrationversion) + i % {objects}",
    "status": STATUS,
    "reason": ERROR,
    "started_by": "CASE WHEN i % 10 = 0 THEN 'manual' ELSE 'schedule' END",
    "created_by_id": f"CASE WHEN i % 10 = 0 THEN {ADA} END",
    "updates": "'[]'",
    "variables": "'{{}}'",
    "is_planned": "true",
    "created_at": "{begun}",
    "started_at": "{begun}",
    "ended_at": "{ended}",
}
JOB = {
    "component_id": "(SELECT id FROM components_component WHERE key = 'ex-http')",
    "configuration_id": "(SELECT min(id) FROM components_configuration) + i % {objects}",
    "configuration_name": "'Pipeline number ' || (1 + i % {objects})",
    "configuration_version": "1",
    "parameters": "'{{}}'",
    "variables": "'{{}}'",
    "origin": "CASE WHEN i % 10 = 0 THEN 'manual' ELSE 'orchestration' END",
    "created_by_id": RUN["created_by_id"],
    "status": STATUS,
    "waiting_for": "''",
    "created_at": "{begun}",
    "started_at": "{begun}",
    "ended_at": "{ended}",
    "worker": "''",
    "error": ERROR,
    "error_type": "''",
    "error_reference": "''",
    "result": "'{{}}'",
    "tables_in": "'[]'",
    "tables_out": "'[]'",
}
MOMENTS = {  # one a minute until now, each up to five minutes long
    "postgresql": (
        "now() - ({rows} - i) * interval '1 minute'",
        "now() - ({rows} - i) * interval '1 minute' + (i % 300) * interval '1 second'",
    ),
    "sqlite": (
        "datetime('now', (i - {rows}) || ' minutes')",
        "datetime('now', (i - {rows}) || ' minutes', (i % 300) || ' seconds')",
    ),
}


def insert(table: str, columns: dict[str, str], rows: int, objects: int) -> None:
    """Insert rows by one statement; `i` counts them from 1."""
    from django.db import connection

    begun, ended = (text.format(rows=rows) for text in MOMENTS[connection.vendor])
    values = [text.format(objects=objects, begun=begun, ended=ended) for text in columns.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
            f"{rows}) INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM n"
        )
        cursor.execute(f"ANALYZE {table}")


def where() -> dict[str, str]:
    """Return which database is measured."""
    from django.db import connection

    return {"database": connection.vendor}


def measure(client: Client, path: str, query: dict[str, str], times: int) -> dict[str, object]:
    """Ask for a page again and again; return the milliseconds and how many queries it took."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    headers = {"HX-Request": "true"} if path == "/palette/" else {}
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path, query, headers=headers)
    if answer.status_code != 200:
        sys.exit(f"{path} answered {answer.status_code}: {answer.content[:300]!r}")
    queries = asked.captured_queries  # before the next request forgets them
    spans = []
    for _ in range(times):
        began = time.perf_counter()
        client.get(path, query, headers=headers)
        spans.append((time.perf_counter() - began) * 1000)
    spans.sort()
    slowest = max(float(query["time"]) for query in queries)
    return {
        "queries": len(queries),
        "slowest_query_ms": round(slowest * 1000),
        "p50_ms": round(statistics.median(spans), 1),
        "p95_ms": round(spans[int(len(spans) * 0.95) - 1], 1),
    }


def index_sizes() -> dict[str, object]:
    """Return the megabytes of each index of the long tables, where the database tells them."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelname, pg_relation_size(indexrelid) / 1e6 FROM pg_stat_user_indexes "
            "WHERE relname IN ('orchestrations_run', 'components_job') ORDER BY 2 DESC"
        )
        return {name: round(float(size), 1) for name, size in cursor.fetchall()}


if __name__ == "__main__":
    main()
