from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import duckdb
import pytest

from components.builtin.contract import TestContext
from components.builtin.ex_http import MANIFEST
from components.exceptions import ComponentsError, RunnerError

Run = Callable[..., Any]
CSV = b"id,name\n1,Ann\n2,Bob\n"
ROWS = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}]
QUICK = {"pause": 0, "retries": 3}


def fails(run: Run, url: str, **parameters: Any) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        run(MANIFEST, {"url": url, **QUICK, **parameters})
    return caught.value


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orders.csv", CSV),
        ("/orders.CSV", CSV),
        ("/orders.csv?day=1.json", CSV),
        ("/orders.csv.gz", gzip.compress(CSV, mtime=0)),
        ("/orders.tsv", CSV.replace(b",", b"\t")),
        ("/orders.csv", CSV.replace(b",", b";")),
        ("/orders.json", json.dumps(ROWS).encode()),
        ("/orders.ndjson", b"\n".join(json.dumps(row).encode() for row in ROWS)),
        (
            "/orders.jsonl.gz",
            gzip.compress(b"\n".join(json.dumps(r).encode() for r in ROWS), mtime=0),
        ),
    ],
)
def test_the_format_is_told_by_the_ending(run: Run, web: Any, path: str, body: bytes) -> None:
    web.says(path.partition("?")[0], body)
    done = run(MANIFEST, {"url": web.url + path})
    assert done.rows("in.c-test.orders") == ROWS
    assert [output["table"] for output in done.outputs] == ["in.c-test.orders"]
    assert done.outputs[0]["incremental"] is False
    assert done.result == {"table": "in.c-test.orders", "rows": 2, "bytes": len(body)}


def test_parquet_is_loaded(run: Run, web: Any, tmp_path: Any) -> None:
    file = tmp_path / "x.parquet"
    duckdb.execute(f"COPY (SELECT 1::BIGINT AS id, 'Ann' AS name) TO '{file}' (FORMAT parquet)")
    done = run(MANIFEST, {"url": web.says("/x.parquet", file.read_bytes())})
    assert done.rows("in.c-test.x") == ROWS[:1]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv; charset=utf-8", CSV),
        ("application/json", json.dumps(ROWS).encode()),
        ("application/x-ndjson", b"\n".join(json.dumps(row).encode() for row in ROWS)),
    ],
)
def test_else_the_content_type_tells(run: Run, web: Any, content_type: str, body: bytes) -> None:
    done = run(MANIFEST, {"url": web.says("/export", body, Content_Type=content_type)})
    assert done.rows("in.c-test.export") == ROWS


def test_the_parameter_wins(run: Run, web: Any) -> None:
    url = web.says("/orders.json", CSV, Content_Type="application/json")
    done = run(MANIFEST, {"url": url, "format": "csv", "name": "Our Orders"})
    assert done.rows("in.c-test.our-orders") == ROWS


def test_an_unknown_format_is_a_sentence(run: Run, web: Any) -> None:
    error = fails(run, web.says("/blob", CSV, Content_Type="image/png"))
    assert error.message == (
        "The format of “blob” cannot be told from its name. Choose it in Format."
    )


def test_the_servers_file_name_is_used(run: Run, web: Any) -> None:
    url = web.says("/get", CSV, Content_Disposition='attachment; filename="March sales.csv"')
    assert run(MANIFEST, {"url": url}).rows("in.c-test.march-sales") == ROWS


def test_the_list_inside_a_document_is_found(run: Run, web: Any) -> None:
    rows = [{"id": 1, "tags": ["a"], "who": {"name": "Ann"}}]
    url = web.says("/x.json", json.dumps({"data": {"items": rows}}).encode())
    done = run(MANIFEST, {"url": url, "path": "data.items"})
    (row,) = done.rows("in.c-test.x")
    assert row["id"] == 1
    assert json.loads(row["tags"]) == ["a"]
    assert json.loads(row["who"]) == {"name": "Ann"}


def test_incremental_and_key_are_passed_on(run: Run, web: Any) -> None:
    parameters = {"url": web.says("/x.csv", CSV), "incremental": True, "primary_key": ["id"]}
    (output,) = run(MANIFEST, parameters).outputs
    assert (output["incremental"], output["primary_key"]) == (True, ["id"])


@pytest.mark.parametrize(
    ("encoding", "parameters", "headers"),
    [
        ("windows-1250", {"encoding": "windows-1250"}, {}),
        ("utf-16", {"encoding": "utf-16"}, {}),
        ("iso-8859-2", {}, {"Content_Type": "text/csv; charset=ISO-8859-2"}),
    ],
)
def test_other_encodings_are_read(
    run: Run, web: Any, encoding: str, parameters: Any, headers: Any
) -> None:
    url = web.says("/x.csv", "id,name\n1,Žofie\n".encode(encoding), **headers)
    assert run(MANIFEST, {"url": url, **parameters}).rows("in.c-test.x") == [
        {"id": 1, "name": "Žofie"}
    ]


def test_a_packed_file_in_another_encoding_is_read(run: Run, web: Any) -> None:
    url = web.says("/x.csv.gz", gzip.compress("name\nŽofie\n".encode("windows-1250")))
    done = run(MANIFEST, {"url": url, "encoding": "windows-1250"})
    assert done.rows("in.c-test.x") == [{"name": "Žofie"}]


def test_the_line_with_a_wrong_byte_is_named(run: Run, web: Any) -> None:
    url = web.says("/x.csv", b"name\nok\nbad \x81\n")
    error = fails(run, url, encoding="windows-1252")
    assert error.message == ("Line 3 is not valid cp1252. Choose the file's encoding in Encoding.")


def test_a_bad_file_is_refused_with_its_line(run: Run, web: Any) -> None:
    with pytest.raises(ComponentsError, match=r"(?i)line 3"):
        run(MANIFEST, {"url": web.says("/x.csv", b"a,b\n1,2\n1,2,3\n")})


def test_an_empty_answer_is_a_sentence(run: Run, web: Any) -> None:
    error = fails(run, web.says("/x.csv", b""))
    assert error.message == f"{web.url}/x.csv answered with an empty file."


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_a_busy_server_is_tried_again(run: Run, web: Any, status: int) -> None:
    web.says("/x.csv", b"busy", b"busy", status=status)
    done = run(MANIFEST, {"url": web.says("/x.csv", CSV), **QUICK})
    assert done.rows("in.c-test.x") == ROWS
    assert len(web.seen) == 3
    warnings = [message for level, message in done.log if level == "warning"]
    assert len(warnings) == 2
    assert str(status) in warnings[0]
    assert warnings[0].endswith("Trying again in 0 s.")


def test_it_gives_up_after_the_last_retry(run: Run, web: Any) -> None:
    error = fails(run, web.says("/x.csv", b"", status=503))
    assert error.message == (f"{web.url}/x.csv answered 503 Service Unavailable. Tried 4 times.")
    assert error.permanent is False
    assert len(web.seen) == 4


def test_a_wrong_request_is_not_tried_again(run: Run, web: Any) -> None:
    url = web.says(
        "/x.csv", b'{"why": "no such\\n day"}', status=404, Content_Type="application/json"
    )
    error = fails(run, url)
    assert error.message == f'{url} answered 404 Not Found: {{"why": "no such\\n day"}}'
    assert error.permanent is True
    assert len(web.seen) == 1


@pytest.mark.parametrize("status", [204, 206, 304])
def test_an_answer_that_is_no_file_is_refused(run: Run, web: Any, status: int) -> None:
    assert str(status) in fails(run, web.says("/x.csv", b"", status=status)).message


def test_retry_after_in_seconds_is_obeyed(
    run: Run, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("components.builtin.web.time.sleep", slept.append)
    web.says("/x.csv", b"", status=429, Retry_After="7")
    web.says("/x.csv", b"", b"", status=503)
    run(MANIFEST, {"url": web.says("/x.csv", CSV), "retries": 5, "pause": 1.5})
    assert slept == [7, 3, 6]


def test_retry_after_as_a_date_is_obeyed(
    run: Run, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("components.builtin.web.time.sleep", slept.append)
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    web.says("/x.csv", b"", status=503, Retry_After=until)
    web.says("/x.csv", b"", status=503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT")
    web.says("/x.csv", b"", status=503, Retry_After="soon")
    run(MANIFEST, {"url": web.says("/x.csv", CSV), "retries": 3, "pause": 2})
    assert 37 < slept[0] <= 40
    assert slept[1:] == [0, 8]


def test_a_server_that_asks_for_too_long_is_not_waited_for(run: Run, web: Any) -> None:
    error = fails(run, web.says("/x.csv", b"", status=429, Retry_After="86400"))
    assert error.message.endswith("It asks to wait 86400 seconds.")
    assert len(web.seen) == 1


def cut(handler: Any) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(CSV)
    handler.close_connection = True


def test_a_cut_answer_is_fetched_again(run: Run, web: Any) -> None:
    web.does("/x.csv", cut)
    done = run(MANIFEST, {"url": web.says("/x.csv", CSV), **QUICK})
    assert done.rows("in.c-test.x") == ROWS
    assert len(web.seen) == 2


def test_an_answer_that_is_always_cut_is_an_error(run: Run, web: Any) -> None:
    message = fails(run, web.does("/x.csv", cut)).message
    assert message.startswith(f"The connection to {web.url}/x.csv broke: ")
    assert message.endswith("Tried 4 times.")


def test_a_packed_answer_is_unpacked(run: Run, web: Any) -> None:
    url = web.says("/x.csv", gzip.compress(CSV), Content_Encoding="gzip")
    assert run(MANIFEST, {"url": url}).rows("in.c-test.x") == ROWS


@pytest.mark.parametrize("packed", [gzip.compress(CSV, mtime=0)[:-4], b"no gzip at all"])
def test_a_damaged_packed_answer_is_fetched_again(run: Run, web: Any, packed: bytes) -> None:
    web.says("/x.csv", packed, Content_Encoding="gzip")
    done = run(MANIFEST, {"url": web.says("/x.csv", CSV), **QUICK})
    assert done.rows("in.c-test.x") == ROWS
    assert len(web.seen) == 2


def test_a_slow_server_is_not_waited_for_for_ever(run: Run, web: Any) -> None:
    release = threading.Event()
    web.does("/x.csv", lambda _handler: release.wait(20))
    try:
        error = fails(run, web.url + "/x.csv", timeout=1, retries=0)
    finally:
        release.set()
    assert error.message == f"{web.url}/x.csv did not answer within 1 s."


def test_a_server_that_is_away_is_a_sentence(run: Run) -> None:
    error = fails(run, "http://127.0.0.1:1/x.csv", retries=1)
    assert error.message.startswith("http://127.0.0.1:1/x.csv cannot be reached: ")
    assert error.permanent is False


def test_authentication_headers_and_query_are_sent(run: Run, web: Any) -> None:
    run(
        MANIFEST,
        {
            "url": web.says("/x.csv", CSV) + "?page=1",
            "auth": {"type": "basic", "user": "ann", "#password": "pä:ss"},
            "headers": [{"name": "X-Day", "value": "Žižkov"}, {"name": "X-Key", "#value": "k1"}],
            "query": [{"name": "key", "#value": "a&b"}, {"name": "empty"}],
        },
    )
    (seen,) = web.seen
    assert seen.path == "/x.csv?page=1&key=a%26b&empty="
    assert base64.b64decode(seen.headers["authorization"].removeprefix("Basic ")).decode() == (
        "ann:pä:ss"
    )
    assert seen.headers["x-day"].encode("latin-1").decode() == "Žižkov"
    assert seen.headers["x-key"] == "k1"


def test_a_bearer_token_is_sent(run: Run, web: Any) -> None:
    auth = {"type": "bearer", "#token": "t0ken"}
    run(MANIFEST, {"url": web.says("/x.csv", CSV), "auth": auth})
    assert web.seen[0].headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a\nb", "a\0"])
def test_a_header_cannot_smuggle_another(run: Run, web: Any, bad: str) -> None:
    headers = [{"name": "X-Key", "#value": bad}]
    error = fails(run, web.says("/x.csv", CSV), headers=headers)
    assert error.message == "The header “X-Key” holds a line break or another control character."
    assert (
        "cannot be the name"
        in fails(run, web.url, headers=[{"name": "X Key", "value": "1"}]).message
    )
    assert web.seen == []


def test_secrets_stay_on_their_origin(run: Run, web: Any, other_web: Any) -> None:
    target = other_web.says("/x.csv", CSV)
    url = web.says("/go", b"", status=302, Location=target)
    run(
        MANIFEST,
        {
            "url": url,
            "auth": {"type": "bearer", "#token": "t0ken"},
            "headers": [{"name": "X-Key", "#value": "k1"}],
        },
    )
    assert web.seen[0].headers["x-key"] == "k1"
    assert "authorization" in web.seen[0].headers
    assert "x-key" not in other_web.seen[0].headers
    assert "authorization" not in other_web.seen[0].headers


def test_they_go_along_on_the_same_origin(run: Run, web: Any) -> None:
    web.says("/x.csv", CSV)
    url = web.says("/go", b"", status=307, Location="/x.csv")
    auth = {"type": "bearer", "#token": "t0ken"}
    assert run(MANIFEST, {"url": url, "auth": auth}).rows("in.c-test.x") == ROWS
    assert [seen.headers["authorization"] for seen in web.seen] == ["Bearer t0ken"] * 2


def test_redirects_have_an_end(run: Run, web: Any) -> None:
    error = fails(run, web.says("/go", b"", status=302, Location="/go"))
    assert error.message == f"{web.url}/go redirects more than 10 times."
    assert len(web.seen) == 11


def test_a_redirect_to_a_file_is_not_followed(run: Run, web: Any) -> None:
    error = fails(run, web.says("/go", b"", status=302, Location="file:///etc/passwd"))
    assert error.message == f"{web.url}/go redirects to a file: address, which is not followed."


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/x.csv", "/x.csv", "http://", "x", "http://[1"]
)
def test_only_web_addresses_are_taken(run: Run, url: str) -> None:
    assert fails(run, url).permanent is True


def test_urls_are_shown_without_secrets(run: Run, web: Any) -> None:
    host = web.url.removeprefix("http://")
    web.says("/x.csv", b"", status=404)
    error = fails(run, f"http://ann:s3cret@{host}/x.csv?token=t0ken&page=1")
    assert error.message == f"{web.url}/x.csv?token=…&page=… answered 404 Not Found."


def test_the_connection_is_tested_without_reading_the_file(web: Any) -> None:
    url = web.says("/x.csv", CSV, Content_Type="text/csv")
    assert MANIFEST.test is not None
    assert MANIFEST.test(TestContext({"url": url})) == (
        f"Reached {url}: 200 OK, text/csv, {len(CSV)} bytes."
    )
    with pytest.raises(RunnerError, match="404 Not Found"):
        MANIFEST.test(TestContext({"url": web.url + "/none"}))
