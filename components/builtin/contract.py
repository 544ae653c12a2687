"""What a built-in component is written against: its manifest, and the context it runs in.

A component is a function that gets a `Context`: it reads `parameters` and `inputs`, writes tables
with `write_query` or `write_file`, remembers in `state`, and returns what the job page shows as
its result. It raises `RunnerError` for what the person can mend; anything else is our mistake.
Nothing here knows Django's database: the runner lends what needs Storage as a `Workbench`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

import duckdb

from components.enums import ComponentType
from components.exceptions import RunnerError

FORMATS = ("csv", "tsv", "json", "ndjson", "parquet")


class Column(TypedDict):
    """A column's name and its DuckDB type name; `empty` means that every value is NULL."""

    name: str
    type: str
    empty: NotRequired[bool]


class OutputMapping(TypedDict):
    """One table that the configuration writes; `source` is the component's name for it."""

    source: str
    destination: str
    incremental: NotRequired[bool]
    primary_key: NotRequired[list[str]]


class SegmentData(TypedDict):
    """One Parquet file in the store that no table refers to yet."""

    path: str  # below the store's root
    columns: list[Column]
    rows: int
    bytes: int


class OutputData(TypedDict):
    """One output table as the job's commit takes it: plain, so that it crosses a process border."""

    table: str  # table id, such as in.c-sales.orders
    incremental: bool
    primary_key: list[str]
    segments: list[SegmentData]


@dataclass(frozen=True)
class InputTable:
    """One mapped table; `sql` is a SELECT over exactly its files, mapping already applied."""

    source: str  # table id
    destination: str  # alias it is read under
    columns: list[Column]
    sql: str
    rows: int | None = None  # of the table, None means unknown
    paths: tuple[str, ...] = ()  # the files that `sql` reads


@dataclass(frozen=True)
class FileOptions:
    """How a text file is to be read; empty means found out from the file."""

    format: str = "csv"  # one of FORMATS
    compression: str = ""  # "", "gzip"; "" means by the file's first bytes
    delimiter: str = ""
    path: str = ""  # JSON only: where the list is, such as data.items


class Workbench(Protocol):
    """What the runner lends a context."""

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a DuckDB connection with memory, thread and temp limits."""

    def sandbox(self, inputs: Sequence[InputTable]) -> duckdb.DuckDBPyConnection:
        """Open a connection that holds a copy of each input under its alias and reads no file."""

    def store_query(self, connection: duckdb.DuckDBPyConnection, sql: str) -> SegmentData:
        """Write the rows of a query to the store."""

    def store_file(self, path: Path, options: FileOptions) -> SegmentData:
        """Load a file into the store; raises ImportRejected with the line that is wrong."""

    def upload(self, reference: str) -> Path:
        """Return the local path of a file that was given in the page."""

    def log(self, message: str, level: str) -> None:
        """Write one log line."""

    def progress(self, done: int, total: int | None) -> None:
        """Tell how far the work is."""


@dataclass
class Context:
    """One execution as a component sees it."""

    parameters: dict[str, Any]  # decrypted; validated against the schema, defaults filled in
    configuration_name: str
    bucket: str  # for outputs without a mapping, such as in.c-my-configuration
    work: Path  # scratch folder, removed afterwards
    workbench: Workbench
    inputs: list[InputTable] = field(default_factory=list)
    output_mapping: list[OutputMapping] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)  # saved when the job succeeds
    settings: dict[str, Any] = field(default_factory=dict)  # files_root, currency_rates_url
    written: list[OutputData] = field(default_factory=list)

    @property
    def files_root(self) -> Path:
        """The only folder of the machine that components may read or write."""
        return Path(self.settings["files_root"])

    def log(self, message: str, level: str = "info") -> None:
        """Write one log line; level is debug, info, warning or error. Secrets are masked."""
        self.workbench.log(message, level)

    def progress(self, done: int, total: int | None = None) -> None:
        """Tell how far the work is, in any unit; cheap to call often."""
        self.workbench.progress(done, total)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a DuckDB connection for the component's own SQL; never for a person's."""
        return self.workbench.connect()

    def sandbox(self) -> duckdb.DuckDBPyConnection:
        """Open a connection for a person's SQL: inputs as tables under their aliases, else nothing.

        The tables are copies. It reads no file, writes none but in scratch, loads nothing and
        cannot be unlocked.
        """
        return self.workbench.sandbox(self.inputs)

    def upload(self, reference: str) -> Path:
        """Return the file that was given in the page; raises RunnerError where it is gone."""
        return self.workbench.upload(reference)

    def write_query(
        self,
        name: str,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        *,
        primary_key: Sequence[str] = (),
        incremental: bool = False,
    ) -> OutputData:
        """Record the rows of a query as output table `name`; see `_record` for repeats.

        `primary_key` and `incremental` are the component's wish; an output mapping entry for
        `name` wins.
        """
        segment = self.workbench.store_query(connection, sql)
        return self._record(name, segment, primary_key, incremental=incremental)

    def write_file(
        self,
        name: str,
        path: Path,
        options: FileOptions,
        *,
        primary_key: Sequence[str] = (),
        incremental: bool = False,
    ) -> OutputData:
        """Record a file as output table `name`, its types found losslessly over all rows.

        Raises ImportRejected with the line where the file is not what it should be.
        """
        segment = self.workbench.store_file(path, options)
        return self._record(name, segment, primary_key, incremental=incremental)

    def destination(self, name: str) -> str:
        """Return the id of the table that output `name` goes to."""
        mapped = self._mapped(name)
        return mapped["destination"] if mapped else f"{self.bucket}.{slug(name)}"

    def _mapped(self, name: str) -> OutputMapping | None:
        return next((entry for entry in self.output_mapping if entry["source"] == name), None)

    def _record(
        self, name: str, segment: SegmentData, primary_key: Sequence[str], *, incremental: bool
    ) -> OutputData:
        """Keep one more written segment; a second one of the same table adds its rows to it."""
        table = self.destination(name)
        for output in self.written:
            if output["table"] == table:
                output["segments"].append(segment)
                return output
        mapped: OutputMapping = self._mapped(name) or {"source": name, "destination": table}
        output = OutputData(
            table=table,
            incremental=mapped.get("incremental", incremental),
            primary_key=list(mapped.get("primary_key") or primary_key),
            segments=[segment],
        )
        self.written.append(output)
        return output


@dataclass(frozen=True)
class TestContext:
    """What Test connection gets: parameters as they stand in the form."""

    __test__ = False  # for pytest: this is no test class

    parameters: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def files_root(self) -> Path:
        """The only folder of the machine that components may read or write."""
        return Path(self.settings["files_root"])


@dataclass(frozen=True)
class Manifest:
    """What a component is: the row of the catalogue, and the functions behind it."""

    key: str
    name: str
    type: ComponentType
    summary: str
    documentation: str  # Markdown
    schema: dict[str, Any]  # JSON schema, draft 2020-12, of the parameters
    run: Callable[[Context], Mapping[str, Any] | None]  # the result must be JSON
    test: Callable[[TestContext], str] | None = None  # a sentence; raises RunnerError
    icon: str = "puzzle"
    has_input: bool = False
    has_output: bool = False


def slug(text: str, *, default: str = "table") -> str:
    """Return `text` as a part of a table id: lower-case ASCII letters, digits, `-` and `_`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:80].strip("-_") or default


def default_bucket(configuration_name: str, type_: ComponentType | str) -> str:
    """Return the bucket of outputs that no mapping sends elsewhere."""
    stage = "out" if type_ == ComponentType.TRANSFORMATION else "in"
    return f"{stage}.c-{slug(configuration_name, default='configuration')}"


def text_parameter(parameters: Mapping[str, Any], name: str) -> str:
    """Return a required text; raises RunnerError where it is missing or empty."""
    value = parameters.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RunnerError(f"The parameter “{name}” is missing.", permanent=True)
    return value.strip()
