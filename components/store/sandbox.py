"""DuckDB connections: limited in memory, and, for a person's SQL, locked to named files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestrator_site.lib.duck import literals

DEFAULT_MEMORY_MB = 384
DEFAULT_THREADS = 2


def connect(
    temp: Path, *, memory_mb: int = DEFAULT_MEMORY_MB, threads: int = DEFAULT_THREADS
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that spills to `temp` and never fetches an extension.

    Our own SQL only: it may read any file. `sandbox` is what a person's SQL needs besides.
    """
    connection = duckdb.connect(
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
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # it would be drawn into the job's log
    return connection


def sandbox(
    connection: duckdb.DuckDBPyConnection,
    *,
    files: Iterable[Path] = (),
    directories: Iterable[Path] = (),
) -> None:
    """Lock a connection for a person's SQL: it reads `files` and works in `directories`, no more.

    For good: no statement opens it again. DuckDB lets COPY write to a file that may be read, so
    the script must also pass `orchestrator_site.lib.duck.person_statements`.
    """
    paths = literals([str(path.resolve()) for path in files])
    folders = literals([str(path.resolve()) for path in directories])
    connection.execute(f"SET allowed_paths = {paths}")
    connection.execute(f"SET allowed_directories = {folders}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
