"""The README is true: settings, commands, links and pictures that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
READERS = (
    *("text", "integer", "boolean", "words", "networks", "choice", "folder", "places", "url"),
    "database",
)


def variables() -> set[str]:
    """Every environment variable that the code reads through the typed readers."""
    pattern = re.compile(rf"env\.(?:{'|'.join(READERS)})\(\s*\"([A-Z_0-9]+)\"")
    sources = [*ROOT.glob("orchestrator_site/*.py"), *ROOT.glob("*/management/commands/*.py")]
    return {name for path in sources for name in pattern.findall(path.read_text())}


def test_every_setting_is_in_the_readme_and_none_besides() -> None:
    names = re.findall(r"^\| (`[A-Z_0-9]+`(?:, `[A-Z_0-9]+`)*) \|", README, flags=re.MULTILINE)
    documented = {name for cell in names for name in re.findall(r"`(\w+)`", cell)}
    assert documented == variables()


def test_no_module_reads_the_environment_by_itself() -> None:
    found = [
        str(path.relative_to(ROOT))
        for app in ("components", "orchestrations")
        for path in (ROOT / app).rglob("*.py")
        if re.search(r"os\.getenv|os\.environ(\.get)?[\[(]", path.read_text())
    ]
    assert found == []


def test_what_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert [link for link in links if link.endswith(".png")] != []


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z]+)", README))
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, flags=re.MULTILINE)] == []
    assert {"run", "test"} <= targets
