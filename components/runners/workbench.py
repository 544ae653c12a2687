"""What a component is lent by the runner: DuckDB, the store, the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb

from components.builtin.contract import FileOptions, InputTable, SegmentData
from components.runners.base import JobSpec
from components.store import sandbox
from components.store.segments import Store, open_store
from orchestrator_site.lib.duck import identifier

MEGABYTE = 1024 * 1024
DUCKDB_SHARE = 0.6  # of the job's memory; the rest is Python's and the drivers'
DUCKDB_LEAST_MB = 64
THREADS = 2


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
            where = self._spec.store
            self._opened = open_store(
                where.url, cache=Path(where.cache), cache_bytes=where.cache_mb * MEGABYTE
            )
        return self._opened

    def inputs(self) -> list[InputTable]:
        """Return the mapped tables, their files held on this machine until `close`."""
        return []

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a DuckDB connection with the job's limits."""
        memory = max(DUCKDB_LEAST_MB, int(self._spec.memory_mb * DUCKDB_SHARE))
        return sandbox.connect(self._folder("spill"), memory_mb=memory, threads=THREADS)

    def sandbox(self, inputs: Sequence[InputTable], connection: duckdb.DuckDBPyConnection) -> None:
        """Make each input a view under its alias and lock the connection to those files."""
        for table in inputs:
            connection.execute(f"CREATE VIEW {identifier(table.destination)} AS {table.sql}")
        files = [Path(path) for table in inputs for path in table.paths]
        folders = [self._folder("spill"), self._folder("out")]
        sandbox.sandbox(connection, files=files, directories=folders)

    def store_query(self, connection: duckdb.DuckDBPyConnection, sql: str) -> SegmentData:
        """Write the rows of a query to the store."""
        raise NotImplementedError

    def store_file(self, path: Path, options: FileOptions) -> SegmentData:
        """Load a file into the store; raises ImportRejected with the line that is wrong."""
        raise NotImplementedError

    def upload(self, reference: str) -> Path:
        """Return the local path of a file that was given in the page."""
        raise NotImplementedError

    def _folder(self, name: str) -> Path:
        folder = self._work / name
        folder.mkdir(exist_ok=True)
        return folder
