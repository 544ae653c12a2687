"""Rules that no linter holds: read from the source, so that a slip fails here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[1]
APPS = ("components", "orchestrations")
TEMPLATES = sorted(p.relative_to(ROOT / "templates") for p in (ROOT / "templates").rglob("*.html"))
FRAGMENTS = [p for p in TEMPLATES if p.name.startswith("_")]
BELOW_VIEWS = ("engine", "services", "queries", "scheduling", "runners", "store", "builtin")
HTTP = ("django.http", "django.shortcuts", "django.contrib.messages", "django_htmx")
# The one module of each app that writes statuses (invariant I5), and the field it writes.
WRITERS = {
    "components": "components/services/job_transitions.py",
    "orchestrations": "orchestrations/engine/transitions.py",
}


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def status_writes(tree: ast.Module) -> Iterator[int]:
    """Lines that assign `.status`, or pass `status=` to an update of a queryset."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr == "status":
                    yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = {keyword.arg for keyword in node.keywords}
            if node.func.attr in {"update", "bulk_update"} and "status" in named:
                yield node.lineno


def test_only_the_transitions_write_a_status() -> None:
    found = {
        name: list(status_writes(tree))
        for name, tree in modules(*APPS)
        if name not in WRITERS.values() and "/views/" not in name
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("writer", list(WRITERS.values()))
def test_the_transitions_do_write_statuses(writer: str) -> None:
    assert list(status_writes(ast.parse((ROOT / writer).read_text()))) != []


def test_no_http_below_the_views() -> None:
    found = []
    for name, tree in modules(*(f"{app}/{layer}" for app in APPS for layer in BELOW_VIEWS)):
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [(name, n) for n in names if n.startswith(HTTP)]
    assert found == []


@pytest.mark.parametrize("name", [str(t) for t in TEMPLATES])
def test_every_template_compiles(name: str) -> None:
    assert get_template(name) is not None


@pytest.mark.parametrize("name", [str(t) for t in FRAGMENTS])
def test_every_fragment_says_what_it_needs(name: str) -> None:
    first = (ROOT / "templates" / name).read_text().split("\n", 1)[0]
    assert re.match(r"\{# .*Context: .*#\}", first), first


@pytest.mark.parametrize("name", [str(t) for t in TEMPLATES])
def test_no_template_holds_inline_script_or_handlers(name: str) -> None:
    text = (ROOT / "templates" / name).read_text()
    scripts = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>", text)
    handlers = re.findall(r"\s(?:on[a-z]+|hx-on[:a-z-]*)\s*=", text)
    assert (scripts, handlers) == ([], [])


def test_every_model_is_in_the_admin_panel() -> None:
    from django.contrib import admin  # noqa: PLC0415  # after the apps are loaded

    inlines = {
        inline.model
        for model_admin in admin.site._registry.values()  # noqa: SLF001  # no public way
        for inline in model_admin.inlines
    }
    shown = set(admin.site._registry) | inlines  # noqa: SLF001
    models = [m for app in APPS for m in apps.get_app_config(app).get_models()]
    hidden = {"IdempotencyKey", "RateCount", "VersionSegment", "TaskAttempt"}
    assert sorted({m.__name__ for m in models if m not in shown} - hidden) == []
