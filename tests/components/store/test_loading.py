"""Files to segments: what is kept, what is refused and with which sentence."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from components.exceptions import ImportRejected
from components.store.loading import Bench, load_file

BOM = b"\xef\xbb\xbf"


def load(bench: Bench, content: bytes, format_: str = "csv", **options: str) -> Any:
    file = bench.scratch / "given"
    file.write_bytes(content)
    return load_file(bench, file, format_, **options)


def refusal(bench: Bench, content: bytes, format_: str = "csv", **options: str) -> tuple[str, Any]:
    with pytest.raises(ImportRejected) as caught:
        load(bench, content, format_, **options)
    assert list(bench.store.files()) == []
    return caught.value.message, caught.value.line


@pytest.mark.parametrize(
    ("values", "type_", "first"),
    [
        pytest.param(["1", "-20", ""], "BIGINT", 1, id="whole numbers"),
        pytest.param(["0", "9223372036854775807"], "BIGINT", 0, id="largest whole number"),
        pytest.param(["9223372036854775808"], "VARCHAR", "9223372036854775808", id="too large"),
        pytest.param(["007", "8"], "VARCHAR", "007", id="leading zero"),
        pytest.param(["+1", "2"], "VARCHAR", "+1", id="plus sign"),
        pytest.param(["1_000"], "VARCHAR", "1_000", id="digit groups"),
        pytest.param([" 1"], "VARCHAR", " 1", id="blank before"),
        pytest.param(["19.90", "2"], "DOUBLE", 19.9, id="prices"),
        pytest.param(["0.30000000000000004"], "DOUBLE", 0.30000000000000004, id="17 digits"),
        pytest.param(["0.12345678901234567890"], "VARCHAR", "0.12345678901234567890", id="rounded"),
        pytest.param(["00.5"], "VARCHAR", "00.5", id="double zero"),
        pytest.param(["1.5e-07"], "DOUBLE", 1.5e-07, id="exponent"),
        pytest.param(["1E5", "2"], "VARCHAR", "1E5", id="article number"),
        pytest.param(["12345678901234567", "0.5"], "VARCHAR", "12345678901234567", id="id + half"),
        pytest.param(["nan", "1.5"], "VARCHAR", "nan", id="not a number"),
        pytest.param(["inf"], "VARCHAR", "inf", id="infinity"),
        pytest.param(["1e999"], "VARCHAR", "1e999", id="beyond doubles"),
        pytest.param(["true", "false"], "BOOLEAN", True, id="booleans"),
        pytest.param(["True"], "VARCHAR", "True", id="capital true"),
        pytest.param(["1", "true"], "VARCHAR", "1", id="number and boolean"),
        pytest.param(["2026-02-28"], "DATE", date(2026, 2, 28), id="dates"),
        pytest.param(["2026-02-30"], "VARCHAR", "2026-02-30", id="no such day"),
        pytest.param(["2026-2-3"], "VARCHAR", "2026-2-3", id="short date"),
        pytest.param(
            ["2026-01-31T08:00:00", "2026-01-31 08:00:00.5"],
            "TIMESTAMP",
            datetime(2026, 1, 31, 8),  # noqa: DTZ001  # has no zone, as in the file
            id="timestamps",
        ),
        pytest.param(
            ["2026-01-31T08:00:00Z"], "VARCHAR", "2026-01-31T08:00:00Z", id="zone would be lost"
        ),
        pytest.param(
            ["2026-01-31 08:00:00.1234567"],
            "VARCHAR",
            "2026-01-31 08:00:00.1234567",
            id="digits would be lost",
        ),
        pytest.param(
            ["2026-01-31", "2026-01-31 08:00:00"], "VARCHAR", "2026-01-31", id="date and timestamp"
        ),
        pytest.param(["NULL"], "VARCHAR", "NULL", id="the word"),
    ],
)
def test_text_gets_the_type_that_loses_nothing(
    bench: Bench, reader: Any, values: list[str], type_: str, first: object
) -> None:
    content = "k,v\n" + "".join(f"x,{value}\n" for value in values)
    segment = load(bench, content.encode())
    assert segment["columns"][1] == {"name": "v", "type": type_}
    assert reader.types(segment) == {"k": "VARCHAR", "v": type_}
    assert reader.rows(segment)[0] == ("x", first)
    assert segment["rows"] == len(values)


def test_a_type_is_found_over_all_rows(bench: Bench, reader: Any) -> None:
    rows = b"1,,2026-01-01\n" * 60_000
    segment = load(bench, b"a,b,c\n" + rows + b"007,1.5,2026-01-01\n")
    assert reader.types(segment) == {"a": "VARCHAR", "b": "DOUBLE", "c": "DATE"}
    found = reader.rows(segment)
    assert len(found) == segment["rows"] == 60_001
    assert found[0] == ("1", None, date(2026, 1, 1))
    assert found[-1] == ("007", 1.5, date(2026, 1, 1))


def test_an_empty_field_is_null_and_a_quoted_one_is_empty_text(bench: Bench, reader: Any) -> None:
    segment = load(bench, b'a,b\nx,\n,""\n')
    assert reader.rows(segment) == [("x", None), (None, "")]


def test_quoted_text_keeps_delimiters_quotes_and_line_ends(bench: Bench, reader: Any) -> None:
    segment = load(bench, b'a,b\n"x,""y""","1\n2\r\n3"\n')
    assert reader.rows(segment) == [('x,"y"', "1\n2\r\n3")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(bench: Bench, reader: Any, delimiter: str) -> None:
    content = "id*name\n1*a b\n2*c.d\n".replace("*", delimiter)
    assert reader.rows(load(bench, content.encode())) == [(1, "a b"), (2, "c.d")]


def test_a_comma_in_text_does_not_hide_the_semicolon(bench: Bench, reader: Any) -> None:
    segment = load(bench, b"id;name\n1;x, y\n2;z\n")
    assert reader.rows(segment) == [(1, "x, y"), (2, "z")]


def test_a_given_delimiter_wins(bench: Bench, reader: Any) -> None:
    assert reader.rows(load(bench, b"a,b;c\n1,2;3\n", delimiter=";")) == [("1,2", 3)]


def test_tsv_keeps_commas(bench: Bench, reader: Any) -> None:
    assert reader.rows(load(bench, b"a\tb\n1,5\t2\n", "tsv")) == [("1,5", 2)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(BOM + b"a,b\r\n1,x\r\n", id="mark and CR LF"),
        pytest.param(b"a,b\r\n1,x\n", id="mixed line ends"),
        pytest.param(b"a,b\r1,x\r", id="CR"),
        pytest.param(b"a,b\n1,x", id="no line end at the end"),
        pytest.param(b"a,b\n\n1,x\n\n", id="blank lines"),
        pytest.param(gzip.compress(b"a,b\n1,x\n", mtime=0), id="gzip"),
    ],
)
def test_it_reads_other_shapes_of_the_same_rows(bench: Bench, reader: Any, content: bytes) -> None:
    assert reader.rows(load(bench, content)) == [(1, "x")]


def test_a_header_alone_makes_an_empty_table(bench: Bench, reader: Any) -> None:
    segment = load(bench, b"id,name\n")
    assert segment["columns"] == [
        {"name": "id", "type": "VARCHAR", "empty": True},
        {"name": "name", "type": "VARCHAR", "empty": True},
    ]
    assert (segment["rows"], reader.rows(segment)) == (0, [])


def test_names_are_cleaned(bench: Bench) -> None:
    segment = load(bench, "_Order No._,jméno,čas (s)\n1,2,3\n".encode())
    assert [column["name"] for column in segment["columns"]] == ["Order_No", "jmeno", "cas__s"]


@pytest.mark.parametrize(
    ("content", "sentence", "line"),
    [
        pytest.param(
            b'a,b\n1,"2\n3"\n4\n',
            "Line 4 has 1 value, but line 1 names 2 columns (the delimiter is a comma).",
            4,
            id="too few values, counted after a line end in quotes",
        ),
        pytest.param(
            b"a;b\r\n1;2\r\n3;4;5;6\r\n7\r\n",
            "Line 3 has 4 values, but line 1 names 2 columns (the delimiter is a semicolon).",
            3,
            id="too many values",
        ),
        pytest.param(
            gzip.compress(b"a,b\n1,2\n3\n", mtime=0),
            "Line 3 has 1 value, but line 1 names 2 columns (the delimiter is a comma).",
            3,
            id="too few in gzip",
        ),
        pytest.param(
            b"a,b\r\n1,2\n3\r\n",
            "Line 3 has 1 value, but line 1 names 2 columns (the delimiter is a comma).",
            3,
            id="too few with mixed line ends",
        ),
        pytest.param(
            "a,b\n1,x\n2,é\n".encode("latin-1"),
            "Line 3 is not UTF-8 text; save the file as UTF-8.",
            3,
            id="another encoding",
        ),
        pytest.param(
            "é,b\n1,x\n".encode("latin-1"),
            "Line 1 is not UTF-8 text; save the file as UTF-8.",
            1,
            id="another encoding in the header",
        ),
        pytest.param(
            "a,b\n1,2\n".encode("utf-16"),
            "The file is in UTF-16; save it as UTF-8.",
            1,
            id="UTF-16",
        ),
        pytest.param(
            b"id,Name,name\n1,2,3\n",
            "Line 1: columns 2 and 3 are both called “name”.",
            1,
            id="twice",
        ),
        pytest.param(
            b"a b,a-b\n1,2\n",
            "Line 1: columns 1 and 2 are both called “a_b”.",
            1,
            id="twice, cleaned",
        ),
        pytest.param(
            b"a,,c\n1,2,3\n",
            "Line 1: column 2 has no name; a name needs a letter or a digit.",
            1,
            id="no name",
        ),
        pytest.param(
            "a,Ж\n1,2\n".encode(),
            "Line 1: column 2 is called “Ж”; a name needs a letter or a digit.",
            1,
            id="nothing left of a name",
        ),
        pytest.param(
            b"file_row_number,b\n1,2\n",
            "Line 1: column 1 is called “file_row_number”, a name that Storage needs itself.",
            1,
            id="reserved name",
        ),
        pytest.param(
            b"1,2.5\n3,4\n",
            "Line 1 holds numbers only; it should name the columns.",
            1,
            id="no header",
        ),
        pytest.param(
            b"\na,b\n1,2\n",
            "Line 1 is empty; it should name the columns.",
            1,
            id="blank first line",
        ),
        pytest.param(
            b"", "The file is empty; its first line should name the columns.", 1, id="empty"
        ),
        pytest.param(
            BOM + b"\n",
            "The file is empty; its first line should name the columns.",
            1,
            id="mark only",
        ),
        pytest.param(
            b"a,b\n1,2\n3,x\0y\n",
            "Line 3 has a NUL byte; the file is damaged or is no text.",
            3,
            id="NUL byte",
        ),
        pytest.param(
            b"a,b\0\n1,2\n",
            "Line 1 has a NUL byte; the file is damaged or is no text.",
            1,
            id="NUL byte in the header",
        ),
        pytest.param(
            b"a,b\n1,2\n3," + b"x" * 1_000_000 + b"\n",
            "Line 3 has a field of 1 MB or more.",
            3,
            id="field of 1 MB",
        ),
        pytest.param(
            b"a,b\n1,2\n3," + b"x" * 5_000_000 + b"\n",
            "Line 3 is longer than 4 MB; perhaps a quote is not closed.",
            3,
            id="line of 5 MB",
        ),
        pytest.param(
            b'a,b\n1,2\n3,"x\n4,5\n',
            "Line 3 has a quote that is not closed, or text after a closing quote.",
            3,
            id="quote not closed",
        ),
        pytest.param(
            b'a,b\n1,2\n3,"x"y\n4,5\n',
            "Line 3 has a quote that is not closed, or text after a closing quote.",
            3,
            id="text after a quote",
        ),
        pytest.param(
            gzip.compress(b"a,b\n" + bytes(range(48, 58)) * 9000, mtime=0)[:-40],
            "The gzip file is damaged or incomplete.",
            None,
            id="gzip cut short",
        ),
    ],
)
def test_a_bad_csv_is_refused_with_the_line(
    bench: Bench, content: bytes, sentence: str, line: int | None
) -> None:
    assert refusal(bench, content) == (sentence, line)


def test_a_field_just_below_the_limit_is_kept(bench: Bench, reader: Any) -> None:
    segment = load(bench, b"a,b\n1," + b"x" * 999_999 + b"\n")
    assert len(reader.rows(segment)[0][1]) == 999_999


def test_an_unknown_format_is_refused(bench: Bench) -> None:
    sentence = "“xls” is no format; it is one of csv, tsv, json, ndjson, parquet."
    assert refusal(bench, b"a\n1\n", "xls") == (sentence, None)


def test_json_keeps_types_and_nested_values_as_text(bench: Bench, reader: Any) -> None:
    segment = load(
        bench,
        b'[{"id":1,"no":"007","in":{"d":[1]},"p":1.5,"day":"2026-01-31"},'
        b' {"id":2,"ok":true,"big":12345678901234567890,"p":2}]',
        "json",
    )
    assert reader.types(segment) == {
        "id": "BIGINT",
        "no": "VARCHAR",
        "in": "VARCHAR",
        "p": "DOUBLE",
        "day": "DATE",
        "ok": "BOOLEAN",
        "big": "VARCHAR",
    }
    assert reader.rows(segment) == [
        (1, "007", '{"d":[1]}', 1.5, date(2026, 1, 31), None, None),
        (2, None, None, 2.0, None, True, "12345678901234567890"),
    ]


def test_json_of_mixed_types_becomes_text(bench: Bench, reader: Any) -> None:
    segment = load(bench, b'{"a":1,"b":null}\n{"a":"x","b":null}\n', "ndjson")
    assert reader.rows(segment) == [("1", None), ("x", None)]
    assert segment["columns"][1] == {"name": "b", "type": "VARCHAR", "empty": True}


def test_json_finds_the_list_inside_a_document(bench: Bench, reader: Any) -> None:
    document = b'{"data":{"the items":[{"a":1},{"a":2}]},"next":null}'
    segment = load(bench, document, "json", inside="data.the items")
    assert reader.rows(segment) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("content", "sentence", "line"),
    [
        pytest.param(
            b'{"a":1}\n{"a":\n', "Line 3 is not valid JSON: unexpected end of data.", 3, id="cut"
        ),
        pytest.param(
            b"[1, 2]",
            "The file is not a list of objects; each row should be one, such as {“id”: 1}.",
            None,
            id="list of numbers",
        ),
        pytest.param(
            b'[{"a":1},[2]]',
            "The file is not a list of objects; each row should be one, such as {“id”: 1}.",
            None,
            id="list in a list",
        ),
        pytest.param(
            b"[]", "The file has no objects, so its columns are not known.", None, id="empty list"
        ),
        pytest.param(
            b"", "The file has no objects, so its columns are not known.", None, id="empty file"
        ),
        pytest.param(
            b'{"a":1,"A":2}', "columns 1 and 2 are both called “A”.", None, id="key twice"
        ),
        pytest.param(
            b'{"a":"x\\u0000"}',
            "A value has a NUL character, which no table can hold.",
            None,
            id="NUL",
        ),
    ],
)
def test_bad_json_is_refused(bench: Bench, content: bytes, sentence: str, line: int | None) -> None:
    assert refusal(bench, content, "json") == (sentence, line)


def test_a_missing_list_inside_a_document_is_named(bench: Bench) -> None:
    sentence = "The document has no list at “data.items”."
    assert refusal(bench, b'{"data":1}', "json", inside="data.items") == (sentence, None)


def test_parquet_keeps_its_types(bench: Bench, reader: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    bench.connection.execute(
        "COPY (SELECT 1::SMALLINT AS a, 1.50::DECIMAL(9,2) AS b, {'x': 1} AS c,"
        f" '2026-01-01'::TIMESTAMP_MS AS d, [1, 2] AS \"e e\") TO '{file}'"
    )
    segment = load_file(bench, file, "parquet")
    assert segment["columns"] == [
        {"name": "a", "type": "SMALLINT"},
        {"name": "b", "type": "DECIMAL(9,2)"},
        {"name": "c", "type": "VARCHAR"},
        {"name": "d", "type": "TIMESTAMP"},
        {"name": "e_e", "type": "VARCHAR"},
    ]
    assert reader.rows(segment)[0][2:] == (
        '{"x":1}',
        datetime(2026, 1, 1),  # noqa: DTZ001
        "[1,2]",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n", "The file is not Parquet."),
        (b"PAR1xxxxxxxxxxxxPAR1", "The Parquet file is damaged or incomplete."),
    ],
)
def test_bad_parquet_is_refused(bench: Bench, content: bytes, sentence: str) -> None:
    assert refusal(bench, content, "parquet") == (sentence, None)


def test_nothing_is_left_in_scratch(bench: Bench) -> None:
    load(bench, b"a,b\r\n1,2\n")
    refusal_content = b"a,b\n1,x\0\n"
    with pytest.raises(ImportRejected):
        load(bench, refusal_content)
    assert [file.name for file in bench.scratch.iterdir()] == ["given"]


def test_the_first_of_many_bad_lines_is_told(bench: Bench) -> None:
    content = b"a,b\n" + b"1,2\n" * 200_000 + b"3\n" * 200_000
    assert refusal(bench, content)[1] == 200_002
