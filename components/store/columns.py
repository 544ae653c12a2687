"""Columns of tables: what they may be called, what types they may have, how types meet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict

from components.exceptions import ImportRejected
from orchestrator_site.lib.duck import identifier

# When a row last changed; people's names never begin with "_".
CHANGED_AT = "_changed_at"


class Column(TypedDict):
    """A column as segments and versions keep it; `empty` means that every value is NULL."""

    name: str
    type: str  # DuckDB's type name
    empty: NotRequired[bool]


INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
DIGITS = dict(zip(INTEGERS, (3, 5, 10, 19, 3, 5, 10), strict=True)) | {"UBIGINT": 20}
FLOATS = ("FLOAT", "DOUBLE")
PLAIN = (*DIGITS, *FLOATS, "BOOLEAN", "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP")
ZONED = "TIMESTAMP WITH TIME ZONE"
DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
MAX_DIGITS = 38
MAX_NAME = 128
RESERVED = ("file_row_number",)  # what DuckDB calls a row's position in its file


def clean_name(name: str) -> str:
    """Return `name` with ASCII letters, digits and `_` only, no `_` at the ends; may be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    # A letter without an ASCII form leaves its place, so that two such names stay apart.
    kept = plain if plain.strip() or not name.strip() else "_"
    return re.sub(r"[^A-Za-z0-9_]", "_", kept.strip()).strip("_")[:MAX_NAME].strip("_")


def clean_names(names: Sequence[str], *, line: int | None = None) -> list[str]:
    """Return the names as Storage keeps them.

    Raises ImportRejected for one that is empty, has nothing left, or repeats another one
    (upper and lower case are the same); `line` is where in the file they stand.
    """
    place = f"Line {line}: " if line else ""
    cleaned: dict[str, int] = {}
    result = []
    for number, name in enumerate(names, start=1):
        clean = clean_name(name)
        if not clean:
            what = f"is called “{name[:60]}”" if name.strip() else "has no name"
            raise ImportRejected(
                f"{place}column {number} {what}; a name needs a letter or a digit.", line=line
            )
        if clean.lower() in RESERVED:
            raise ImportRejected(
                f"{place}column {number} is called “{clean}”, a name that Storage needs itself.",
                line=line,
            )
        if clean.lower() in cleaned:
            raise ImportRejected(
                f"{place}columns {cleaned[clean.lower()]} and {number} are both called “{clean}”.",
                line=line,
            )
        cleaned[clean.lower()] = number
        result.append(clean)
    if not result:
        raise ImportRejected("There are no columns.")
    return result


def storable(name: str, type_: str) -> tuple[str, str]:
    """Return (expression, type) that keep a value of any DuckDB type in a segment.

    Nested values become JSON text; what Parquet would round or lose becomes a decimal or text.
    """
    column = identifier(name)
    if type_ in PLAIN or type_ == ZONED or DECIMAL.fullmatch(type_):
        return column, type_
    if type_ in ("HUGEINT", "UHUGEINT"):
        return f"CAST({column} AS DECIMAL({MAX_DIGITS},0))", f"DECIMAL({MAX_DIGITS},0)"
    if type_ in ("TIMESTAMP_S", "TIMESTAMP_MS"):
        return f"CAST({column} AS TIMESTAMP)", "TIMESTAMP"
    if type_.endswith(("]", ")")) and not type_.startswith("ENUM"):
        return f"CAST(to_json({column}) AS VARCHAR)", "VARCHAR"
    return f"CAST({column} AS VARCHAR)", "VARCHAR"


def meet(old: Column, new: Column) -> Column:
    """Return the column that holds the values of both, under the old one's name."""
    if new.get("empty"):
        return old
    if old.get("empty"):
        return {"name": old["name"], "type": new["type"]}
    return {"name": old["name"], "type": wider(old["type"], new["type"])}


def wider(one: str, other: str) -> str:
    """Return the narrowest type that both types are cast to."""
    types = {one, other}
    if len(types) == 1:
        return one
    if types == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    return _wider_number(one, other) or "VARCHAR"


def _wider_number(one: str, other: str) -> str | None:
    if one in INTEGERS and other in INTEGERS:
        return "BIGINT"
    first, second = _digits(one), _digits(other)
    if first and second:
        whole, scale = max(first[0], second[0]), max(first[1], second[1])
        return f"DECIMAL({whole + scale},{scale})" if whole + scale <= MAX_DIGITS else "DOUBLE"
    if (first or one in FLOATS) and (second or other in FLOATS):
        return "DOUBLE"
    return None


def _digits(type_: str) -> tuple[int, int] | None:
    """Return (digits before, digits after the point) of an exact number type, else None."""
    if type_ in DIGITS:
        return DIGITS[type_], 0
    found = DECIMAL.fullmatch(type_)
    if not found:
        return None
    return int(found[1]) - int(found[2]), int(found[2])


def find(columns: Iterable[Column], name: str) -> Column | None:
    """Return the column of that name, upper and lower case being the same."""
    return next((c for c in columns if c["name"].lower() == name.lower()), None)


def visible(columns: Iterable[Column]) -> list[Column]:
    """Return the columns that people see."""
    return [column for column in columns if column["name"] != CHANGED_AT]
