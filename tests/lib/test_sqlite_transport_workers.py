"""Real Celery workers on the embedded broker: pools, kills, priorities, remote control."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from celery import Celery

import orchestrator_site.lib.sqlite_transport  # noqa: F401  # registers the scheme

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = '''
import os, sqlite3, time
from celery import Celery
from orchestrator_site.lib import sqlite_transport

app = Celery("program", broker=os.environ["BROKER"])
app.conf.update(
    broker_transport_options={"visibility_timeout": float(os.environ["LEASE"]), "busy_timeout": 1},
    broker_connection_retry_on_startup=True, broker_connection_max_retries=None,
    worker_prefetch_multiplier=1, task_ignore_result=True, task_default_queue="work",
    worker_cancel_long_running_tasks_on_connection_loss=False,
)

def record(name):
    """Claim once, count every attempt."""
    db = sqlite3.connect(os.environ["CLAIMS"], timeout=30, isolation_level=None)
    db.execute("pragma synchronous = off")
    db.execute("begin immediate")
    claimed = db.execute("insert or ignore into claim (name) values (?)", (name,)).rowcount
    db.execute("insert into attempt (name, claimed) values (?, ?)", (name, claimed))
    db.execute("commit")
    db.close()

@app.task(name="note", acks_late=True)
def note(name):
    record(name)

@app.task(name="long", acks_late=True, bind=True)
def long(self, name, seconds):
    record(f"{name} {'redelivered' if self.request.delivery_info['redelivered'] else 'first'}")
    time.sleep(seconds)
'''


class Bench:
    """A program, its broker and its record of what was executed."""

    def __init__(self, folder: Path, lease: float) -> None:
        self.folder = folder
        self.broker = folder / "broker.sqlite3"
        self.claims = folder / "claims.sqlite3"
        (folder / "program.py").write_text(PROGRAM)
        self.query("create table claim (name text primary key)")
        self.query("create table attempt (name text, claimed integer)")
        url = f"sqlitebroker:///{self.broker}"
        self._environment = {
            **os.environ,
            "BROKER": url,
            "CLAIMS": str(self.claims),
            "LEASE": str(lease),
            "PYTHONPATH": f"{ROOT}:{folder}",
        }
        self.app = Celery("client", broker=url, set_as_current=False)
        self.app.conf.update(
            broker_transport_options={"visibility_timeout": lease, "busy_timeout": 1},
            task_default_queue="work",
            task_ignore_result=True,
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def query(self, sql: str, path: Path | None = None) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path or self.claims, timeout=30)) as db, db:
            return db.execute(sql).fetchall()

    def send(self, task: str, *args: object, **options: Any) -> None:
        self.app.send_task(task, args, **options)

    def start(self, pool: str = "threads", concurrency: int = 4) -> subprocess.Popen[bytes]:
        name = f"w{len(self.workers)}"
        with (self.folder / f"{name}.log").open("wb") as log:
            worker = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "program", "worker", "-l", "info"),
                    *("-P", pool, "-c", str(concurrency), "-n", name, "-Q", "work"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                ],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        end = monotonic() + seconds
        while not condition():
            assert monotonic() < end, self.logs()
            sleep(0.05)

    def claimed(self) -> list[str]:
        """Return what was executed, in order."""
        return [name for (name,) in self.query("select name from attempt order by rowid")]

    def messages(self) -> int:
        return int(self.query("select count(*) from message", self.broker)[0][0])

    def files(self) -> list[Path]:
        return [path for path in self.folder.glob("broker.sqlite3*") if path.is_file()]

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.app.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, lease=1.5)
    yield bench
    bench.stop()


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_worker_executes_everything_once_and_stops_warm(bench: Bench, pool: str) -> None:
    worker = bench.start(pool)
    names = [f"task {n}" for n in range(100)]
    for name in names:
        bench.send("note", name)
    bench.wait_for(lambda: len(bench.claimed()) == 100)
    assert sorted(bench.claimed()) == sorted(names)
    worker.terminate()
    assert worker.wait(timeout=10) == 0
    assert bench.messages() == 0
    assert bench.query("select name from queue", bench.broker) == [("work",)]


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_task_longer_than_the_lease_is_not_given_to_another_worker(
    bench: Bench, pool: str
) -> None:
    """With the pool full and, in solo, the consuming thread itself inside the task."""
    bench.start(pool, 1)
    bench.send("long", "a", 5)
    bench.wait_for(lambda: bench.claimed() == ["a first"])
    bench.start(pool, 1)
    bench.send("note", "done by the other")
    bench.wait_for(lambda: bench.messages() == 0)
    assert sorted(bench.claimed()) == ["a first", "done by the other"]


def test_a_killed_workers_task_goes_to_another_within_the_lease(bench: Bench) -> None:
    victim = bench.start("threads", 1)
    bench.send("long", "a", 60)
    bench.wait_for(lambda: bench.claimed() == ["a first"])
    heir = bench.start("threads", 1)
    bench.send("note", "the heir is up")
    bench.wait_for(lambda: len(bench.claimed()) == 2)
    victim.kill()
    bench.wait_for(lambda: len(bench.claimed()) == 3, seconds=1.5 + 1)
    assert bench.claimed() == ["a first", "the heir is up", "a redelivered"]
    assert heir.poll() is None


def test_a_worker_takes_the_higher_priority_first(bench: Bench) -> None:
    for priority in (0, 5, 9, 5):
        bench.send("note", f"{priority} {len(bench.claimed())}", priority=priority)
        bench.send("note", f"{priority} next", priority=priority)
    bench.start("solo", 1)
    bench.wait_for(lambda: bench.messages() == 0)
    assert [name[0] for name in bench.claimed()] == list("99555500")


def test_remote_control_reaches_every_worker_and_leaves_nothing_behind(bench: Bench) -> None:
    for pool in ("threads", "solo"):
        bench.start(pool, 1)
    inspect = bench.app.control.inspect(timeout=1.0)
    bench.wait_for(lambda: len(inspect.ping() or {}) == 2)
    for _ in range(3):
        found = bench.app.control.ping(timeout=1.0) or []
        assert sorted(tuple(answer) for answer in found) == [
            ("celery@w0",),
            ("celery@w1",),
        ]
    assert bench.query("select count(*) from queue", bench.broker) == [(3,)]  # work, two mailboxes
    assert bench.messages() == 0
    bench.app.control.shutdown()
    assert [worker.wait(timeout=10) for worker in bench.workers] == [0, 0]
    assert bench.query("select name from queue", bench.broker) == [("work",)]
    assert bench.query("select distinct queue from binding", bench.broker) == [("work",)]


def test_a_worker_survives_a_locked_file(bench: Bench) -> None:
    worker = bench.start("threads", 1)
    bench.send("long", "a", 1)
    bench.wait_for(lambda: bench.claimed() == ["a first"])
    with closing(sqlite3.connect(bench.broker, isolation_level=None)) as lock:
        lock.execute("begin immediate")
        bench.wait_for(lambda: "Couldn't ack" in bench.logs())
        lock.execute("rollback")
    bench.wait_for(lambda: bench.claimed() == ["a first", "a redelivered"])
    bench.wait_for(lambda: bench.messages() == 0)
    assert worker.poll() is None


@pytest.mark.parametrize("harm", ["damaged", "removed"])
def test_a_worker_survives_harm_to_the_file(bench: Bench, harm: str) -> None:
    worker = bench.start("threads", 2)
    bench.send("note", "before")
    bench.wait_for(lambda: bench.claimed() == ["before"])
    if harm == "damaged":
        for file in bench.files():
            file.write_bytes(b"garbage " * 4000)
        bench.wait_for(lambda: "Trying to re-establish the connection" in bench.logs())
    for file in bench.files():
        file.unlink()
    bench.wait_for(lambda: _try(lambda: bench.send("note", "after")), seconds=10)
    bench.wait_for(lambda: "after" in bench.claimed())
    assert worker.poll() is None


def _try(action: Callable[[], None]) -> bool:
    try:
        action()
    except ConnectionError:
        return False
    return True


@pytest.mark.timeout(90)
def test_three_thousand_messages_and_three_kills(tmp_path: Path) -> None:
    """None is lost; only what was at work at a kill is attempted twice, and claimed once."""
    bench = Bench(tmp_path, lease=2)
    threads = 4
    try:
        bench.start(concurrency=threads)
        bench.start(concurrency=threads)
        kills = [500, 1200, 2000]
        for number in range(3000):
            bench.send("note", f"{number}")
            if kills and bench.query("select count(*) from claim")[0][0] >= kills[0]:
                _kill_one(bench, kills, threads)
        while kills:
            bench.wait_for(
                lambda: bench.query("select count(*) from claim")[0][0] >= kills[0], seconds=30
            )
            _kill_one(bench, kills, threads)
        bench.wait_for(lambda: bench.messages() == 0, seconds=40)
        names = [name for (name,) in bench.query("select name from claim")]
        assert sorted(names, key=int) == [str(number) for number in range(3000)]
        assert bench.query("select count(*) from attempt where claimed") == [(3000,)]
        # Each thread may lose one at work and one settled task whose ack was cut off.
        ((attempts,),) = bench.query("select count(*) from attempt")
        assert 3000 <= attempts <= 3000 + 3 * 2 * threads
    finally:
        bench.stop()


def _kill_one(bench: Bench, kills: list[int], threads: int) -> None:
    victim = next(worker for worker in bench.workers if worker.poll() is None)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    kills.pop(0)
    bench.start(concurrency=threads)
