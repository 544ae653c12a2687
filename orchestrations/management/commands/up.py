"""`manage.py up`: everything that an installation on one machine needs, in one command."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.core.servers.basehttp import get_internal_wsgi_application
from django.db import OperationalError, connections

from orchestrations.services.watching import end_in_web
from orchestrator_site import env
from orchestrator_site.lib.access import ADMIN_ROLE
from orchestrator_site.lib.actor import SYSTEM, become
from orchestrator_site.lib.supervisor import Child, Supervisor, die_with_parent

WEB_THREADS = 8
# What the processes would import after the fork, each for itself.
PRELOADED = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.worker",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "celery.worker.pidbox",
    "components.services.housekeeping",
    "components.services.recovery",
    "django.contrib.staticfiles.storage",
    "gunicorn.app.base",
    "gunicorn.arbiter",
    "gunicorn.workers.gthread",
    "kombu.transport.virtual",
    "orchestrations.engine.recovery",
    "orchestrations.scheduling.beat",
    "whitenoise.middleware",
)
CONTROL_THREADS = 4


class Command(BaseCommand):
    """Migrate, then run web, beat, a control worker and a jobs worker until Ctrl-C."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=env.text("HOST", "127.0.0.1"))
        parser.add_argument(
            "--port", type=int, default=env.integer("PORT", 8000, low=1, high=65535)
        )

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        self.stdout.write(f"Orchestrator {settings.VERSION}, data in {settings.HOME}")
        check_port(host, port)
        with in_parallel(migrate), in_parallel(collect_static):
            preload()
        login = first_administrator()
        connections.close_all()
        become(SYSTEM)  # what the processes do by themselves, nobody typed
        supervisor = Supervisor(
            [
                Child("web", lambda: serve(host, port)),
                Child("beat", run_beat),
                Child("control", lambda: run_worker("control", CONTROL_THREADS)),
                Child("jobs", lambda: run_worker("jobs", settings.JOB_LIMIT)),
            ],
            write=self.stdout.write,
            pid_folder=settings.HOME / "run",
        )
        gc.collect()
        gc.freeze()
        announce = Announcement(self.stdout.write, host, port, login)
        status = supervisor.run(every_second=announce)
        gc.unfreeze()  # DuckDB reports what is still frozen at the end as leaks
        sys.exit(status)


def check_port(host: str, port: int) -> None:
    """Raise CommandError with a sentence where the address cannot be listened on."""
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise CommandError(
            f"Port {port} of {host} cannot be used: {os.strerror(error.errno or 0)}. "
            "Stop what uses it, or choose another: PORT=8001 make run"
        ) from None


@contextmanager
def in_parallel(work: Callable[[], None]) -> Iterator[None]:
    """Do the work in a fork of this process while the context does its own; both must succeed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except OperationalError as error:
            sys.stderr.write(f"The database of DATABASE_URL cannot be used: {error}\n")
        except BaseException:  # noqa: BLE001  # the last frame of a process: print and end it
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    yield
    if os.waitpid(pid, 0)[1]:
        raise CommandError("The start was given up; the reason is above.")


def migrate() -> None:
    """Bring the database to the state of the code."""
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)


def collect_static() -> None:
    """Gather the static files, unless those of this state of the code are there already."""
    newest = max(
        (p.stat().st_mtime_ns for p in Path(settings.BASE_DIR, "static").rglob("*")), default=0
    )
    stamp = Path(settings.STATIC_ROOT, ".stamp")
    wanted = f"{settings.VERSION} {newest}"
    if not stamp.exists() or stamp.read_text() != wanted:
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(wanted)


def first_administrator() -> tuple[str, str] | None:
    """Make an administrator where there is nobody yet; return name and password to be printed.

    The password is not printed where ORCHESTRATOR_ADMIN_PASSWORD gave it.
    """
    users = get_user_model().objects
    if users.exists():
        return None
    name = env.text("ORCHESTRATOR_ADMIN_USER", "admin")
    given = env.text("ORCHESTRATOR_ADMIN_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    user = users.create_superuser(username=name, password=password)
    user.groups.add(Group.objects.get(name=ADMIN_ROLE))
    return name, "(as given in ORCHESTRATOR_ADMIN_PASSWORD)" if given else password


class Announcement:
    """Says once where the pages are, as soon as they answer."""

    def __init__(self, write: Any, host: str, port: int, login: tuple[str, str] | None) -> None:
        self.write, self.host, self.port, self.login = write, host, port, login
        self.done = False

    def __call__(self) -> None:
        """Look whether the web process listens; safe to call again and again."""
        if self.done:
            return
        try:
            socket.create_connection((self.host, self.port), timeout=0.2).close()
        except OSError:
            time.sleep(0.05)
            return
        self.done = True
        self.write(f"\n  Orchestrator is ready: http://{self.host}:{self.port}/\n")
        if self.login:
            self.write(f"  Log in as {self.login[0]}, password {self.login[1]}\n")
        self.write("  Ctrl-C stops it.\n\n")
        sys.stdout.flush()


def preload() -> None:
    """Import what the processes need, so that they share its memory."""
    for module in PRELOADED:
        import_module(module)
    from django.urls import get_resolver  # noqa: PLC0415

    get_resolver().url_patterns  # noqa: B018  # imports every view
    current_app.loader.import_default_modules()


def serve(host: str, port: int) -> None:
    """Be the web process: gunicorn with threads, one worker."""
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415  # only in this process

    class Application(BaseApplication):  # type: ignore[misc]
        """Gunicorn, told its settings by the code instead of by a file."""

        def load_config(self) -> None:
            options = {
                "bind": f"{host}:{port}",
                "worker_class": "gthread",
                "workers": 1,
                "threads": WEB_THREADS,
                "timeout": 120,
                "graceful_timeout": 5,
                "loglevel": "warning",
                "post_fork": lambda _arbiter, _worker: die_with_parent(),
                "worker_exit": lambda _arbiter, _worker: end_in_web(),
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return get_internal_wsgi_application()

    sys.argv[1:] = []
    Application().run()


def run_beat() -> None:
    """Be the process that decides due moments."""
    current_app.Beat(loglevel=settings.LOG_LEVEL, pidfile=None, quiet=True).run()


def run_worker(queue: str, threads: int) -> None:
    """Be a worker of one queue, with a thread for each task that it runs at a time."""
    name = f"{queue}@{socket.gethostname()}-{os.getpid()}"
    flags = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    pool = ["-P", "threads", "-c", str(threads)]
    level = ["--loglevel", settings.LOG_LEVEL]
    current_app.worker_main(["--quiet", "worker", "-Q", queue, "-n", name, *pool, *level, *flags])
