"""Databases of people: how a component connects, names things and tells what went wrong."""

from __future__ import annotations

import sqlite3
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
from pymysql import MySQLError
from pymysql.converters import encoders
from sqlalchemy.pool import NullPool

from components.builtin import fields, files
from components.exceptions import RunnerError

POSTGRESQL, MYSQL, SQLITE = "postgresql", "mysql", "sqlite"
NAMES = {POSTGRESQL: "PostgreSQL", MYSQL: "MySQL or MariaDB", SQLITE: "SQLite"}
DRIVERS = {POSTGRESQL: "postgresql+psycopg", MYSQL: "mysql+pymysql"}
PORTS = {POSTGRESQL: 5432, MYSQL: 3306}
ENCRYPTION = {
    "prefer": "Where the server offers it",
    "require": "Always",
    "verify": "Always, and check the server's certificate",
    "disable": "Never",
}
POSTGRESQL_MODES = {
    "prefer": "prefer",
    "require": "require",
    "verify": "verify-full",
    "disable": "disable",
}
CONNECT_SECONDS = 15
BUSY_SECONDS = 30

# Text that means the same wherever it is read, and strict servers: nothing is cut silently.
SETUP = {
    POSTGRESQL: (
        "SET TIME ZONE 'UTC'",
        "SET datestyle = 'ISO, YMD'",
        "SET intervalstyle = 'iso_8601'",
        "SET bytea_output = 'hex'",
        "SET extra_float_digits = 1",
        "SET client_encoding = 'UTF8'",
    ),
    MYSQL: (
        "SET time_zone = '+00:00'",
        "SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
    ),
    SQLITE: (),
}
# One snapshot for all tables of a job, and no way to change anything.
READ_ONLY = {
    POSTGRESQL: ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    MYSQL: (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
    SQLITE: ("BEGIN",),
}
WRITE = {POSTGRESQL: ("BEGIN",), MYSQL: ("START TRANSACTION",), SQLITE: ("BEGIN IMMEDIATE",)}

VERSION = {
    POSTGRESQL: "SHOW server_version",
    MYSQL: "SELECT version()",
    SQLITE: "SELECT sqlite_version()",
}
# What a statement may raise: through SQLAlchemy, and from the drivers where they are used directly.
ERRORS = (sa.exc.SQLAlchemyError, psycopg.Error, sqlite3.Error, MySQLError)

CONNECTION = {
    "type": fields.choice("Database", NAMES, POSTGRESQL),
    "host": fields.text("Host", "Not for SQLite.", default="localhost"),
    "port": fields.whole("Port", "Blank: the usual one.", minimum=1, maximum=65535),
    "database": fields.text(
        "Database name", "For SQLite the path of its file in the files folder.", minLength=1
    ),
    "user": fields.text("User", "Not for SQLite.", default=""),
    "#password": fields.text("Password", "Not for SQLite.", format="password"),
    "encryption": fields.choice("Encryption", ENCRYPTION, "prefer", "Not for SQLite."),
}


@dataclass(frozen=True)
class Database:
    """An open connection, with a transaction begun."""

    kind: str
    connection: sa.Connection
    password: str

    @property
    def mark(self) -> str:
        """The quotation mark of names."""
        return "`" if self.kind == MYSQL else '"'

    def name(self, name: str) -> str:
        """Quote one name."""
        return f"{self.mark}{name.replace(self.mark, self.mark * 2)}{self.mark}"

    def run(self, sql: str, **options: Any) -> sa.CursorResult[Any]:
        """Execute SQL as it is: percent signs and colons in it mean nothing special."""
        return self.connection.exec_driver_sql(
            sql, execution_options={"no_parameters": True, **options}
        )

    @property
    def raw(self) -> psycopg.Connection[Any]:
        """PostgreSQL's own connection, for COPY."""
        return cast("psycopg.Connection[Any]", self.connection.connection.driver_connection)

    def version(self) -> str:
        """Return the server's version."""
        return f"version {self.run(VERSION[self.kind]).scalar_one()}"

    def problem(self, error: BaseException) -> str:
        """Return the driver's own message; see `spoken`."""
        return spoken(error, self.password)


@dataclass(frozen=True)
class TableName:
    """A table, perhaps in a named schema."""

    table: str
    schema: str | None = None

    def sql(self, database: Database) -> str:
        """Return the quoted name."""
        parts = [part for part in (self.schema, self.table) if part]
        return ".".join(database.name(part) for part in parts)


def table_name(text: str) -> TableName:
    """Read `table`, `schema.table` or, for names with dots in them, `"a.b"."c.d"`."""
    parts = [""]
    inside = False
    for sign in text.strip():
        if sign in '"`':
            inside = not inside
        elif sign == "." and not inside:
            parts.append("")
        else:
            parts[-1] += sign
    if inside or not all(parts) or len(parts) > 2:  # noqa: PLR2004  # a schema and a table
        raise RunnerError(
            f"“{text}” cannot be the name of a table. Write table or schema.table.", permanent=True
        )
    return TableName(parts[-1], parts[0] if parts[1:] else None)


@contextmanager
def connected(
    parameters: Mapping[str, Any], files_root: Path, *, writable: bool = False
) -> Iterator[Database]:
    """Connect and begin a transaction, which ends with a roll-back unless it was committed.

    Raises RunnerError where there is no connection, with the driver's message.
    """
    kind = parameters.get("type", POSTGRESQL)
    password = parameters.get("#password") or ""
    with _engine(kind, parameters, files_root, writable=writable) as engine:
        try:
            connection = engine.connect()
        except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise RunnerError(
                f"Cannot connect to {address(parameters)}: {spoken(error, password)}"
            ) from error
        with connection:
            database = Database(kind, connection, password)
            try:
                for sql in (*SETUP[kind], *(WRITE if writable else READ_ONLY)[kind]):
                    database.run(sql)
            except sa.exc.DBAPIError as error:
                raise RunnerError(
                    f"Cannot use {address(parameters)}: {spoken(error, password)}"
                ) from error
            yield database


def address(parameters: Mapping[str, Any]) -> str:
    """Return what is connected to, for people."""
    kind = parameters.get("type", POSTGRESQL)
    name = parameters.get("database", "")
    if kind == SQLITE:
        return f"SQLite file {name}"
    host, port = parameters.get("host", "localhost"), parameters.get("port") or PORTS[kind]
    return f"{NAMES[kind]} database {name} at {host}:{port}"


def spoken(error: BaseException, password: str) -> str:
    """Return a driver's message in one line, without SQL, values and the password."""
    original = getattr(error, "orig", None) or error
    message = original.args[-1] if original.args else type(original).__name__
    text = " ".join(str(message).split())
    text = text.replace(password, "[hidden]") if password else text
    return text if text.endswith((".", "?", "!")) else f"{text}."


@contextmanager
def _engine(
    kind: str, parameters: Mapping[str, Any], files_root: Path, *, writable: bool
) -> Iterator[sa.Engine]:
    if kind == SQLITE:
        with files.regular_file(files_root, parameters["database"], create=writable) as path:
            yield sa.create_engine(
                "sqlite://", poolclass=NullPool, creator=lambda: _sqlite(path, writable=writable)
            )
        return
    url = sa.URL.create(
        DRIVERS[kind],
        username=parameters.get("user") or None,
        password=parameters.get("#password") or None,
        host=parameters.get("host") or "localhost",
        port=parameters.get("port") or PORTS[kind],
        database=parameters["database"],
    )
    engine = sa.create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # transactions are begun and ended by SQL of ours
        skip_autocommit_rollback=True,
        connect_args=_arguments(kind, parameters.get("encryption") or "prefer"),
    )
    yield engine


def _arguments(kind: str, encryption: str) -> dict[str, Any]:
    if kind == POSTGRESQL:
        return {
            "sslmode": POSTGRESQL_MODES[encryption],
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "orchestrator",
        }
    # No decoders: values come as the text that the server sent, so nothing is lost on the way.
    return {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "conv": encoders,
        **_mysql_encryption(encryption),
    }


def _mysql_encryption(encryption: str) -> dict[str, Any]:
    if encryption == "verify":
        return {"ssl_verify_cert": True, "ssl_verify_identity": True}
    if encryption == "require":  # only a context makes the driver refuse to go on without
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return {"ssl": context}
    return {"ssl_disabled": True} if encryption == "disable" else {}


def _sqlite(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open a SQLite file that cannot bring in another one."""
    mode = "rwc" if writable else "ro"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, *_details: str | None) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK
