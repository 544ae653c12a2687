from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.builtin.app_http_call import MANIFEST
from components.exceptions import RunnerError
from components.runners.inline import try_inline

Run = Callable[..., Any]
JSON = {"Content_Type": "application/json"}
QUICK = {"pause": 0, "retries": 2}


def fails(run: Run, url: str, **parameters: Any) -> str:
    with pytest.raises(RunnerError) as caught:
        run(MANIFEST, {"url": url, **QUICK, **parameters})
    return caught.value.message


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_answer_is_the_result(run: Run, web: Any, method: str) -> None:
    url = web.says("/hook", b'{"id": 7}', status=201, **JSON, Set_Cookie="session=1")
    body = '{"report": "sálès"}'
    done = run(MANIFEST, {"url": url, "method": method, "body": body})
    (seen,) = web.seen
    assert (seen.method, seen.body) == (method, body.encode())
    assert seen.headers["content-type"] == "application/json; charset=utf-8"
    assert (done.result["status"], done.result["reason"]) == (201, "Created")
    assert done.result["body"] == {"id": 7}
    assert done.result["headers"]["content-type"] == "application/json"
    assert "set-cookie" not in done.result["headers"]
    assert 0 <= done.result["seconds"] < 10
    assert done.outputs == []


def test_text_stays_text_and_no_body_is_sent(run: Run, web: Any) -> None:
    done = run(MANIFEST, {"url": web.says("/hook", b"thank you")})
    assert done.result["body"] == "thank you"
    assert web.seen[0].body == b""
    assert "content-type" not in web.seen[0].headers


def test_a_header_given_by_hand_wins(run: Run, web: Any) -> None:
    headers = [{"name": "Content-Type", "value": "application/x-own"}]
    parameters = {"method": "POST", "body": "a=1", "content_type": "text/plain", "headers": headers}
    run(MANIFEST, {"url": web.says("/hook", b""), **parameters})
    assert web.seen[0].headers["content-type"] == "application/x-own"


def test_a_long_answer_is_cut(run: Run, web: Any) -> None:
    done = run(MANIFEST, {"url": web.says("/hook", b"x" * 20_001)})
    assert (len(done.result["body"]), done.result["truncated"]) == (20_000, True)
    done = run(MANIFEST, {"url": web.says("/exact", b"x" * 20_000)})
    assert (len(done.result["body"]), done.result.get("truncated")) == (20_000, None)


def test_an_endless_answer_ends(run: Run, web: Any) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            handler.close_connection = True

    done = run(MANIFEST, {"url": web.does("/hook", endless)})
    assert done.result["truncated"] is True


def test_a_wrong_status_is_an_error_with_the_beginning(run: Run, web: Any) -> None:
    url = web.says("/hook", b'{"why": "closed"}', status=409, **JSON)
    assert fails(run, url) == f'{url} answered 409 Conflict: {{"why": "closed"}}'
    assert len(web.seen) == 1


def test_accepted_statuses_decide(run: Run, web: Any) -> None:
    url = web.says("/hook", b"", status=404)
    assert run(MANIFEST, {"url": url, "accepted": [200, 404]}).result["status"] == 404
    assert fails(run, web.says("/other", b"", status=204), accepted=[200]) == (
        f"{web.url}/other answered 204 No Content."
    )


def test_a_body_that_is_no_json_is_not_sent(run: Run, web: Any) -> None:
    message = fails(run, web.says("/hook", b""), method="POST", body="{")
    assert message.startswith("The body is not valid JSON: ")
    assert web.seen == []


@pytest.mark.parametrize(
    ("method", "status", "requests"),
    [
        ("POST", 500, 1),
        ("PATCH", 502, 1),
        ("POST", 503, 2),
        ("POST", 429, 2),
        ("GET", 500, 2),
        ("PUT", 500, 2),
        ("DELETE", 500, 2),
    ],
)
def test_only_what_is_safe_is_repeated(
    run: Run, web: Any, method: str, status: int, requests: int
) -> None:
    web.says("/hook", b"", status=status)
    url = web.says("/hook", b"done")
    if requests == 1:
        assert f"answered {status}" in fails(run, url, method=method)
    else:
        assert run(MANIFEST, {"url": url, "method": method, **QUICK}).result["status"] == 200
    assert len(web.seen) == requests


def test_a_post_that_was_cut_off_is_not_repeated(run: Run, web: Any) -> None:
    def cut(handler: Any) -> None:
        handler.close_connection = True

    assert "broke" in fails(run, web.does("/hook", cut), method="POST", body="1")
    assert len(web.seen) == 1


def test_the_test_changes_nothing(web: Any, tmp_path: Path) -> None:
    url = web.says("/hook", b"", status=405)
    parameters = {"url": url, "method": "DELETE", "body": "1"}
    assert try_inline(MANIFEST, parameters, root=tmp_path) == (
        f"Reached {url}: it answers (405 Method Not Allowed to HEAD)."
    )
    assert [(seen.method, seen.body) for seen in web.seen] == [("HEAD", b"")]
    with pytest.raises(RunnerError, match="cannot be reached"):
        try_inline(MANIFEST, {"url": "http://127.0.0.1:1/"}, root=tmp_path)
