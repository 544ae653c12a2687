from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery.signals import before_task_publish
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from orchestrations.enums import DeliveryStatus, RunStatus, StartedBy
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Delivery, Orchestration, Run
from orchestrations.services.deliveries import (
    LEASE,
    claim,
    deliver_due,
    pause_after,
    record,
    send_test,
    try_again,
)
from orchestrations.services.notices import tell_of_end
from orchestrations.services.notifications import save_notifications, signing_secret
from orchestrations.services.sending import Outcome
from tests.builders import make_empty_orchestration, make_run, make_user
from tests.receivers import HookServer, MailServer, Reply

pytestmark = pytest.mark.django_db
S = DeliveryStatus
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BUSY = Outcome(is_sent=False, may_pass=True, status=503, answer="busy")


def message_to(*addresses: str, **more: Any) -> list[Delivery]:
    """Have a run fail whose end is told to these addresses; return the messages, unsent."""
    orchestration = make_empty_orchestration(name="Nightly")
    wanted: Any = [{"event": "error", "address": address, **more} for address in addresses]
    save_notifications(orchestration, wanted, user=None)
    run = make_run(
        orchestration, status=RunStatus.ERROR, started_by=StartedBy.API, reason="“Orders” failed."
    )
    tell_of_end(run)
    return list(Delivery.objects.filter(run=run).order_by("pk"))


def fresh(message: Delivery) -> Delivery:
    message.refresh_from_db()
    return message


def state(message: Delivery) -> tuple[str, int, int | None]:
    message.refresh_from_db()
    return message.status, message.tries, message.answer_status


def test_a_mail_arrives_plain_and_as_html(mails: MailServer) -> None:
    (message,) = message_to("ann@example.com")
    assert deliver_due() == 1
    (mail,) = mails.received
    assert (mail["Subject"], mail["To"]) == ("[Orchestrator] Nightly: Error", "ann@example.com")
    assert mail["X-Orchestrator-Delivery"] == str(message.pk)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    link = f"/runs/{message.run_id}/"
    assert "“Nightly” ended with an error" in plain.get_content()
    assert f"http://127.0.0.1:8000{link}" in plain.get_content()
    assert f'href="http://127.0.0.1:8000{link}"' in html.get_content()
    assert state(message) == (S.SENT, 1, None)
    assert fresh(message).next_try_at is None


@pytest.mark.parametrize(
    ("reply", "status"),
    [("550 No such person", S.GIVEN_UP), ("451 Come back later", S.PENDING)],
)
def test_what_a_mail_server_refuses_is_given_up_or_tried_again(
    mails: MailServer, reply: str, status: DeliveryStatus
) -> None:
    mails.answers["ann@example.com"] = reply
    (message,) = message_to("ann@example.com")
    deliver_due()
    assert state(message) == (status, 1, int(reply[:3]))
    assert fresh(message).answer == reply[4:]
    del mails.answers["ann@example.com"]
    try_again(message)
    deliver_due()
    assert state(message) == (S.SENT, 2, None)
    assert len(mails.received) == 1


def test_a_mail_server_that_is_down_is_tried_again(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_PORT = server.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    (message,) = message_to("ann@example.com")
    deliver_due()
    assert state(message) == (S.PENDING, 1, None)
    assert fresh(message).answer == "No connection to the mail server: Connection refused."


def test_a_mail_server_without_the_starttls_that_is_wanted_ends_the_message(
    mails: MailServer, settings: Settings
) -> None:
    settings.EMAIL_USE_TLS = True
    (message,) = message_to("ann@example.com")
    deliver_due()
    assert state(message) == (S.GIVEN_UP, 1, None)
    assert "STARTTLS" in fresh(message).answer
    assert mails.received == []


def test_without_a_mail_server_a_mail_is_not_called_sent(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    (message,) = message_to("ann@example.com")
    deliver_due()
    assert state(message) == (S.GIVEN_UP, 1, None)
    assert fresh(message).answer == "E-mail is not set up here: EMAIL_HOST is empty."


@time_machine.travel(NOON, tick=True)
def test_a_webhook_is_signed_as_documented(hook: HookServer) -> None:
    (message,) = message_to(hook.url)
    deliver_due()
    (posted,) = hook.posted
    stamp, _, signature = posted.headers["X-Orchestrator-Signature"].partition(",v1=")
    at = stamp.removeprefix("t=")
    assert 0 <= int(at) - NOON.timestamp() < 10
    secret = signing_secret(message.orchestration).encode()
    expected = hmac.new(secret, at.encode() + b"." + posted.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, expected)
    body = json.loads(posted.body)
    assert (body["id"], body["event"], body["run"]["id"]) == (
        message.pk,
        "error",
        message.run_id,
    )
    assert posted.headers["X-Orchestrator-Delivery"] == str(message.pk)
    assert state(message) == (S.SENT, 1, 200)


@pytest.mark.parametrize("channel", ["slack", "teams"])
def test_slack_and_teams_get_their_own_shape_unsigned(hook: HookServer, channel: str) -> None:
    message_to(hook.url, channel=channel)
    deliver_due()
    (posted,) = hook.posted
    assert "X-Orchestrator-Signature" not in posted.headers
    keys = {"slack": {"text", "blocks"}, "teams": {"type", "attachments"}}
    assert set(json.loads(posted.body)) == keys[channel]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (204, S.SENT),
        (302, S.GIVEN_UP),
        (400, S.GIVEN_UP),
        (404, S.GIVEN_UP),
        (408, S.PENDING),
        (410, S.GIVEN_UP),
        (429, S.PENDING),
        (500, S.PENDING),
        (503, S.PENDING),
    ],
)
def test_what_a_receiver_answers_decides(
    hook: HookServer, code: int, expected: DeliveryStatus
) -> None:
    hook.replies = [Reply(code, b"" if code == 204 else b"said", {"Location": hook.url})]
    (message,) = message_to(hook.url)
    deliver_due()
    assert state(message) == (expected, 1, code)
    assert len(hook.posted) == 1


def test_an_answer_that_repeats_the_url_is_masked(
    hook: HookServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.replies = [Reply(404, f"no such page: {hook.url} or /hooks/a-secret-path".encode())]
    (message,) = message_to(hook.url)
    deliver_due()
    assert fresh(message).answer == "no such page: [hidden] or [hidden]"
    assert "a-secret-path" not in caplog.text
    assert "a-secret-path" not in json.dumps(list(Delivery.objects.values()), default=str)


def test_retry_after_is_obeyed(hook: HookServer) -> None:
    hook.replies = [Reply(429, headers={"Retry-After": "7200"})]
    (message,) = message_to(hook.url)
    with time_machine.travel(NOON + timedelta(days=365), tick=False):
        Delivery.objects.update(give_up_at=NOON + timedelta(days=366))
        deliver_due()
        assert fresh(message).next_try_at == NOON + timedelta(days=365, hours=2)


def test_private_addresses_are_refused_where_the_setting_says_so(
    hook: HookServer, settings: Settings
) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = False
    (message,) = message_to(hook.url)
    deliver_due()
    assert state(message) == (S.GIVEN_UP, 1, None)
    assert hook.posted == []


@pytest.mark.usefixtures("mails")
def test_an_address_that_cannot_be_read_ends_its_message_alone(settings: Settings) -> None:
    lost, kept = message_to("https://example.com/hooks/0123456789", "ann@example.com")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key, as long as the first", []
    deliver_due()
    assert state(lost) == (S.GIVEN_UP, 1, None)
    assert "enter the one again" in fresh(lost).answer
    assert state(kept) == (S.SENT, 1, None)


@pytest.mark.usefixtures("mails")
def test_a_slow_receiver_holds_up_no_other(hook: HookServer) -> None:
    hook.replies = [Reply(200, slow=20, pause=0.1)]
    message_to(hook.url, hook.url + "2", hook.url + "3", hook.url + "4", "ann@example.com")
    began = datetime.now(UTC)
    assert deliver_due() == 5
    assert (datetime.now(UTC) - began).total_seconds() < 6  # 8 s one after the other
    assert set(Delivery.objects.values_list("status", flat=True)) == {S.SENT}


@pytest.mark.parametrize(
    ("tries", "low", "high"),
    [(1, 24, 36), (2, 48, 72), (3, 96, 144), (7, 1536, 2304), (8, 2880, 4320), (99, 2880, 4320)],
)
def test_pauses_grow_and_are_spread(tries: int, low: float, high: float) -> None:
    found = [pause_after(tries, chance=chance) for chance in (0, 1)]
    assert found == pytest.approx([low, high])
    assert low <= pause_after(tries) <= high


def test_a_pause_that_is_asked_for_is_the_least() -> None:
    assert pause_after(1, 500, chance=0.5) == 500
    assert pause_after(5, 10, chance=0.5) == 480


def test_a_message_is_tried_for_a_day_and_then_given_up() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        (message,) = message_to("ann@example.com")
        moments = []
        while fresh(message).status == S.PENDING:
            assert message.next_try_at is not None
            clock.move_to(message.next_try_at)
            claimed = claim(message.pk, message.next_try_at)
            assert claimed is not None
            moments.append(message.next_try_at)
            assert record(claimed, BUSY, message.next_try_at)
    assert message.status == S.GIVEN_UP
    assert message.tries == len(moments)
    assert 27 <= len(moments) <= 36
    assert timedelta(hours=22) < moments[-1] - moments[0] < timedelta(hours=24)
    assert (message.answer_status, message.answer) == (503, "busy")


def test_a_message_is_claimed_once_until_its_lease_is_over() -> None:
    (message,) = message_to("ann@example.com")
    now = message.created_at + timedelta(seconds=1)
    first = claim(message.pk, now)
    assert first is not None
    assert claim(message.pk, now) is None
    assert claim(message.pk, now + LEASE - timedelta(seconds=1)) is None
    second = claim(message.pk, now + LEASE + timedelta(seconds=1))
    assert second is not None
    assert record(first, BUSY, now) is False  # its claim was lost
    assert record(second, Outcome(is_sent=True, status=200), now) is True
    assert state(message) == (S.SENT, 2, 200)


def test_what_a_dead_worker_left_is_sent_again(hook: HookServer) -> None:
    (message,) = message_to(hook.url)
    now = message.created_at + timedelta(seconds=1)
    assert claim(message.pk, now) is not None
    with time_machine.travel(now + timedelta(seconds=60), tick=False):
        assert deliver_due() == 0
    with time_machine.travel(now + LEASE + timedelta(seconds=1), tick=False):
        assert deliver_due() == 1
    assert state(message) == (S.SENT, 2, 200)
    assert len(hook.posted) == 1


def test_a_message_that_arrived_is_not_sent_again(hook: HookServer) -> None:
    (message,) = message_to(hook.url)
    assert [deliver_due(), deliver_due()] == [1, 0]
    with pytest.raises(NotAllowed, match="was sent already"):
        try_again(message)
    assert len(hook.posted) == 1


def test_trying_again_begins_another_day_and_rings(
    hook: HookServer, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    hook.replies = [Reply(404), Reply(200)]
    (message,) = message_to(hook.url)
    deliver_due()
    rung: list[str] = []

    def hear(sender: str, **_: Any) -> None:
        rung.append(sender)

    before_task_publish.connect(hear)
    later = NOON + timedelta(days=400)
    with time_machine.travel(later, tick=False), django_capture_on_commit_callbacks(execute=True):
        try_again(message)
    before_task_publish.disconnect(hear)
    assert rung == ["orchestrations.tasks.deliver_messages"]
    assert (message.status, message.give_up_at) == (S.PENDING, later + timedelta(hours=24))
    with time_machine.travel(later, tick=False):
        deliver_due()
    assert state(message) == (S.SENT, 2, 200)


def test_a_message_that_is_being_sent_is_not_tried_beside_it() -> None:
    (message,) = message_to("ann@example.com")
    assert claim(message.pk, message.created_at + timedelta(seconds=1)) is not None
    with pytest.raises(NotAllowed, match="being sent right now"):
        try_again(message)


def notified(orchestration: Orchestration, address: str) -> Any:
    save_notifications(orchestration, [{"event": "error", "address": address}], user=None)
    return orchestration.notifications.get()


def test_a_test_is_sent_at_once_and_once(hook: HookServer) -> None:
    hook.replies = [Reply(500, b"broken"), Reply(200)]
    notification = notified(make_empty_orchestration(name="Nightly"), hook.url)
    message = send_test(notification, user=make_user(name="ann"))
    assert (message.status, message.answer_status, message.answer) == (S.GIVEN_UP, 500, "broken")
    assert deliver_due() == 0
    body = json.loads(hook.posted[0].body)
    assert (body["event"], body["run"]) == ("test", None)
    assert body["text"] == (
        "This is a test by ann: notifications of this orchestration arrive here."
    )
    assert send_test(notification, user=None).status == S.SENT
    assert Run.objects.count() == 0
