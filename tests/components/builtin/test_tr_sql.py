from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.builtin.tr_sql import MANIFEST
from components.exceptions import RunnerError

Run = Callable[..., Any]
Table = Callable[[str, str], Any]
ORDERS = "SELECT * FROM (VALUES (1, 'Ann', 10.5), (2, 'Bob', 4), (3, 'Ann', 2)) t(id, who, amount)"


def blocks(*scripts: str) -> dict[str, Any]:
    return {"blocks": [{"script": script} for script in scripts]}


def fails(run: Run, *scripts: str, **more: Any) -> str:
    with pytest.raises(RunnerError) as caught:
        run(MANIFEST, blocks(*scripts), **more)
    return caught.value.message


def test_every_table_that_was_made_becomes_an_output(run: Run, table: Table) -> None:
    done = run(
        MANIFEST,
        blocks(
            "CREATE TABLE sums AS SELECT who, sum(amount) AS amount FROM orders GROUP BY who;",
            """
            CREATE TEMP TABLE scratch AS SELECT 1 AS x;
            CREATE VIEW seen AS SELECT * FROM sums;
            CREATE TABLE "Best" AS SELECT who FROM seen ORDER BY amount DESC LIMIT 1;
            CREATE TABLE gone AS SELECT 1 AS x; DROP TABLE gone
            """,
        ),
        inputs=[table("orders", ORDERS)],
    )
    assert sorted(output["table"] for output in done.outputs) == [
        "out.c-test.best",
        "out.c-test.sums",
    ]
    assert sorted((row["who"], float(row["amount"])) for row in done.rows("out.c-test.sums")) == [
        ("Ann", 12.5),
        ("Bob", 4.0),
    ]
    assert done.rows("out.c-test.best") == [{"who": "Ann"}]
    assert done.result == {
        "statements": 6,
        "tables": [
            {"table": "out.c-test.best", "rows": 1},
            {"table": "out.c-test.sums", "rows": 2},
        ],
    }


def test_the_output_mapping_chooses(run: Run, table: Table) -> None:
    mapping = [
        {
            "source": "seen",
            "destination": "out.c-sales.people",
            "incremental": True,
            "primary_key": ["who"],
        }
    ]
    done = run(
        MANIFEST,
        blocks("CREATE TABLE other AS SELECT 1 AS x; CREATE VIEW seen AS SELECT who FROM orders"),
        inputs=[table("orders", ORDERS)],
        output_mapping=mapping,
    )
    (output,) = done.outputs
    assert output["table"] == "out.c-sales.people"
    assert (output["incremental"], output["primary_key"]) == (True, ["who"])
    assert done.rows("out.c-sales.people") == [{"who": "Ann"}, {"who": "Bob"}, {"who": "Ann"}]


def test_a_mapped_table_that_is_missing_is_named(run: Run) -> None:
    mapping = [{"source": "sums", "destination": "out.c-x.sums"}]
    assert fails(run, "CREATE TABLE a AS SELECT 1 AS x", output_mapping=mapping) == (
        "The output mapping names the table “sums”, which the scripts did not make."
    )


def test_scripts_without_a_table_are_refused(run: Run) -> None:
    assert fails(run, "SELECT 1").startswith("The scripts made no table.")
    assert fails(run, "-- nothing").startswith("There is no statement to run.")


@pytest.mark.parametrize(
    ("script", "line", "told"),
    [
        ("SELECT 1;\n\nSELCT 2;", 3, 'Parser Error: syntax error at or near "SELCT"'),
        ("SELECT 1;\n-- x\nSELECT a\nFROM b\n  JOIN c USING (a);", 4, "Table with name b does not"),
        ("\n\nSELECT 1,\n  nothing\n", 4, 'Referenced column "nothing" was not'),
        ("SELECT 1;\nSELECT\n\n  CAST('x' || 1 AS INT);", 4, "Could not convert string 'x1'"),
        ("SELECT 1;\nSELECT error('stop');", 2, "stop"),
        ("SELECT ';\n\n", 1, "unterminated string literal"),
    ],
)
def test_an_error_names_block_and_line(run: Run, script: str, line: int, told: str) -> None:
    with pytest.raises(RunnerError) as caught:
        run(MANIFEST, {"blocks": [{"script": "SELECT 1"}, {"name": "Sums", "script": script}]})
    assert caught.value.message.startswith(f"Block “Sums”, line {line}: ")
    assert told in caught.value.message
    assert "\n" not in caught.value.message
    assert "^" not in caught.value.message
    assert caught.value.permanent is True
    assert fails(run, script).startswith(f"Block “Block 1”, line {line}: ")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE x AS SELECT * FROM read_text('{secret}')",
        "CREATE TABLE x AS SELECT * FROM '{secret}'",
        "CREATE TABLE x AS SELECT * FROM read_csv('{folder}/*.csv')",
        "CREATE TABLE x AS SELECT * FROM glob('{folder}/*')",
        "CREATE TABLE x AS SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "COPY (SELECT 1) TO '{orders}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{orders}'",
        "ATTACH '{folder}/other.db' AS other",
        "EXPORT DATABASE '{folder}/export'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '64GB'",
        "RESET memory_limit",
        "PRAGMA database_list",
        "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'x')",
        "SELECT getenv('HOME')",
        "CREATE TABLE x AS SELECT * FROM ORDERS_PARAMETER",
    ],
)
def test_sql_reaches_nothing_but_its_input(
    run: Run, table: Table, tmp_path: Path, statement: str
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhunter2\n")
    orders = table("orders", ORDERS)
    before = Path(orders.paths[0]).read_bytes()
    sql = statement.format(secret=secret, folder=tmp_path, orders=orders.paths[0])
    message = fails(run, f"CREATE TABLE ok AS SELECT * FROM orders;\n{sql};", inputs=[orders])
    assert message.startswith("Block “Block 1”, line 2: ")
    assert "hunter2" not in message
    assert Path(orders.paths[0]).read_bytes() == before
    assert {path.name for path in tmp_path.glob("*.csv")} == {"secret.csv"}
    # without the statement it runs, so that it was the statement that was refused
    done = run(MANIFEST, blocks("CREATE TABLE ok AS SELECT * FROM orders"), inputs=[orders])
    assert len(done.rows("out.c-test.ok")) == 3


def test_a_table_that_is_not_mapped_is_not_there(run: Run, table: Table) -> None:
    table("secrets", "SELECT 'hunter2' AS word")
    message = fails(
        run, "CREATE TABLE x AS SELECT * FROM secrets", inputs=[table("orders", ORDERS)]
    )
    assert "Table with name secrets does not exist" in message


def test_a_table_larger_than_the_memory_is_sorted(run: Run) -> None:
    script = (
        "CREATE TABLE wide AS SELECT range AS id, md5(range::VARCHAR) || repeat('x', 80) AS text "
        "FROM range(4000000); CREATE TABLE last AS SELECT text FROM wide ORDER BY text LIMIT 1; "
        "DROP TABLE wide;"
    )
    done = run(MANIFEST, blocks(script), memory_mb=256)
    (row,) = done.rows("out.c-test.last")
    assert len(row["text"]) == 112


def test_moments_of_a_time_zone_pass_through(run: Run, table: Table) -> None:
    moments = table("moments", "SELECT TIMESTAMPTZ '2026-02-03 04:05:06+02' AS moment")
    done = run(MANIFEST, blocks("CREATE TABLE x AS SELECT moment FROM moments"), inputs=[moments])
    (output,) = done.outputs
    assert output["segments"][0]["columns"] == [
        {"name": "moment", "type": "TIMESTAMP WITH TIME ZONE"}
    ]
    assert done.rows("out.c-test.x") == [{"moment": "2026-02-03 02:05:06+00"}]
