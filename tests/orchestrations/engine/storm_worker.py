"""A worker that may be killed at any moment: reads messages from its input, one by one.

The program prepares itself once and then forks the worker proper, and another one whenever that was
killed. It answers `pid <number>` for each; a worker answers `bell <task> <id>` for each bell it
rings and `done <number>` for each message `<number> <task> <id>`.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

FAILS = "fails"
SIZE = 64  # bytes of a message, filled up with spaces


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # one write, so that it is all or none


def hear(sender: str, body: Any, **_: Any) -> None:
    say("bell", sender.rsplit(".", 1)[1], body[0][0])


def run_job(pk: int, *, worker: str, seconds: float) -> None:
    """Claim a job, take a moment, and end it as its configuration's name says."""
    from components.enums import JobStatus  # noqa: PLC0415  # after Django is set up
    from components.exceptions import StaleToken  # noqa: PLC0415
    from components.services import job_transitions  # noqa: PLC0415

    claim = job_transitions.claim(pk, worker=worker)
    if claim is None:
        return
    time.sleep(seconds)
    status = JobStatus.ERROR if claim.job.configuration_name == FAILS else JobStatus.SUCCESS
    try:
        job_transitions.end(claim, status, fields={"error": "Oh."})
    except StaleToken:
        return  # it was declared dead meanwhile; nothing was written


def work() -> None:
    from celery.signals import before_task_publish  # noqa: PLC0415  # after Django is set up

    from orchestrations.engine import dispatch  # noqa: PLC0415

    before_task_publish.connect(hear, weak=False)
    while message := read_message():
        number, task, pk = message.split()
        if task == "advance_run":
            dispatch.advance_run(int(pk))
        else:
            run_job(int(pk), worker=f"storm:{os.getpid()}", seconds=0.002)
        say("done", number)
    os._exit(0)


def read_message() -> str:
    """Take one message in one read, so that it is taken whole or left to the next worker."""
    return os.read(0, SIZE).decode().strip()


def main() -> None:
    import django  # noqa: PLC0415  # as the tests do, but in a process of its own

    django.setup()
    from orchestrator_site.celery import app  # noqa: PLC0415  # after Django is set up

    app.conf.update(
        broker_url="memory://localhost/", broker_transport_options={}
    )  # `hear` is the broker
    import orchestrations.engine.dispatch  # noqa: F401, PLC0415

    while True:
        pid = os.fork()
        if pid == 0:
            work()
        say("pid", pid)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
