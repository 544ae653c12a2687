from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django_htmx.middleware import HtmxDetails

from orchestrator_site.lib import htmx

HTMX = {"HX-Request": "true"}
FULL_PAGES = {
    "plain": {},
    "boosted": HTMX | {"HX-Boosted": "true"},
    "history": HTMX | {"HX-History-Restore-Request": "true"},
}


def make_request(headers: dict[str, str] | None = None) -> HttpRequest:
    request = RequestFactory().get("/things/", headers=headers or {})
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]  # noqa: SLF001
    return request


@pytest.fixture
def templates(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "page.html").write_text("page {{ name }}")
    (tmp_path / "_part.html").write_text("part {{ name }}")
    backend = "django.template.backends.django.DjangoTemplates"
    with override_settings(TEMPLATES=[{"BACKEND": backend, "DIRS": [tmp_path]}]):
        yield tmp_path


@pytest.mark.usefixtures("templates")
def test_fragment_for_htmx() -> None:
    response = htmx.render_page_or_fragment(
        make_request(HTMX), "page.html", "_part.html", {"name": "Ada"}
    )
    assert (response.status_code, response.content) == (200, b"part Ada")
    assert response.headers["Vary"] == "HX-Request"


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize("headers", FULL_PAGES.values(), ids=FULL_PAGES.keys())
def test_page_for_others(headers: dict[str, str]) -> None:
    response = htmx.render_page_or_fragment(make_request(headers), "page.html", "_part.html")
    assert (response.status_code, response.content) == (200, b"page ")
    assert response.headers["Vary"] == "HX-Request"


@pytest.mark.usefixtures("templates")
def test_page_without_the_middleware() -> None:
    request = RequestFactory().get("/", headers=HTMX)
    assert htmx.render_page_or_fragment(request, "page.html", "_part.html").content == b"page "


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize(("headers", "body"), [({}, b"page x"), (HTMX, b"part x")])
def test_invalid_is_422(headers: dict[str, str], body: bytes) -> None:
    response = htmx.invalid(make_request(headers), "page.html", "_part.html", {"name": "x"})
    assert (response.status_code, response.content) == (422, body)


def test_toast_with_link_and_close_modal() -> None:
    response = HttpResponse()
    assert htmx.toast(response, "Saved", link=("/x/", "Open it")) is response
    assert htmx.close_modal(response) is response
    assert json.loads(response.headers["HX-Trigger"]) == {
        "toast": {"message": "Saved", "level": "success", "url": "/x/", "label": "Open it"},
        "closeModal": {},
    }


def test_toast_without_link() -> None:
    response = htmx.toast(HttpResponse(), "Řeka stojí", level="error")
    assert json.loads(response.headers["HX-Trigger"]) == {
        "toast": {"message": "Řeka stojí", "level": "error"}
    }


def test_redirect_of_htmx_is_made_by_the_client() -> None:
    response = htmx.redirect(make_request(HTMX), "/jobs/1/")
    assert (response.status_code, response.headers["HX-Redirect"]) == (200, "/jobs/1/")


@pytest.mark.parametrize("headers", FULL_PAGES.values(), ids=FULL_PAGES.keys())
def test_redirect_of_a_page_is_plain(headers: dict[str, str]) -> None:
    response = htmx.redirect(make_request(headers), "/jobs/1/")
    assert (response.status_code, response.headers["Location"]) == (302, "/jobs/1/")
    assert "HX-Redirect" not in response.headers


def test_done_for_htmx_is_a_toast_on_the_page() -> None:
    request = make_request(HTMX)
    response = htmx.done(request, "Sales has been automated", back="/c/1/", link=("/o/2/", "Open"))
    assert (response.status_code, response.content) == (204, b"")
    assert json.loads(response.headers["HX-Trigger"]) == {
        "toast": {
            "message": "Sales has been automated",
            "level": "success",
            "url": "/o/2/",
            "label": "Open",
        },
        "closeModal": {},
    }
    assert list(get_messages(request)) == []


@pytest.mark.parametrize(
    ("link", "text"),
    [
        (None, "<b> saved"),
        (("/o/2/", "<Open>"), '&lt;b&gt; saved <a href="/o/2/">&lt;Open&gt;</a>'),
    ],
)
def test_done_for_a_page_is_a_message(link: tuple[str, str] | None, text: str) -> None:
    request = make_request()
    response = htmx.done(request, "<b> saved", back="/c/1/", level="warning", link=link)
    assert (response.status_code, response.headers["Location"]) == (302, "/c/1/")
    assert [(m.level_tag, str(m.message)) for m in get_messages(request)] == [("warning", text)]
