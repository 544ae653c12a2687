from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.runners.base import EndedBy, Ending, JobSpec, LogLine, Pulse, StoreSettings
from components.runners.launcher import Launcher
from components.runners.supervisor import Limits, Supervisor, duration
from orchestrator_site.lib.processes import tree
from orchestrator_site.lib.secrets import Vault, derive_keys
from tests.waiting import eventually

KEYS = derive_keys(["k" * 40])
SECRET = 'horse"battery'


@dataclass
class Notebook:
    """A journal in memory."""

    lines: list[LogLine] = field(default_factory=list)
    says: Callable[[], Pulse] = lambda: Pulse.GO
    takes: bool = True

    def write(self, lines: list[LogLine]) -> bool:
        if self.takes:
            self.lines += lines
        return self.takes

    def pulse(self) -> Pulse:
        return self.says()


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    made = Launcher(KEYS, ["tests.job_components"])
    yield made
    made.close()


def spec(work: Path, *, action: Any = "run", memory_mb: int = 1024, **fields: Any) -> JobSpec:
    if "secret" in fields:
        fields["#secret"] = fields.pop("secret")
    parameters = Vault(KEYS).encrypt_tree(fields)
    store = StoreSettings(f"file://{work}/store", str(work / "cache"), 10)
    return JobSpec("test-script", action, parameters, str(work), memory_mb, store)


def run(
    launcher: Launcher, job: JobSpec, journal: Notebook | None = None, **options: Any
) -> tuple[Ending, list[tuple[str, str]]]:
    journal = journal or Notebook()
    seconds = options.pop("seconds", 60)
    limits = Limits(seconds=seconds, memory=job.memory_mb * 1024 * 1024)
    ending = Supervisor(launcher.start(job), journal, limits, **options).watch()
    return ending, [(level, text) for _, level, text in (*journal.lines, *ending.lines)]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def pids(folder: Path) -> list[int]:
    names = ("group", "session", "orphan", "child")

    def written() -> bool:
        return all((folder / n).exists() and (folder / n).read_text() for n in names)

    eventually(written)
    return [int((folder / name).read_text()) for name in names]


def test_a_component_answers_with_result_state_and_log(launcher: Launcher, tmp_path: Path) -> None:
    ending, log = run(launcher, spec(tmp_path, do="succeed"))
    assert ending.by == EndedBy.ITSELF
    assert ending.result is not None
    assert ending.result.result == {"given": 7, "number": "NaN", "text": "a\ufffdb"}
    assert ending.result.state == {"count": 1}
    assert sorted(log) == [("info", "It begins."), ("info", "printed")]
    assert 20_000_000 < ending.peak_memory < 400_000_000


def test_wrong_parameters_are_told_before_anything_runs(launcher: Launcher, tmp_path: Path) -> None:
    ending, _ = run(launcher, spec(tmp_path, do="succeed", value="x"))
    assert ending.error == "The parameter “value” is not valid: 'x' is not of type 'integer'."
    assert (ending.is_user_error, ending.permanent) == (True, True)
    ending, _ = run(launcher, spec(tmp_path))
    assert ending.error == "The parameters are not valid: 'do' is a required property."


def test_an_error_for_people_and_one_of_ours(launcher: Launcher, tmp_path: Path) -> None:
    ending, _ = run(launcher, spec(tmp_path, do="fail", secret=SECRET))
    assert (ending.error, ending.is_user_error) == ("No such place: [hidden].", True)
    assert ending.permanent
    ending, _ = run(launcher, spec(tmp_path, do="break_down", secret=SECRET))
    assert (ending.error, ending.is_user_error) == ("ZeroDivisionError('[hidden]')", False)
    assert "break_down" in ending.traceback
    assert "horse" not in ending.traceback
    ending, _ = run(launcher, spec(tmp_path, do="leave"))
    assert (ending.error, ending.is_user_error) == ("SystemExit(3)", False)


def test_a_crash_is_told_by_its_signal(launcher: Launcher, tmp_path: Path) -> None:
    ending, _ = run(launcher, spec(tmp_path, do="crash"))
    assert ending.by == EndedBy.CRASH
    assert ending.error == ("The component's process was ended by signal 11 (Segmentation fault).")
    assert not ending.is_user_error


def test_a_component_that_is_not_installed(launcher: Launcher, tmp_path: Path) -> None:
    job = JobSpec(**{**vars(spec(tmp_path)), "component": "nobody.knows"})
    assert run(launcher, job)[0].error == "The component “nobody.knows” is not installed here."


def test_a_secret_of_another_key_is_told(launcher: Launcher, tmp_path: Path) -> None:
    foreign = Vault(derive_keys(["f" * 40])).encrypt_tree({"#secret": "x"})
    job = JobSpec(**{**vars(spec(tmp_path)), "parameters": foreign})
    ending, _ = run(launcher, job)
    assert ending.error.startswith("A stored secret cannot be read")
    assert ending.is_user_error


def test_secrets_are_masked_wherever_they_come_out(launcher: Launcher, tmp_path: Path) -> None:
    ending, log = run(launcher, spec(tmp_path, do="tell_secrets", secret=SECRET))
    assert sorted(text for _, text in log) == [
        "dXNlcjp[hidden]",
        "plain [hidden]",
        "split [hidden]",
        '{"a": "[hidden]"}',
    ]
    assert ending.result is not None
    assert ending.result.result == {"said": "[hidden]", "secret_environment": []}
    assert Vault(KEYS).decrypt_tree(ending.result.state) == {"#token": SECRET}
    assert SECRET not in str(ending.result.state)


def test_an_endless_line_is_cut_and_kept_readable(launcher: Launcher, tmp_path: Path) -> None:
    _, log = run(launcher, spec(tmp_path, do="long_line"))
    assert "".join(text for _, text in log) == "x" * 100_000 + "\ufffd\ufffdendnext"
    assert max(len(text) for _, text in log) == 16 * 1024


def test_the_log_comes_while_the_job_runs(launcher: Launcher, tmp_path: Path) -> None:
    journal = Notebook()

    def stop_after_lines() -> Pulse:
        return Pulse.TERMINATE if len(journal.lines) > 100 else Pulse.GO

    journal.says = stop_after_lines
    until = tmp_path / "until"
    ending, _ = run(launcher, spec(tmp_path, do="flood", until=str(until)), journal)
    assert ending.by == EndedBy.TERMINATION
    assert {text for _, _, text in journal.lines} == {("line " * 200).rstrip()}


def test_lines_that_the_journal_refuses_come_with_the_ending(
    launcher: Launcher, tmp_path: Path
) -> None:
    ending, _ = run(launcher, spec(tmp_path, do="succeed"), Notebook(takes=False))
    assert sorted(text for _, _, text in ending.lines) == ["It begins.", "printed"]


def test_termination_leaves_no_process(launcher: Launcher, tmp_path: Path) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    found: list[int] = []

    def terminate() -> Pulse:
        found[:] = pids(folder)
        return Pulse.TERMINATE

    job = spec(tmp_path, do="breed", pids=str(folder))
    ending, _ = run(launcher, job, Notebook(says=terminate), kill_after=0.5)
    assert ending.by == EndedBy.TERMINATION
    assert len(found) == 4
    eventually(lambda: not any(alive(pid) for pid in found))


def test_success_leaves_no_process_either(launcher: Launcher, tmp_path: Path) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    ending, _ = run(launcher, spec(tmp_path, do="breed", pids=str(folder), stay=False))
    assert ending.result is not None
    found = pids(folder)
    eventually(lambda: not any(alive(pid) for pid in found), seconds=2)


def test_one_that_ignores_the_request_is_killed(launcher: Launcher, tmp_path: Path) -> None:
    began = tmp_path / "began"
    job = spec(tmp_path, do="ignore_termination", began=str(began), until=str(tmp_path / "never"))
    started = time.monotonic()
    ending, _ = run(launcher, job, Notebook(says=lambda: Pulse.TERMINATE), kill_after=1.0)
    assert ending.by == EndedBy.TERMINATION
    assert 2.0 <= time.monotonic() - started < 8
    assert not alive(int(began.read_text()))


def test_the_time_limit_holds(launcher: Launcher, tmp_path: Path) -> None:
    began = tmp_path / "began"
    job = spec(tmp_path, do="wait_for_file", began=str(began), until=str(tmp_path / "never"))
    ending, _ = run(launcher, job, seconds=1)
    assert ending.by == EndedBy.TIME
    assert ending.error == "The job ran longer than its time limit of 1 second."
    assert not alive(int(began.read_text()))


@pytest.mark.parametrize("script", ["hog", "hog_in_a_grandchild"])
def test_the_memory_limit_holds_for_all_processes(
    launcher: Launcher, tmp_path: Path, script: str
) -> None:
    ending, _ = run(launcher, spec(tmp_path, do=script, memory_mb=300))
    assert ending.by == EndedBy.MEMORY
    assert ending.error == "The job used more than 300 MB of memory."
    assert ending.peak_memory > 300 * 1024 * 1024


def test_an_attempt_declared_dead_is_killed_at_once(launcher: Launcher, tmp_path: Path) -> None:
    began = tmp_path / "began"
    job = spec(tmp_path, do="ignore_termination", began=str(began), until=str(tmp_path / "never"))
    started = time.monotonic()
    ending, _ = run(launcher, job, Notebook(says=lambda: Pulse.LOST))
    assert ending.by == EndedBy.LOSS
    assert time.monotonic() - started < 5
    assert not alive(int(began.read_text()))


def test_a_fork_server_that_died_is_started_again(tmp_path: Path) -> None:
    launcher = Launcher(KEYS, ["tests.job_components"])
    try:
        job = spec(tmp_path, do="ignore_termination", began=str(tmp_path / "began"), until="/never")
        child = launcher.start(job)
        eventually((tmp_path / "began").exists)
        assert launcher.server_pid is not None
        os.kill(launcher.server_pid, signal.SIGKILL)
        ending = Supervisor(child, Notebook(), Limits(60, 2**30)).watch()
        assert ending.by == EndedBy.CRASH
        assert ending.error == (
            "The component's process is gone together with the one that started it."
        )
        eventually(lambda: not alive(child.pid))
        assert run(launcher, spec(tmp_path, do="succeed"))[0].result is not None
    finally:
        launcher.close()


def test_a_killed_worker_takes_everything_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    job = spec(tmp_path, do="breed", pids=str(folder))
    script = f"""
        from components.runners.base import JobSpec
        from components.runners.launcher import Launcher
        launcher = Launcher({KEYS!r}, ["tests.job_components"])
        child = launcher.start(JobSpec.from_json({job.to_json()!r}))
        print(launcher.server_pid, flush=True)
        child.reader.one()
    """
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with worker:
        assert worker.stdout is not None
        server = int(worker.stdout.readline())
        found = [server, *pids(folder)]
        assert all(alive(pid) for pid in found)
        worker.kill()
        eventually(lambda: not any(alive(pid) for pid in found), seconds=5)


def test_test_connection_runs_in_a_child(launcher: Launcher, tmp_path: Path) -> None:
    ending, _ = run(launcher, spec(tmp_path, action="test", secret=SECRET))
    assert ending.result is not None
    assert ending.result.message == "Reached here as [hidden]."
    ending, _ = run(launcher, spec(tmp_path, action="test", refuse="closed"))
    assert ending.error == "Refused: closed."


def test_a_job_leaves_nothing_open(launcher: Launcher, tmp_path: Path) -> None:
    run(launcher, spec(tmp_path, do="succeed"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(launcher, spec(tmp_path, do="succeed"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert launcher.server_pid is not None
    eventually(lambda: tree(launcher.server_pid or 0) == [launcher.server_pid])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (3600, "1 hour"),
        (120, "2 minutes"),
        (0.5, "0.5 seconds"),
    ],
)
def test_limits_read_as_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
