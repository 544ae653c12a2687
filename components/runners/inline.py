"""Run a component in this process, without a database: what tests of components use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.builtin.contract import InputTable, Manifest, OutputData, OutputMapping
from components.runners.base import JobSpec, RunnerResult, StoreSettings
from components.runners.execution import run_component, test_component
from components.runners.workbench import StoreWorkbench
from components.store.columns import ZONED
from orchestrator_site.lib.duck import identifier, literals

MEMORY_MB = 512


@dataclass
class InlineRun:
    """What one run of a component left; rows are read from the Parquet files it wrote."""

    workbench: StoreWorkbench
    result: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    outputs: list[OutputData] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)  # level, message

    def output(self, table: str) -> OutputData:
        """Return the output that goes to the table id; raises KeyError."""
        for output in self.outputs:
            if output["table"] == table:
                return output
        raise KeyError(table)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of the output that goes to the table id, in the order written.

        A moment with a time zone reads as text in UTC, such as `2026-02-03 04:05:06+00`: DuckDB
        needs another library to make a datetime of it.
        """
        paths = [segment["path"] for segment in self.output(table)["segments"]]
        connection = self.workbench.connect()
        with connection, self.workbench.store.reading(paths) as files:
            names = literals([str(files[path]) for path in paths])
            relation = connection.sql(f"SELECT * FROM read_parquet({names})")  # noqa: S608
            columns = relation.columns
            items = [
                f"CAST({identifier(name)} AS VARCHAR)" if type_ == ZONED else identifier(name)
                for name, type_ in zip(columns, map(str, relation.types), strict=True)
            ]
            found = relation.project(", ".join(items))
            return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def run_inline(  # noqa: PLR0913  # what a job may bring, each with a default
    manifest: Manifest,
    parameters: Mapping[str, Any],
    *,
    root: Path,
    inputs: Sequence[InputTable] = (),
    output_mapping: Sequence[OutputMapping] = (),
    state: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    name: str = "Test",
    memory_mb: int = MEMORY_MB,
) -> InlineRun:
    """Run a component below `root` (store in `store`, scratch in `work`); raises what it raises.

    `name` is the configuration's, so that outputs without a mapping go to `in.c-test`.
    """
    spec = _spec(manifest, parameters, root, settings, memory_mb)
    ready = JobSpec(
        **{
            **vars(spec),
            "configuration_name": name,
            "output_mapping": list(output_mapping),
            "state": dict(state or {}),
        }
    )
    log: list[tuple[str, str]] = []
    workbench = StoreWorkbench(
        ready, lambda message, level: log.append((level, message)), lambda _done, _total: None
    )
    done = run_component(manifest, ready, list(inputs), workbench)
    return InlineRun(workbench, done.result, done.state, done.outputs, log)


def try_inline(
    manifest: Manifest,
    parameters: Mapping[str, Any],
    *,
    root: Path,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Run a component's Test connection and return its sentence; raises what it raises."""
    done: RunnerResult = test_component(
        manifest, _spec(manifest, parameters, root, settings, MEMORY_MB)
    )
    return done.message


def _spec(
    manifest: Manifest,
    parameters: Mapping[str, Any],
    root: Path,
    settings: Mapping[str, Any] | None,
    memory_mb: int,
) -> JobSpec:
    work = root / "work"
    work.mkdir(parents=True, exist_ok=True)
    files = root / "files"
    files.mkdir(exist_ok=True)
    return JobSpec(
        component=manifest.key,
        action="run",
        parameters=dict(parameters),
        work=str(work),
        memory_mb=memory_mb,
        store=StoreSettings(f"file://{root / 'store'}", str(root / "cache"), 100),
        settings={"files_root": str(files), "currency_rates_url": "", **(settings or {})},
    )
