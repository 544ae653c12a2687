from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestrator_site import env

ROOT = Path(__file__).resolve().parents[2]


def test_readers_give_the_default_for_an_unset_or_blank_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("X_TEST", raising=False)
    assert env.text("X_TEST", "a") == "a"
    monkeypatch.setenv("X_TEST", "  ")
    assert env.integer("X_TEST", 7) == 7
    assert env.boolean("X_TEST", default=True) is True
    assert env.words("X_TEST", ["a"]) == ["a"]


def test_readers_convert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("X_TEST", " 12 ")
    assert env.integer("X_TEST", 1, low=1, high=12) == 12
    monkeypatch.setenv("X_TEST", "Off")
    assert env.boolean("X_TEST", default=True) is False
    monkeypatch.setenv("X_TEST", "a, b,,c ")
    assert env.words("X_TEST", []) == ["a", "b", "c"]
    monkeypatch.setenv("X_TEST", str(tmp_path / "new" / "er"))
    assert env.folder("X_TEST", tmp_path) == tmp_path / "new" / "er"
    assert (tmp_path / "new" / "er").is_dir()


def test_places_are_folders_and_buckets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("X_TEST", raising=False)
    assert env.places("X_TEST", tmp_path / "in") == [str(tmp_path / "in")]
    assert (tmp_path / "in").is_dir()
    monkeypatch.setenv("X_TEST", "/data/in, s3://bucket/in")
    assert env.places("X_TEST", tmp_path) == ["/data/in", "s3://bucket/in"]
    for wrong in ("data/in", "/data,./in", "s3://", "s3:///in"):
        monkeypatch.setenv("X_TEST", wrong)
        with pytest.raises(ImproperlyConfigured, match="it takes folders such as /data/in"):
            env.places("X_TEST", tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.delenv("X_TEST")
    with pytest.raises(ImproperlyConfigured, match="cannot be used as a folder"):
        env.places("X_TEST", tmp_path / "file")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ten", "X_TEST is “ten”; it takes a whole number from 1 to 9."),
        ("1.5", "X_TEST is “1.5”; it takes a whole number from 1 to 9."),
        ("0", "X_TEST is 0; it takes a whole number from 1 to 9."),
        ("10", "X_TEST is 10; it takes a whole number from 1 to 9."),
    ],
)
def test_integer_refuses_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("X_TEST", value)
    with pytest.raises(ImproperlyConfigured) as caught:
        env.integer("X_TEST", 1, low=1, high=9)
    assert str(caught.value) == message


def test_other_readers_refuse_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("X_TEST", "perhaps")
    with pytest.raises(ImproperlyConfigured, match=r"^X_TEST is “perhaps”; it takes 1 or 0\.$"):
        env.boolean("X_TEST", default=True)
    with pytest.raises(ImproperlyConfigured, match=r"it takes one of: a, b\.$"):
        env.choice("X_TEST", "a", ["a", "b"])
    monkeypatch.setenv("X_TEST", str(tmp_path / "file" / "folder"))
    with pytest.raises(
        ImproperlyConfigured, match=r"cannot be used as a folder: Not a directory\.$"
    ):
        env.folder("X_TEST", tmp_path)


def test_url_never_shows_what_may_hold_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_TEST", "mysql://ann:s3cret@db/x")
    with pytest.raises(ImproperlyConfigured) as caught:
        env.url("X_TEST", "", ["redis", "amqp"])
    assert str(caught.value) == "X_TEST must be a URL that starts with one of: redis://, amqp://."


def test_database_defaults_to_sqlite_with_immediate_transactions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("X_TEST", raising=False)
    entry = env.database("X_TEST", tmp_path)
    assert entry["NAME"] == f"{tmp_path}/orchestrator.sqlite3"
    assert entry["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
        "PRAGMA cache_size=-8000;",
    }


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "postgresql://ann:p%40ss@db.example:6000/orch",
            {"NAME": "orch", "USER": "ann", "PASSWORD": "p@ss", "HOST": "db.example", "PORT": 6000},
        ),
        (
            "postgres:///orch",
            {"NAME": "orch", "USER": "", "PASSWORD": "", "HOST": "", "PORT": 5432},
        ),
    ],
)
def test_database_reads_a_postgresql_url(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, wanted: dict[str, object]
) -> None:
    monkeypatch.setenv("X_TEST", url)
    entry = env.database("X_TEST", tmp_path)
    assert {name: entry[name] for name in wanted} == wanted
    assert entry["ENGINE"] == "django.db.backends.postgresql"


def test_database_refuses_a_port_that_is_no_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("X_TEST", "postgresql://db:x/orch")
    with pytest.raises(ImproperlyConfigured, match=r"^X_TEST has a port that is not a number\.$"):
        env.database("X_TEST", tmp_path)


def start(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    names = ("SECRET_KEY", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    clean = {k: v for k, v in os.environ.items() if k not in names}
    return subprocess.run(
        [sys.executable, "manage.py", "diffsettings", "--output", "unified"],
        cwd=ROOT,
        env=clean | {"ORCHESTRATOR_HOME": str(home)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"JOB_LIMIT": "many"},
            "JOB_LIMIT is “many”; it takes a whole number from 1 to 1000.",
        ),
        (
            {"TIME_ZONE": "Prague"},
            "TIME_ZONE is “Prague”; it takes an IANA zone such as Europe/Prague.",
        ),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is shorter than 32 characters."),
        (
            {"DATABASE_URL": "postgresql:///x"},
            (
                "SECRET_KEY is not set. With DATABASE_URL it must be the same on every machine: "
                "a random text of 50 characters."
            ),
        ),
    ],
)
def test_a_bad_value_stops_the_start_with_a_sentence(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    ended = start(tmp_path, **variables)
    assert (ended.returncode, ended.stderr) == (1, f"The settings are not right: {sentence}\n")


def test_the_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    assert start(tmp_path).returncode == 0
    key = (tmp_path / "secret_key").read_text()
    assert len(key) == 64
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert start(tmp_path).returncode == 0
    assert (tmp_path / "secret_key").read_text() == key
    assert sorted(p.name for p in tmp_path.glob(".secret*")) == []


def test_networks_are_read_and_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.networks("X_TEST") == []
    monkeypatch.setenv("X_TEST", "10.0.0.1/8, 2001:db8::1")
    assert [str(network) for network in env.networks("X_TEST")] == ["10.0.0.0/8", "2001:db8::1/128"]
    monkeypatch.setenv("X_TEST", "10.0.0.0/8, proxy")
    with pytest.raises(ImproperlyConfigured, match=r"^X_TEST takes addresses.*'proxy'"):
        env.networks("X_TEST")
