"""The child of one job: reads its orders, runs the component, answers, ends.

Secrets are decrypted here and nowhere else; what leaves, leaves masked.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from components.builtin import manifests
from components.exceptions import ComponentsError, RunnerError
from components.runners import channel
from components.runners.base import JobSpec, LogLine, RunnerResult
from components.runners.execution import run_component, test_component
from components.runners.output import CapturedOutput, tidy
from components.runners.workbench import StoreWorkbench
from orchestrator_site.lib.processes import kill, tree
from orchestrator_site.lib.secrets import Masker, UnreadableSecret, Vault, secret_values

OOM_SCORE = "700"  # the kernel short of memory ends a job rather than its worker
PROGRESS_SECONDS = 0.5


class Reporter:
    """Sends messages to the worker from any thread; a worker that is gone ends this group."""

    def __init__(self, sock: socket.socket, masker: Masker) -> None:
        self._sock = sock
        self._masker = masker
        self._lock = threading.Lock()
        self._progress_at = 0.0

    def send(self, message: channel.Message) -> None:
        """Send one message."""
        try:
            with self._lock:
                channel.send(self._sock, message)
        except (BrokenPipeError, ConnectionResetError):
            os.killpg(0, signal.SIGKILL)

    def lines(self, lines: list[LogLine]) -> None:
        """Send log lines that are masked already."""
        self.send({"log": lines})

    def log(self, message: str, level: str) -> None:
        """Send one message of the component, a log line for each of its lines."""
        at = time.time()
        lines = tidy(self._masker.mask(message).split("\n"))
        self.lines([(at, level, line) for line in lines])

    def progress(self, done: int, total: int | None) -> None:
        """Send the progress, twice a second at most."""
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = now
            self.send({"progress": [done, total]})


def main(sock: socket.socket, keys: Sequence[str], modules: Sequence[str]) -> None:
    """Run the job that the worker sends over `sock` and answer with how it ended."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    order = channel.Reader(sock).one()
    if order is None:
        return
    spec = JobSpec.from_json(order)
    vault = Vault(keys)
    try:
        parameters, state = vault.decrypt_tree(spec.parameters), vault.decrypt_tree(spec.state)
    except UnreadableSecret as error:
        channel.send(sock, {"end": failure(str(error)) | usage()})
        return
    masker = Masker([*secret_values(parameters), *secret_values(state)])
    reporter = Reporter(sock, masker)
    clear = JobSpec(**{**vars(spec), "parameters": parameters, "state": state})
    output = CapturedOutput(masker, reporter.lines)
    end = attempt(clear, modules, reporter, masker, vault)
    end_descendants()
    output.close()
    reporter.send({"end": end | usage()})


def attempt(
    spec: JobSpec, modules: Sequence[str], reporter: Reporter, masker: Masker, vault: Vault
) -> dict[str, Any]:
    """Run the component and describe how it ended; the far half of the edge in services/jobs."""
    try:
        done = execute(spec, modules, reporter)
    except RunnerError as error:
        return failure(masker.mask(error.message), permanent=error.permanent)
    except (ComponentsError, UnreadableSecret) as error:
        return failure(masker.mask(str(error)))
    except (MemoryError, duckdb.OutOfMemoryException):
        return failure(f"The component used more than its {spec.memory_mb} MB of memory.")
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a component raises
        text = masker.mask("".join(traceback.format_exception(error)))
        return failure(masker.mask(repr(error)), is_user_error=False) | {"traceback": text}
    masker = masker.knowing(secret_values(done.state))  # such as a token that it was given
    return {
        "result": masker.mask_tree(done.result),
        "state": vault.encrypt_tree(masker.mask_tree(done.state, leave_secrets=True)),
        "outputs": done.outputs,
        "message": masker.mask(done.message),
    }


def execute(spec: JobSpec, modules: Sequence[str], reporter: Reporter) -> RunnerResult:
    """Run or test the component that the job names; raises what it raises."""
    manifest = manifests(modules).get(spec.component)
    if manifest is None:
        raise RunnerError(
            f"The component “{spec.component}” is not installed here.", permanent=True
        )
    if spec.action == "test":
        return test_component(manifest, spec)
    workbench = StoreWorkbench(spec, reporter.log, reporter.progress)
    return run_component(manifest, spec, workbench.inputs(), workbench)


def failure(message: str, *, permanent: bool = False, is_user_error: bool = True) -> dict[str, Any]:
    """Describe an end by an error."""
    return {"error": message, "permanent": permanent, "is_user_error": is_user_error}


def usage() -> dict[str, int]:
    """Return the most memory that this process held, in bytes."""
    return {"peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def end_descendants() -> None:
    """Kill what the component started and left running; orphans were adopted by this process."""
    while rest := tree(os.getpid())[1:]:
        for pid in rest:
            kill(pid)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)
