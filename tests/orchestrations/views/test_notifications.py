"""Who is told: the page, the card, tests, the secret, the messages and those of a run."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from orchestrations.enums import DeliveryStatus, RunStatus, StartedBy
from orchestrations.models import Delivery, Orchestration, Run
from orchestrations.services.notices import tell_of_end
from orchestrations.services.notifications import (
    notifications_of,
    save_notifications,
    signing_secret,
)
from orchestrations.services.recipients import clear_text
from tests.builders import make_empty_orchestration, make_run, make_user
from tests.receivers import HookServer, MailServer, Reply

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
SLACK = "https://hooks.slack.com/services/T000/B000/abcdefgha1B2"


@pytest.fixture
def page(client: Client) -> Client:
    client.force_login(make_user(role="Editor", name="ann"))
    return client


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def tell(orchestration: Orchestration, *pairs: tuple[str, str]) -> None:
    wanted: Any = [{"event": event, "address": address} for event, address in pairs]
    save_notifications(orchestration, wanted, user=None)


def url(name: str, *args: Any) -> str:
    return reverse(name, args=args)


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def fingerprint(text: str) -> str:
    found = re.search(r'name="fingerprint" value="([0-9a-f]+)"', text)
    assert found
    return found[1]


def filled(page: Client, orchestration: Orchestration, **fields: Any) -> dict[str, Any]:
    """What the form would post as it is, with some fields changed."""
    form = page.get(url("notifications", orchestration.pk)).context["form"]
    return {**form.initial, **fields}


def told(orchestration: Orchestration) -> list[tuple[str, str, int | None]]:
    return [(row.event, row.recipient, row.threshold) for row in notifications_of(orchestration)]


def failed_run(orchestration: Orchestration) -> Run:
    run = make_run(orchestration, status=RunStatus.ERROR, started_by=StartedBy.API)
    tell_of_end(run)
    return run


def test_it_shows_who_is_told_and_never_a_whole_url(
    page: Client, orchestration: Orchestration
) -> None:
    tell(orchestration, ("error", "bob@example.com"), ("error", SLACK), ("waiting", SLACK))
    text = text_of(page.get(url("notifications", orchestration.pk)))
    assert "bob@example.com\nhttps://hooks.slack.com/…a1B2</textarea>" in text
    assert "Errors, Waiting" in text
    assert "abcdefgh" not in text
    assert "enc::" not in text


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_it_saves_the_whole_list(
    page: Client, orchestration: Orchestration, headers: dict[str, str]
) -> None:
    tell(orchestration, ("error", SLACK), ("success", "old@example.com"))
    posted = filled(
        page,
        orchestration,
        error="https://hooks.slack.com/…a1B2\r\nann@example.com\r\nann@example.com\r\n",
        success="",
        processing="ann@example.com",
        processing_threshold="35",
    )
    answer = page.post(url("notifications", orchestration.pk), posted, headers=headers)
    assert told(orchestration) == [
        ("error", "https://hooks.slack.com/…a1B2", None),
        ("error", "ann@example.com", None),
        ("processing", "ann@example.com", 35),
    ]
    assert clear_text(notifications_of(orchestration)[0].address) == SLACK
    if headers:
        assert "The notifications have been saved." in answer.headers["HX-Trigger"]
        assert 'id="notification-recipients"' in text_of(answer)
        assert "<html" not in text_of(answer)
    else:
        assert answer.status_code == 302
        assert answer.headers["Location"] == url("notifications", orchestration.pk)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    page: Client, orchestration: Orchestration, headers: dict[str, str]
) -> None:
    posted = filled(
        page,
        orchestration,
        error="ann@example.com\nann",
        warning="bob\nhttps://user:word@example.com/hook",
        waiting_threshold="0",
    )
    answer = page.post(url("notifications", orchestration.pk), posted, headers=headers)
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert set(errors) == {"waiting_threshold"}
    posted["waiting_threshold"] = "5"
    answer = page.post(url("notifications", orchestration.pk), posted, headers=headers)
    assert answer.status_code == 422
    assert answer.context["form"].errors == {
        "error": ["“ann” is neither an e-mail address nor a URL that starts with https://."],
        "warning": [
            "“bob” is neither an e-mail address nor a URL that starts with https://.",
            "“https://user:word@example.com/hook”: Leave user and password out of the URL.",
        ],
    }
    assert "ann@example.com\nann</textarea>" in text_of(answer)
    assert ("<html" in text_of(answer)) is not bool(headers)
    assert told(orchestration) == []


def test_a_list_that_somebody_else_saved_meanwhile_is_not_overwritten(
    page: Client, orchestration: Orchestration
) -> None:
    posted = filled(page, orchestration, error="ann@example.com")
    tell(orchestration, ("error", "bob@example.com"))
    answer = page.post(url("notifications", orchestration.pk), posted, headers=HTMX)
    assert answer.status_code == 422
    assert "Somebody else saved the notifications meanwhile." in text_of(answer)
    assert told(orchestration) == [("error", "bob@example.com", None)]


def test_numbers_that_a_program_gave_each_recipient_stay(
    page: Client, orchestration: Orchestration
) -> None:
    wanted: Any = [
        {"event": "waiting", "address": "a@example.com", "threshold": 5},
        {"event": "waiting", "address": "b@example.com", "threshold": 50},
    ]
    save_notifications(orchestration, wanted, user=None)
    posted = filled(page, orchestration, success="c@example.com")
    page.post(url("notifications", orchestration.pk), posted)
    assert told(orchestration) == [
        ("success", "c@example.com", None),
        ("waiting", "a@example.com", 5),
        ("waiting", "b@example.com", 50),
    ]


def test_a_viewer_reads_and_cannot_save(client: Client, orchestration: Orchestration) -> None:
    tell(orchestration, ("error", "bob@example.com"))
    client.force_login(make_user(role="Viewer"))
    text = text_of(client.get(url("notifications", orchestration.pk)))
    assert "bob@example.com" in text
    assert "<textarea" not in text
    assert "Send test" not in text
    assert client.post(url("notifications", orchestration.pk), {}).status_code == 403
    assert told(orchestration) == [("error", "bob@example.com", None)]


def test_in_the_trash_there_is_no_page(page: Client, orchestration: Orchestration) -> None:
    tell(orchestration, ("error", "bob@example.com"))
    address = url("notifications", orchestration.pk)
    assert page.get(address).status_code == 200
    Orchestration.objects.update(deleted_at=orchestration.created_at)
    assert page.get(address).status_code == 404


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_as_much_for_one_recipient_as_for_three(
    page: Client,
    orchestration: Orchestration,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tell(orchestration, *(("error", f"{n}@example.com") for n in range(count)))
    failed_run(orchestration)
    with django_assert_num_queries(10):
        page.get(url("notifications", orchestration.pk))


def test_it_sends_a_test_and_shows_what_became_of_it(
    page: Client, orchestration: Orchestration, hook: HookServer
) -> None:
    hook.replies = [Reply(200), Reply(410, b"gone for good")]
    tell(orchestration, ("error", hook.url))
    address = url("notification-test", orchestration.pk, notifications_of(orchestration)[0].key)
    sent = page.post(address, headers=HTMX)
    assert "was sent." in sent.headers["HX-Trigger"]
    failed = page.post(address, headers=HTMX)
    assert "failed." in failed.headers["HX-Trigger"]
    assert "410: gone for good" in text_of(failed)
    plain = page.post(address, follow=True)
    assert "failed." in text_of(plain)
    assert "a-secret-path" not in text_of(failed) + text_of(plain)
    assert len(hook.posted) == 3


def test_a_test_by_mail_arrives(
    page: Client, orchestration: Orchestration, mails: MailServer
) -> None:
    tell(orchestration, ("error", "bob@example.com"))
    key = notifications_of(orchestration)[0].key
    page.post(url("notification-test", orchestration.pk, key), headers=HTMX)
    assert [mail["Subject"] for mail in mails.received] == ["[Orchestrator] Nightly: Test"]


def test_the_format_of_a_url_can_be_changed(page: Client, orchestration: Orchestration) -> None:
    tell(orchestration, ("error", SLACK), ("warning", SLACK), ("error", "bob@example.com"))
    rows = {row.recipient: row for row in notifications_of(orchestration)}
    at = url("notification-channel", orchestration.pk, rows["https://hooks.slack.com/…a1B2"].key)
    page.post(at, {"channel": "webhook"}, headers=HTMX)
    found = [(row.event, row.channel) for row in notifications_of(orchestration)]
    assert found == [("error", "webhook"), ("error", "email"), ("warning", "webhook")]
    wrong = page.post(at, {"channel": "email"}, headers=HTMX)
    assert "This does not go with a URL." in wrong.headers["HX-Trigger"]
    posted = filled(page, orchestration, success="c@example.com")
    page.post(url("notifications", orchestration.pk), posted)
    found = [(row.event, row.channel) for row in notifications_of(orchestration)]
    assert found[:2] == [("error", "webhook"), ("error", "email")]


def test_the_secret_is_shown_on_request_only_and_renewed(
    page: Client, orchestration: Orchestration
) -> None:
    secret = signing_secret(orchestration)
    assert secret not in text_of(page.get(url("notifications", orchestration.pk)))
    at = url("notification-secret", orchestration.pk)
    assert page.get(at).status_code == 405
    shown = page.post(at, headers=HTMX)
    assert secret in text_of(shown)
    assert "no-store" in shown.headers["Cache-Control"]
    assert secret in text_of(page.post(at))
    renewed = text_of(page.post(at, {"renew": "1"}, headers=HTMX))
    assert secret not in renewed
    assert signing_secret(orchestration) in renewed


def test_a_card_sums_up_who_is_told(page: Client, orchestration: Orchestration) -> None:
    tell(
        orchestration,
        ("error", "ann@example.com"),
        ("error", "bob@example.com"),
        ("processing", "bob@example.com"),
    )
    text = " ".join(text_of(page.get(url("notification-card", orchestration.pk))).split())
    assert "<dt>Errors</dt><dd>ann@example.com and 1 more</dd>" in text
    assert "<dt>Processing 20 % longer than usual</dt><dd>bob@example.com</dd>" in text
    whole = text_of(page.get(orchestration.get_absolute_url()))
    assert url("notification-card", orchestration.pk) in whole


@pytest.fixture
def sent(orchestration: Orchestration) -> Callable[..., Delivery]:
    tell(orchestration, ("error", "ann@example.com"))

    def make(status: DeliveryStatus, answer: str = "") -> Delivery:
        run = failed_run(orchestration)
        Delivery.objects.filter(run=run).update(status=status, answer=answer, ended_at=None)
        return Delivery.objects.get(run=run)

    return make


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_messages_are_listed_and_filtered(
    page: Client,
    orchestration: Orchestration,
    sent: Callable[..., Delivery],
    headers: dict[str, str],
) -> None:
    given_up = sent(DeliveryStatus.GIVEN_UP, "<b>No such person</b>")
    done = sent(DeliveryStatus.SENT, "Accepted.")
    at = url("deliveries", orchestration.pk)
    whole = page.get(at, headers=headers)
    assert [m.pk for m in whole.context["page"].messages] == [done.pk, given_up.pk]
    assert "&lt;b&gt;No such person&lt;/b&gt;" in whole.content.decode()
    for query, expected in {
        "status=sent": [done],
        "status=given_up&event=error": [given_up],
        "event=warning": [],
        "status=nonsense": [done, given_up],
        f"after={done.pk}": [given_up],
        "after=99999999999999999999": [done, given_up],
    }.items():
        found = page.get(f"{at}?{query}", headers=headers).context["page"].messages
        assert (query, found) == (query, expected)
    assert ("<html" in text_of(whole)) is not bool(headers)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_much_for_one_message_as_for_three(
    page: Client,
    orchestration: Orchestration,
    sent: Callable[..., Delivery],
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(count):
        sent(DeliveryStatus.GIVEN_UP, "no")
    with django_assert_num_queries(6):
        page.get(url("deliveries", orchestration.pk), headers=HTMX)


def test_a_message_is_tried_again_on_request(page: Client, sent: Callable[..., Delivery]) -> None:
    message = sent(DeliveryStatus.GIVEN_UP)
    at = url("delivery-retry", message.pk)
    assert page.get(at).status_code == 405
    answer = page.post(at, headers=HTMX)
    assert "is tried again now." in answer.headers["HX-Trigger"]
    assert "deliveriesChanged" in answer.headers["HX-Trigger"]
    message.refresh_from_db()
    assert message.status == DeliveryStatus.PENDING
    Delivery.objects.update(status=DeliveryStatus.SENT)
    assert "was sent already" in page.post(at, headers=HTMX).headers["HX-Trigger"]


def test_the_run_says_what_was_sent_to_whom(page: Client, sent: Callable[..., Delivery]) -> None:
    message = sent(DeliveryStatus.GIVEN_UP, "No such person")
    run = message.run
    assert run is not None
    at = url("run-deliveries", run.pk)
    text = " ".join(text_of(page.get(at)).split())
    assert "Error: ann@example.com<small>Given up: No such person</small>" in text
    assert "every 5s" not in text
    Delivery.objects.update(status=DeliveryStatus.PENDING)
    assert "every 5s" in text_of(page.get(at))
    assert at in text_of(page.get(run.get_absolute_url()))


def test_a_run_by_hand_says_who_will_be_told(page: Client, orchestration: Orchestration) -> None:
    bob = make_user()
    bob.email = "bob@example.com"
    bob.save()
    run = make_run(orchestration, started_by=StartedBy.MANUAL, created_by=bob)
    text = text_of(page.get(url("run-deliveries", run.pk)))
    assert "Only bob@example.com is told how this run ends." in text


@pytest.mark.parametrize(
    ("name", "role", "allowed"),
    [
        ("notification-test", "Operator", False),
        ("notification-channel", "Operator", False),
        ("notification-secret", "Operator", False),
        ("delivery-retry", "Viewer", False),
        ("delivery-retry", "Operator", True),
    ],
)
def test_who_may_do_what(
    client: Client,
    orchestration: Orchestration,
    sent: Callable[..., Delivery],
    name: str,
    role: str,
    allowed: bool,  # noqa: FBT001
) -> None:
    message = sent(DeliveryStatus.GIVEN_UP)
    key = notifications_of(orchestration)[0].key
    args = {
        "notification-secret": [orchestration.pk],
        "delivery-retry": [message.pk],
    }.get(name, [orchestration.pk, key])
    client.force_login(make_user(role=role))
    assert (client.post(url(name, *args)).status_code == 403) is not allowed
    message.refresh_from_db()
    assert (message.status == DeliveryStatus.PENDING) is allowed


def test_whoever_is_logged_out_is_asked_to_log_in(
    client: Client, orchestration: Orchestration
) -> None:
    answer = client.get(url("notifications", orchestration.pk))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")
