"""`manage.py export`, `plan` and `apply`, with files on disk."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from components.models import Configuration
from orchestrations.models import Orchestration
from tests.builders import make_component, make_user
from tests.orchestrations.services.exchange.conftest import exported, project

__all__ = ["project"]
pytestmark = pytest.mark.django_db
SMALL = """\
configurations:
  orders:
    component: ex-test
    name: Orders
    parameters: {"#token": "${env:SHOP_TOKEN}", "#other": "${secret:shop}"}
"""


def run(command: str, *arguments: str) -> tuple[int, str]:
    """Return the exit status and the output of a command."""
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


@pytest.mark.usefixtures("project")
def test_a_directory_holds_one_file_for_each_object(tmp_path: Path) -> None:
    theirs = tmp_path / "orchestrations" / "mine.yaml"
    theirs.parent.mkdir()
    theirs.write_text("orchestrations: {}\n")
    assert run("export", str(tmp_path)) == (0, f"4 files in {tmp_path}.\n")
    files = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.yaml"))
    assert files == [
        "configurations/shop-db.yaml",
        "configurations/zlutoucky-kun.yaml",
        "orchestrations/inner.yaml",
        "orchestrations/mine.yaml",
        "orchestrations/nightly.yaml",
    ]
    assert run("plan", str(tmp_path)) == (0, "Nothing to do.\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.yaml")}
    Orchestration.objects.filter(key="nightly").update(deleted_at="2026-01-01T00:00:00Z")
    run("export", str(tmp_path))
    gone = tmp_path / "orchestrations" / "nightly.yaml"
    assert not gone.exists()
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.yaml")} == {
        path: text for path, text in before.items() if path != gone
    }
    assert run("plan", str(tmp_path), "--prune") == (0, "Nothing to do.\n")


@pytest.mark.usefixtures("project")
def test_the_output_is_one_text(tmp_path: Path) -> None:
    assert run("export", "-") == (0, exported())
    assert run("export", "-", "--only", "jobs")[0] == 1
    file = tmp_path / "p.yaml"
    file.write_text(exported().replace("name: Inner", "name: Within"))
    status, said = run("plan", str(file))
    assert status == 2
    assert said.startswith("~ orchestration inner “Within”\n")
    assert Orchestration.objects.get(key="inner").name == "Inner"
    assert run("apply", str(file), "--dry-run") == (0, said)
    assert Orchestration.objects.get(key="inner").name == "Inner"
    assert run("apply", str(file), "--only", "configurations") == (0, "Nothing to do.\n")
    assert run("apply", str(file)) == (0, said)
    assert Orchestration.objects.get(key="inner").name == "Within"
    assert run("plan", str(file)) == (0, "Nothing to do.\n")


def test_secrets_come_from_the_environment_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_component("ex-test")
    make_user(name="ada")
    file, secrets = tmp_path / "p.yaml", tmp_path / "secrets.yaml"
    file.write_text(SMALL)
    secrets.write_text("shop: from-the-file\n")
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    assert run("plan", str(file), "--secrets", str(secrets)) == (
        1,
        (
            f"{file}:5 configurations.orders.parameters.#token: The environment has no variable "
            "SHOP_TOKEN."
        ),
    )
    monkeypatch.setenv("SHOP_TOKEN", "from-the-environment")
    status, said = run("apply", str(file), "--secrets", str(secrets), "--user", "ada")
    assert (status, "from-the" in said) == (0, False)
    made = Configuration.objects.get()
    assert made.versions.get().created_by == made.created_by
    assert str(made.created_by) == "ada"
    assert run("apply", str(file), "--secrets", str(secrets)) == (0, "Nothing to do.\n")
    monkeypatch.setenv("SHOP_TOKEN", "another-one")
    assert "Parameters" in run("plan", str(file), "--secrets", str(secrets))[1]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert run("plan", str(tmp_path)) == (1, f"There is no file *.yaml in {tmp_path}.")
    missing = tmp_path / "no.yaml"
    assert run("apply", str(missing)) == (
        1,
        f"{missing} cannot be read: No such file or directory.",
    )
    missing.write_bytes(b"\xff\xfe\xff")
    assert run("apply", str(missing)) == (1, f"{missing} is not in UTF-8.")
    missing.write_text("{}")
    assert run("apply", str(missing), "--user", "nobody") == (1, "There is no user “nobody”.")
    assert run("export", str(missing))[0] == 1
