"""What a component is lent by the runner: DuckDB, the store, the log."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast
from uuid import uuid4

import duckdb

from components.builtin.contract import FileOptions, InputTable, SegmentData
from components.exceptions import RunnerError, StorageError
from components.runners.base import JobSpec
from components.store import sandbox
from components.store.loading import Bench, load_file
from components.store.segments import Store, open_store
from components.store.tables import InputPlan, input_sql, segment_paths
from components.store.writing import write_query

MEGABYTE = 1024 * 1024
DUCKDB_SHARE = 0.6  # of the job's memory; the rest is Python's and the drivers'
DUCKDB_LEAST_MB = 64
THREADS = 2
SANDBOX_FILE = "job_tables.duckdb"  # its name is a catalogue's name in SQL: no likely schema


class StoreWorkbench:
    """Lends DuckDB within the job's limits and writes to the installation's store."""

    def __init__(
        self,
        spec: JobSpec,
        log: Callable[[str, str], None],
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._spec = spec
        self._work = Path(spec.work)
        self._opened: Store | None = None
        self._held = ExitStack()
        self.log = log
        self.progress = progress

    @property
    def store(self) -> Store:
        """The store, opened with its first use."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def inputs(self) -> list[InputTable]:
        """Return the mapped tables, their files held on this machine until `close`."""
        plans = cast("list[InputPlan]", self._spec.inputs)
        return [self._input(plan) for plan in plans]

    def _input(self, plan: InputPlan) -> InputTable:
        paths = segment_paths(plan["segments"])
        files = self._held.enter_context(self.store.reading(paths))
        return InputTable(
            source=plan["source"],
            destination=plan["destination"],
            columns=[{"name": c["name"], "type": c["type"]} for c in plan["columns"]],
            sql=input_sql(plan, files),
            rows=plan["rows"],
            paths=tuple(str(path) for path in files.values()),
        )

    def close(self) -> None:
        """Let go of the files of the mapped tables."""
        self._held.close()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a DuckDB connection with the job's limits."""
        return self._connect()

    def sandbox(self, inputs: Sequence[InputTable]) -> duckdb.DuckDBPyConnection:
        """Open a connection for a person's SQL: a copy of each input under its alias, else nothing.

        Raises RunnerError where two inputs have the same alias.
        """
        folder = self._folder(f"sandbox-{uuid4().hex}")
        database = folder / SANDBOX_FILE
        with self._connect(database) as connection:
            sandbox.take_in(connection, _selects(inputs))
        return sandbox.locked(
            database,
            folder / "spill",
            out=self._folder("out"),
            memory_mb=self._duckdb_memory,
            threads=THREADS,
        )

    def store_query(self, connection: duckdb.DuckDBPyConnection, sql: str) -> SegmentData:
        """Write the rows of a query to the store; raises ImportRejected for impossible names."""
        target = self._folder("out") / f"{uuid4().hex}.parquet"
        return write_query(connection, sql, target, self.store)

    def store_file(self, path: Path, options: FileOptions) -> SegmentData:
        """Load a file into the store; raises ImportRejected with the line that is wrong."""
        with self.connect() as connection:
            bench = Bench(connection, self.store, self._folder("out"))
            return load_file(
                bench, path, options.format, delimiter=options.delimiter, inside=options.path
            )

    def upload(self, reference: str) -> Path:
        """Return the local path of a file that was given in the page; raises RunnerError.

        A reference is the file's path in the store of uploads and its own name after it.
        """
        path, _, name = reference.rpartition("/")
        if not path or name in ("", ".", ".."):
            raise RunnerError(f"“{reference}” is no file that was given.", permanent=True)
        local = self._folder("uploads") / name
        try:
            with self._open("-uploads").reading([path]) as files:
                if not local.exists():
                    _link(files[path], local)
        except StorageError:
            raise RunnerError(
                f"The file “{name}” is gone; give it again.", permanent=True
            ) from None
        return local

    @property
    def _duckdb_memory(self) -> int:
        return max(DUCKDB_LEAST_MB, int(self._spec.memory_mb * DUCKDB_SHARE))

    def _connect(self, database: Path | None = None) -> duckdb.DuckDBPyConnection:
        return sandbox.connect(
            self._folder("spill"),
            memory_mb=self._duckdb_memory,
            threads=THREADS,
            database=database,
        )

    def _open(self, suffix: str = "") -> Store:
        where = self._spec.store
        return open_store(
            where.url + suffix, cache=Path(where.cache), cache_bytes=where.cache_mb * MEGABYTE
        )

    def _folder(self, name: str) -> Path:
        folder = self._work / name
        folder.mkdir(exist_ok=True)
        return folder


def _selects(inputs: Sequence[InputTable]) -> dict[str, str]:
    """Return the SELECT of each alias; upper and lower case are the same name in SQL."""
    seen: set[str] = set()
    for table in inputs:
        if table.destination.lower() in seen:
            raise RunnerError(
                f"Two input tables have the alias “{table.destination}”; give each its own.",
                permanent=True,
            )
        seen.add(table.destination.lower())
    return {table.destination: table.sql for table in inputs}


def _link(file: Path, name: Path) -> None:
    """Have the file under another name too, without a copy where the file system allows."""
    try:
        name.hardlink_to(file)
    except OSError:  # another file system
        shutil.copyfile(file, name)
