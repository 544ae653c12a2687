"""Typing of text without loss: a column gets a type only if every value of it keeps its meaning.

BIGINT only where the number prints as the same text ("007" stays text), DOUBLE where no digit is
rounded away, true/false, ISO dates and timestamps; otherwise VARCHAR. NULL fits every type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from components.store.columns import Column
from orchestrator_site.lib.duck import identifier

# Tried in this order. EMPTY is a column without values so far.
CANDIDATES = ("BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP")
EMPTY = "EMPTY"
SAMPLE_ROWS = 4_000
MAX_FIELD_BYTES = 1_000_000  # a longer value is refused

# Marks in the messages of DuckDB's error(): what a scan stumbled over.
RETYPE, LONG, NUL = "#retype", "#long", "#nul"

# A double holds any 15 significant digits; the text counts its sign and point too. An exponent
# needs a point before it: "1E5" may well be an article number.
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+]?[0-9]{1,2})?)?"
_TIMESTAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"


def _cast(text: str, type_: str) -> str:
    """Return the value of a text, NULL where it has none."""
    if type_ in (EMPTY, "VARCHAR"):
        return "NULL"
    return f"{text} = 'true'" if type_ == "BOOLEAN" else f"TRY_CAST({text} AS {type_})"


def _fits(text: str, value: str, type_: str) -> str:
    """Return a condition that is true (not just unknown) where `text` is losslessly `type_`.

    `value` is the expression of what `_cast` makes of it.
    """
    same = f"CAST({value} AS VARCHAR) = {text}"
    return {
        "BIGINT": same,
        "DOUBLE": f"((strlen({text}) <= 15 AND regexp_full_match({text}, '{_NUMBER}'))"
        f" OR {same} OR CAST({value} AS VARCHAR) = {text} || '.0') AND isfinite({value})",
        "BOOLEAN": f"{text} IN ('true', 'false')",
        "DATE": f"strlen({text}) = 10 AND {same}",
        "TIMESTAMP": f"(strlen({text}) >= 19 AND {same}) OR ("
        f"regexp_full_match({text}, '{_TIMESTAMP}') AND left(CAST({value} AS VARCHAR), 19)"
        f" = replace(left({text}, 19), 'T', ' '))",
    }[type_]


def _checked(text: str, value: str, type_: str) -> str:
    """Return the expression of the value; a misfit raises a mark."""
    if type_ == "VARCHAR":
        return (
            f"CASE WHEN strlen({text}) < {MAX_FIELD_BYTES} AND NOT contains({text}, chr(0))"
            f" THEN {text} WHEN {text} IS NULL THEN NULL"
            f" WHEN contains({text}, chr(0)) THEN error('{NUL}') ELSE error('{LONG}') END"
        )
    wrong = f"ELSE error('{RETYPE}') END"
    if type_ == EMPTY:
        return f"CASE WHEN {text} IS NULL THEN CAST(NULL AS VARCHAR) {wrong}"
    fits = _fits(text, value, type_)
    return f"CASE WHEN {text} IS NULL THEN NULL WHEN {fits} THEN {value} {wrong}"


def detect(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    candidates: Mapping[str, Sequence[str]],
    *,
    sample: int | None = None,
) -> list[str]:
    """Return one type per text column of the FROM item `source`: the first candidate that fits.

    Looks at all rows, or at the first `sample` ones. EMPTY where there is no value.
    """
    tests = [
        f"count_if({_fits(identifier(name), f'({_cast(identifier(name), type_)})', type_)})"
        for name, types in candidates.items()
        for type_ in types
    ]
    counts = [f"count({identifier(name)})" for name in candidates]
    limit = f" LIMIT {sample}" if sample else ""
    found = connection.execute(
        f"SELECT {', '.join([*counts, *tests])} FROM (SELECT * FROM {source}{limit})"  # noqa: S608
    ).fetchone()
    if found is None:
        raise AssertionError("An aggregate has always one row.")
    values, fitting = found[: len(counts)], iter(found[len(counts) :])
    result = []
    for (_, types), filled in zip(candidates.items(), values, strict=True):
        hits = [next(fitting) == filled for _ in types]
        first = next((type_ for type_, hit in zip(types, hits, strict=True) if hit), "VARCHAR")
        result.append(first if filled else EMPTY)
    return result


def typed_select(
    source: str, names: Sequence[str], cleaned: Sequence[str], types: Sequence[str]
) -> str:
    """Return the SELECT that casts each text column of `source` and gives it its clean name.

    A value that is not losslessly of its column's type raises a mark.
    """
    given, cast, checked = [], [], []
    for number, (name, clean, type_) in enumerate(zip(names, cleaned, types, strict=True)):
        text, value = f"t{number}", f"v{number}"
        given.append(f"{identifier(name)} AS {text}")
        cast.append(f"{_cast(text, type_)} AS {value}")
        checked.append(f"{_checked(text, value, type_)} AS {identifier(clean)}")
    # Each value is cast once, below the checks: written inside them it would be cast thrice.
    texts = f"SELECT {', '.join(given)} FROM {source}"  # noqa: S608
    values = f"SELECT *, {', '.join(cast)} FROM ({texts})"  # noqa: S608
    return f"SELECT {', '.join(checked)} FROM ({values})"  # noqa: S608


def columns(cleaned: Sequence[str], types: Sequence[str]) -> list[Column]:
    """Return the columns that such a projection has."""
    return [
        {"name": clean, "type": "VARCHAR", "empty": True}
        if type_ == EMPTY
        else {"name": clean, "type": type_}
        for clean, type_ in zip(cleaned, types, strict=True)
    ]
