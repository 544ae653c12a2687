"""DuckDB connections: limited in memory, and, for a person's SQL, locked to what was taken in.

A person's SQL never sees a stored file. `take_in` copies what the mapping gives into a database
of the job, closes it, and `locked` opens it again in an instance that may not read files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from orchestrator_site.lib.duck import identifier, literals

DEFAULT_MEMORY_MB = 384
DEFAULT_THREADS = 2


def connect(
    temp: Path,
    *,
    memory_mb: int = DEFAULT_MEMORY_MB,
    threads: int = DEFAULT_THREADS,
    database: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a database, in memory or in a file, that spills to `temp` and fetches no extension.

    Our own SQL only: it may read any file. `locked` is for a person's.
    """
    connection = duckdb.connect(
        database or ":memory:",
        config={
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(temp),
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,  # a table name never finds a Python variable
            "preserve_insertion_order": True,  # the last of equal keys wins, so order matters
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # it would be drawn into the job's log
    return connection


def take_in(connection: duckdb.DuckDBPyConnection, selects: Mapping[str, str]) -> None:
    """Keep the rows of each SELECT as a table of its name."""
    for name, sql in selects.items():
        connection.execute(f"CREATE TABLE {identifier(name)} AS {sql}")


def locked(
    database: Path, temp: Path, *, out: Path, memory_mb: int, threads: int = DEFAULT_THREADS
) -> duckdb.DuckDBPyConnection:
    """Open a database file for a person's SQL: it works on the tables in there, and no more.

    For good: no statement opens it again. Files can be written in `out` only, where our own COPY
    leaves the results. DuckDB itself also allows the database's own file and `temp`, so `temp`
    must be a new folder: what another connection spilled may hold rows that the mapping leaves
    out. `orchestrator_site.lib.duck.person_statements` keeps a script from COPY altogether.
    """
    connection = connect(temp, memory_mb=memory_mb, threads=threads, database=database)
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")  # nobody opens the file again
    connection.execute("SET allowed_paths = []")
    connection.execute(f"SET allowed_directories = {literals([str(out.resolve())])}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
