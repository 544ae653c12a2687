from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.builtin.statements import split

PIECES = [
    ";",
    "'",
    '"',
    "$$",
    "$tag$",
    "--",
    "\n",
    "/*",
    "*/",
    " ",
    "e",
    "E'",
    "\\",
    "select 1",
    "x",
    "a$b$",
    "''",
    "1",
]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ;; \n ; ", []),
        ("-- a; b\n/* c; */", []),
        ("SELECT 1", [("SELECT 1", 1)]),
        ("SELECT 1;\n\nSELECT 2;", [("SELECT 1", 1), ("SELECT 2", 3)]),
        ("SELECT ';'; SELECT 'it''s;'", [("SELECT ';'", 1), ("SELECT 'it''s;'", 1)]),
        ('SELECT "a;""b;"; SELECT 2', [('SELECT "a;""b;"', 1), ("SELECT 2", 1)]),
        ("SELECT 1 -- ;\n+ 1; SELECT 2", [("SELECT 1 -- ;\n+ 1", 1), ("SELECT 2", 2)]),
        ("/* a /* b; */ c; */ SELECT 1", [("SELECT 1", 1)]),
        ("SELECT 1 /* ; \n ; */ ; SELECT 2", [("SELECT 1 /* ; \n ; */", 1), ("SELECT 2", 2)]),
        ("SELECT $$;$$; SELECT $a$;$$;$a$", [("SELECT $$;$$", 1), ("SELECT $a$;$$;$a$", 1)]),
        (r"SELECT e'\';'; SELECT '\'", [(r"SELECT e'\';'", 1), (r"SELECT '\'", 1)]),
        ("-- first\n\n  SELECT\n 1;\n-- x\nSELECT 2", [("SELECT\n 1", 3), ("SELECT 2", 6)]),
        ("SELECT 'open; SELECT 2", [("SELECT 'open; SELECT 2", 1)]),
    ],
)
def test_a_script_is_split(script: str, expected: list[tuple[str, int]]) -> None:
    assert [(found.sql, found.line) for found in split(script)] == expected


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_it_splits_where_duckdb_does(script: str) -> None:
    try:
        theirs = [statement.query for statement in duckdb.extract_statements(script)]
    except duckdb.Error:
        return  # no SQL for anyone
    assert len(split(script)) == len(theirs)
    for mine, their in zip(split(script), theirs, strict=True):
        assert mine.sql in their
