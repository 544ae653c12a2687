"""Variables from where they are given to what a component does with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
from pytest_django import Settings

from components.enums import JobStatus
from components.models import Configuration, Job, Table
from components.services import storage_files
from components.services.jobs import run_job
from orchestrations.enums import StartedBy
from orchestrations.exceptions import InvalidOrchestration, InvalidSchedule
from orchestrations.models import Orchestration, Run
from orchestrations.scheduling.slots import fire_due
from orchestrations.services.orchestrations import save_orchestration
from orchestrations.services.runs import start_run
from orchestrations.services.schedules import create_schedule
from tests.builders import make_component, make_configuration, make_orchestration, make_schedule
from tests.control import Control

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def installation(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.HOME = tmp_path
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    storage_files._store.cache_clear()  # noqa: SLF001  # one per process otherwise
    yield
    storage_files._store.cache_clear()  # noqa: SLF001


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """What a web server on port 0 was asked for; the first item is its address."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"id,name\n1,Ann\n")

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    paths.append(f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, daemon=True).start()
    yield paths
    server.shutdown()
    server.server_close()


def start(orchestration: Orchestration, **given: str) -> Run:
    return start_run(orchestration, started_by=StartedBy.MANUAL, variables=given)


def carry_out(control: Control, run: Run) -> None:
    """Run the jobs of a run's task, and of the ones after it, in real children."""
    control.advance(run)
    while control.jobs:
        with control.capture(execute=True):
            run_job(control.jobs.pop(0))
        control.deliver()
    run.refresh_from_db()


def rows(key: str) -> list[tuple[Any, ...]]:
    version = Table.objects.get(key=key).current
    assert version is not None
    with storage_files.open_bench() as bench:
        paths = [segment.path for segment in version.segments.all()]
        with bench.store.reading(paths) as files:
            names = [str(file) for file in files.values()]
            return bench.connection.read_parquet(names).order("ALL").fetchall()


def make_sql(script: str, **fields: Any) -> Configuration:
    parameters = {"blocks": [{"name": "One", "script": script}]}
    return make_configuration("tr-sql", parameters=parameters, **fields)


@pytest.mark.usefixtures("installation")
def test_a_transformation_gets_what_the_run_was_given(control: Control) -> None:
    first = make_sql(
        "CREATE TABLE t AS SELECT * FROM (VALUES ('{{city}}', 1), ('Wien', 2)) v(city, n)",
        output=[{"source": "t", "destination": "out.c-{{ place }}.all"}],
    )
    second = make_sql(
        "CREATE TABLE u AS SELECT n, '{{ city }}' AS city, '{{ other }}' AS left FROM t",
        input=[
            {
                "source": "out.c-{{ place }}.all",
                "destination": "t",
                "where_column": "city",
                "where_operator": "eq",
                "where_values": ["{{ city }}"],
            }
        ],
        output=[{"source": "u", "destination": "out.c-{{ place }}.one"}],
    )
    orchestration = make_orchestration(
        [[first], [second]], variables={"city": "Praha", "place": "usual"}
    )
    run = start(orchestration, city="Brno")
    carry_out(control, run)
    assert (run.status, run.reason) == ("success", "")
    assert rows("out.c-usual.one") == [(1, "Brno", "{{ other }}")]
    assert control.job(run, "t2").variables == {"city": "Brno", "place": "usual"}


@pytest.mark.usefixtures("installation")
def test_an_extractor_gets_them_in_its_address(control: Control, asked: list[str]) -> None:
    web = make_configuration(
        "ex-http",
        parameters={"url": f"{asked[0]}/{{{{ day }}}}.csv?q={{{{data}}}}"},
        output=[{"source": "*", "destination": "in.c-web.t"}],
    )
    run = start(make_orchestration([[web]]), day="2026-11-22")
    carry_out(control, run)
    assert (run.status, run.reason) == ("success", "")
    assert [unquote(path) for path in asked[1:]] == ["/2026-11-22.csv?q={{data}}"]


def make_plain(**fields: Any) -> Configuration:
    return make_configuration(make_component(), **fields)


def variables(control: Control, run: Run, key: str = "t1") -> dict[str, str]:
    return dict(control.job(run, key).variables)


def test_those_of_a_run_lie_over_those_of_its_version(control: Control) -> None:
    orchestration = make_orchestration([[make_plain()]], variables={"a": "usual", "b": "usual"})
    run = start(orchestration, b="given", c="given")
    save_orchestration(
        orchestration, user=None, expected_version=1, variables={"a": "later", "d": "later"}
    )
    control.advance(run)
    assert variables(control, run) == {"a": "usual", "b": "given", "c": "given"}
    assert (run.variables, run.effective_variables) == (
        {"b": "given", "c": "given"},
        {"a": "usual", "b": "given", "c": "given"},
    )


def test_a_child_run_has_its_own_usual_ones_under_those_of_its_parent(control: Control) -> None:
    below = make_orchestration([[make_plain()]], variables={"a": "3", "b": "3", "c": "3"})
    middle = make_orchestration([[below]], variables={"b": "2", "c": "2"})
    run = start(make_orchestration([[middle]], variables={"c": "1"}), d="0")
    control.advance(run)
    [child, grandchild] = Run.objects.filter(started_by=StartedBy.NESTED).order_by("pk")
    assert child.variables == {"c": "1", "d": "0"}
    assert grandchild.variables == {"b": "2", "c": "1", "d": "0"}
    assert variables(control, grandchild) == {"a": "3", "b": "2", "c": "1", "d": "0"}


def test_each_attempt_gets_them(control: Control) -> None:
    again: Any = {"configuration": make_plain().pk, "retries": 1, "retry_delay": 0}
    run = start(make_orchestration([[again]]), a="1")
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR)
    control.advance(run)
    given = Job.objects.filter(attempt__task_run__run=run).values_list("variables", flat=True)
    assert list(given) == [{"a": "1"}, {"a": "1"}]


def test_a_retry_has_those_of_the_run_unless_it_is_given_others(control: Control) -> None:
    orchestration = make_orchestration([[make_plain()]])
    run = start(orchestration, a="1")
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR)
    run.refresh_from_db()

    def retry(**options: Any) -> dict[str, str]:
        again = start_run(orchestration, started_by=StartedBy.RETRY, retry_of=run, **options)
        return dict(again.variables)

    assert retry() == {"a": "1"}
    assert retry(variables={"b": "2"}) == {"b": "2"}
    assert retry(variables={}) == {}


def test_a_schedule_hands_its_own_over(control: Control) -> None:
    orchestration = make_orchestration([[make_plain()]], variables={"a": "usual"})
    make_schedule(NOON, orchestration=orchestration, variables={"day": "today"})
    fire_due(NOON)
    run = orchestration.runs.get()
    control.advance(run)
    assert (run.started_by, variables(control, run)) == (
        StartedBy.SCHEDULE,
        {"a": "usual", "day": "today"},
    )


WRONG: dict[str, tuple[Any, dict[str, str]]] = {
    "a name": (
        {"1st": "x"},
        {
            "variables.1st": "A name is a letter and then letters, digits, _, - or ., "
            "64 characters at most."
        },
    ),
    "a number": ({"n": 1}, {"variables.n": "Use a text of 10000 characters or fewer."}),
    "a list": (["n"], {"variables": "Use a JSON object of names and texts, such as {}."}),
    "too many": (
        {f"n{i}": "" for i in range(101)},
        {"variables": "Use at most 100 variables."},
    ),
}


@pytest.mark.parametrize(("given", "fields"), WRONG.values(), ids=WRONG.keys())
def test_wrong_ones_start_nothing(given: Any, fields: dict[str, str]) -> None:
    orchestration = make_orchestration([[make_plain()]])
    with pytest.raises(InvalidOrchestration) as caught:
        start_run(orchestration, started_by=StartedBy.API, variables=given)
    assert (caught.value.fields, orchestration.runs.count()) == (fields, 0)
    with pytest.raises(InvalidSchedule) as refused:
        create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None, variables=given)
    assert (refused.value.fields, orchestration.schedules.count()) == (fields, 0)
