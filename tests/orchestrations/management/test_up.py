from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError

from orchestrations.management.commands import up

ROOT = Path(__file__).resolve().parents[3]


def test_a_port_in_use_is_named_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as caught:
            up.check_port("127.0.0.1", port)
    assert str(caught.value) == (
        f"Port {port} of 127.0.0.1 cannot be used: Address already in use. "
        "Stop what uses it, or choose another: PORT=8001 make run"
    )
    up.check_port("127.0.0.1", port)


@pytest.mark.django_db
def test_the_first_administrator_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_ADMIN_USER", raising=False)
    monkeypatch.delenv("ORCHESTRATOR_ADMIN_PASSWORD", raising=False)
    made = up.first_administrator()
    assert made is not None
    user = User.objects.get()
    assert (user.username, user.is_superuser, user.check_password(made[1])) == ("admin", True, True)
    assert [group.name for group in user.groups.all()] == ["Admin"]
    assert up.first_administrator() is None
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_a_given_password_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ADMIN_USER", "ann")
    monkeypatch.setenv("ORCHESTRATOR_ADMIN_PASSWORD", "a given password")
    assert up.first_administrator() == ("ann", "(as given in ORCHESTRATOR_ADMIN_PASSWORD)")
    assert User.objects.get(username="ann").check_password("a given password")


def test_the_place_of_the_pages_is_said_once_they_answer() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        announce = up.Announcement(said.append, "127.0.0.1", port, ("admin", "secret"))
        announce()
        announce()
    assert "".join(said) == (
        f"\n  Orchestrator is ready: http://127.0.0.1:{port}/\n"
        "  Log in as admin, password secret\n  Ctrl-C stops it.\n\n"
    )


def test_nothing_is_said_while_the_pages_do_not_answer() -> None:
    said: list[str] = []
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        up.Announcement(said.append, "127.0.0.1", unused.getsockname()[1], None)()
    assert said == []


@pytest.mark.processes
def test_a_database_that_is_away_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", "8911"],
        cwd=ROOT,
        env=os.environ
        | {
            "ORCHESTRATOR_HOME": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "orchestrator_site.settings",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("The database of DATABASE_URL cannot be used: ")
    assert "CommandError: The start was given up; the reason is above." in ended.stderr
    assert "Traceback" not in ended.stderr
