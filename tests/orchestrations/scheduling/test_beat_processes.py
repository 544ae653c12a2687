"""Real beats that are killed and stopped in the middle of firing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
BEAT = ["-A", "orchestrator_site", "beat", "--loglevel=WARNING"]
AHEAD = """
from datetime import UTC, datetime, timedelta
import time_machine
time_machine.travel(datetime.now(UTC) + timedelta(hours={hours})).start()
from celery.__main__ import main
main()
"""
SERVER = "postgresql://postgres@127.0.0.1:5432"
SCHEDULES, BACKLOG = 20, 900
MANY, KILLS, BEATS, MISSED = 2000, 40, 4, 12
SEED = """
import django; django.setup()
from datetime import timedelta
from django.db import transaction
from django.utils import timezone
from tests.builders import make_schedule
start = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes={minutes})
with transaction.atomic():
    for _ in range({schedules}):
        make_schedule(
            start, cron="* * * * *", misfire="all", misfire_limit={limit}, overlap="queue_all"
        )
"""
EPOCH = {
    "sqlite": "CAST(strftime('%s', due_at) AS INTEGER)",
    "postgresql": "extract(epoch from due_at)::bigint",
}
NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgresql": "now()"}
pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]


@dataclass
class Site:
    """An installation of its own: a data directory and a database."""

    kind: str
    home: Path
    env: dict[str, str]

    def run(self, *command: str) -> None:
        subprocess.run([sys.executable, *command], cwd=ROOT, env=self.env, check=True)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if self.kind == "sqlite":
            link = sqlite3.connect(self.home / "orchestrator.sqlite3", timeout=30)
            try:
                return link.execute(sql).fetchall()
            finally:
                link.close()
        with psycopg.connect(self.env["DATABASE_URL"]) as server:
            return server.execute(sql.encode()).fetchall()

    def count(self, rest: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {rest}")[0][0])

    def start_beat(self, *, clock: int = 0) -> subprocess.Popen[bytes]:
        """Start a beat whose clock is so many hours ahead."""
        command = ["-c", AHEAD.format(hours=clock)] if clock else ["-m", "celery"]
        return subprocess.Popen([sys.executable, *command, *BEAT], cwd=ROOT, env=self.env)


def make_site(kind: str, home: Path, seed: str) -> Iterator[Site]:
    env = {**os.environ, "ORCHESTRATOR_HOME": str(home), "LOG_LEVEL": "WARNING"}
    env |= {"DJANGO_SETTINGS_MODULE": "orchestrator_site.settings", "PYTHONPATH": str(ROOT)}
    env["SECRET_KEY"] = "a key for this test alone, longer than 32 characters"
    env["DATABASE_URL"] = env["BROKER_URL"] = ""
    database = f"orchestrator_beat_{os.getpid()}"
    if kind == "postgresql":
        env["DATABASE_URL"] = f"{SERVER}/{database}"
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
            server.execute(f"CREATE DATABASE {database}".encode())
    site = Site(kind, home, env)
    try:
        site.run("manage.py", "migrate", "--verbosity=0")
        site.run("-c", seed)
        yield site
    finally:
        if kind == "postgresql":
            with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
                server.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    seed = SEED.format(minutes=BACKLOG, schedules=SCHEDULES, limit=4)
    yield from make_site(request.param, tmp_path, seed)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def large_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Two thousand schedules with a backlog of which every moment is to run."""
    seed = SEED.format(minutes=MISSED, schedules=MANY, limit=1000)
    yield from make_site(request.param, tmp_path, seed)


@contextmanager
def beats_of(site: Site, count: int, *, clock: int = 0) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Some beats; whichever are in the list at the end are killed."""
    beats = [site.start_beat(clock=clock) for _ in range(count)]
    try:
        yield beats
    finally:
        for beat in beats:
            beat.kill()
            beat.wait()


def wait_for(site: Site, slots: int, seconds: float = 60) -> None:
    """Wait for so many slots; the time only tells that nothing goes on at all."""
    deadline = time.monotonic() + seconds
    while site.count("orchestrations_slot") < slots:
        assert time.monotonic() < deadline, "nothing is fired any more"
        time.sleep(0.01)


def wait_until_nothing_is_due(site: Site) -> None:
    deadline = time.monotonic() + 90
    due = f"orchestrations_schedule WHERE next_fire_at <= {NOW[site.kind]}"
    while site.count(due):
        assert time.monotonic() < deadline, "something stays due"
        time.sleep(0.1)


def spans_of(site: Site) -> list[tuple[Any, ...]]:
    """How many slots each schedule has, and the first and the last of their moments."""
    moment = EPOCH[site.kind]
    return site.rows(
        f"SELECT count(*), min({moment}), max({moment}) "
        "FROM orchestrations_slot GROUP BY schedule_id"
    )


def assert_each_moment_once(site: Site) -> None:
    spans = spans_of(site)
    assert len(spans) == SCHEDULES
    for count, first, last in spans:
        assert count == (last - first) // 60 + 1 > BACKLOG
    assert len({first for _, first, _ in spans}) == 1
    ran = site.rows(
        "SELECT schedule_id, due_at FROM orchestrations_slot WHERE outcome IN ('fired', 'queued')"
    )
    runs = site.rows("SELECT schedule_id, scheduled_for FROM orchestrations_run")
    assert sorted(runs) == sorted(ran)
    assert site.count("orchestrations_slot WHERE run_id IS NOT NULL") == len(runs)
    # Four are made up for, and each minute since is one more.
    assert SCHEDULES * 4 <= len(runs) <= SCHEDULES * 9


def test_killing_and_stopping_beats_loses_and_doubles_nothing(site: Site) -> None:
    with beats_of(site, 2) as beats:
        for round_ in range(4):
            wait_for(site, 1 + round_ * 4000)
            victim = beats.pop(0)
            if site.kind == "postgresql" and round_ % 2:
                # A stopped beat holds its rows; the others go on with the rest.
                victim.send_signal(signal.SIGSTOP)
                wait_for(site, site.count("orchestrations_slot") + 100)
                victim.send_signal(signal.SIGCONT)
                beats.append(victim)
            else:
                victim.kill()
                victim.wait()
                beats.append(site.start_beat())
        wait_until_nothing_is_due(site)
    assert_each_moment_once(site)


def test_beat_stops_at_once_when_it_is_asked_to(site: Site) -> None:
    with beats_of(site, 1) as [beat]:
        wait_for(site, 1)
        beat.send_signal(signal.SIGTERM)
        assert beat.wait(timeout=10) == 0


@pytest.mark.parametrize(
    "site", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
@pytest.mark.parametrize("hours", [2, -2])
def test_beats_with_wrong_clocks_fire_by_the_clock_of_the_database(site: Site, hours: int) -> None:
    with beats_of(site, 2, clock=hours):
        wait_for(site, SCHEDULES * BACKLOG)
        wait_until_nothing_is_due(site)
    assert_each_moment_once(site)
    assert site.count("orchestrations_slot WHERE due_at > now()") == 0
    offs = site.rows("SELECT round(clock_off / 3600) FROM orchestrations_process")
    assert offs == [(hours,), (hours,)]
    assert site.count("orchestrations_outage") == 0


@pytest.mark.timeout(900)
def test_of_four_beats_forty_are_killed_and_each_moment_runs_once(large_site: Site) -> None:
    site, rng = large_site, random.Random(40)
    with beats_of(site, BEATS) as beats:
        for killed in range(KILLS):
            # All through the work: one after each fortieth of it.
            # Four beats that begin anew share the machine with other tests.
            wait_for(site, 1 + killed * MANY * MISSED // KILLS, seconds=180)
            victim = beats.pop(rng.randrange(BEATS))
            victim.kill()
            victim.wait()
            beats.append(site.start_beat())
        wait_until_nothing_is_due(site)
    spans = spans_of(site)
    expected = sum((last - first) // 60 + 1 for _, first, last in spans)
    assert len(spans) == MANY
    assert min(count for count, *_ in spans) > MISSED
    slots, runs = site.count("orchestrations_slot"), site.count("orchestrations_run")
    linked = site.count("orchestrations_slot WHERE run_id IS NOT NULL")
    assert expected == slots == runs == linked
    distinct = "(SELECT DISTINCT schedule_id, scheduled_for FROM orchestrations_run) AS each_once"
    assert site.count(distinct) == runs
