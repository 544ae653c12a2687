"""The API's calls for notifications and messages: what each does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from components.enums import TokenScope
from components.services.tokens import create_token
from orchestrations.enums import DeliveryStatus, RunStatus, StartedBy
from orchestrations.models import Delivery, Orchestration
from orchestrations.services.notices import tell_of_end
from orchestrations.services.notifications import notifications_of, save_notifications
from orchestrations.services.recipients import clear_text
from tests.builders import make_empty_orchestration, make_run, make_user
from tests.receivers import HookServer, Reply

pytestmark = pytest.mark.django_db
SLACK = "https://hooks.slack.com/services/T000/B000/abcdefgha1B2"


class Api:
    """Calls with an Editor's token."""

    def __init__(self, client: Client) -> None:
        self.client = client
        _, self.text = create_token(make_user(role="Editor"), name="t", scope=TokenScope.WRITE)

    def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={"authorization": f"Bearer {self.text}"},
        )
        assert answer.status_code == status, answer.content
        assert b"abcdefgh" not in answer.content  # no answer shows a URL
        return answer.json()


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def failed(orchestration: Orchestration) -> Delivery:
    run = make_run(orchestration, status=RunStatus.ERROR, started_by=StartedBy.API)
    tell_of_end(run)
    return Delivery.objects.filter(run=run).latest("pk")


def test_the_list_is_put_and_got(api: Api, orchestration: Orchestration) -> None:
    at = f"/orchestrations/{orchestration.pk}/notifications"
    assert api("GET", at)["notifications"] == []
    body = {
        "notifications": [
            {"event": "processing", "address": SLACK, "threshold": 30},
            {"event": "error", "address": "ann@example.com"},
        ]
    }
    put = api("PUT", at, body)
    rows = [{k: v for k, v in row.items() if k != "key"} for row in put["notifications"]]
    assert rows == [
        {"event": "error", "channel": "email", "address": "ann@example.com", "threshold": None},
        {
            "event": "processing",
            "channel": "slack",
            "address": "https://hooks.slack.com/…a1B2",
            "threshold": 30,
        },
    ]
    assert api("GET", at) == put


def test_what_was_got_can_be_put_back(api: Api, orchestration: Orchestration) -> None:
    at = f"/orchestrations/{orchestration.pk}/notifications"
    first = api("PUT", at, {"notifications": [{"event": "error", "address": SLACK}]})
    versions = orchestration.versions.count()
    assert api("PUT", at, first) == first
    assert orchestration.versions.count() == versions
    assert clear_text(notifications_of(orchestration)[0].address) == SLACK


def test_a_list_that_was_changed_meanwhile_is_409(api: Api, orchestration: Orchestration) -> None:
    at = f"/orchestrations/{orchestration.pk}/notifications"
    seen = api("GET", at)["fingerprint"]
    mine = {"notifications": [{"event": "error", "address": "a@example.com"}]}
    api("PUT", at, mine | {"fingerprint": seen})
    other = {"notifications": [], "fingerprint": seen}
    assert api("PUT", at, other, status=409)["error"]["code"] == "conflict"
    assert len(api("GET", at)["notifications"]) == 1


def test_what_is_wrong_is_said_by_its_path(api: Api, orchestration: Orchestration) -> None:
    at = f"/orchestrations/{orchestration.pk}/notifications"
    body = {
        "notifications": [
            {"event": "error", "address": "ann"},
            {"event": "waiting", "address": "ann@example.com", "threshold": 0},
        ]
    }
    assert api("PUT", at, body, status=422)["error"]["fields"] == {
        "error.0.address": "“ann” is neither an e-mail address nor a URL that starts with "
        "https://.",
        "waiting.0.threshold": "Use a whole number from 1 to 43200.",
    }
    wrong = {"notifications": [{"event": "never", "address": "ann@example.com"}]}
    assert "notifications.0.event" in "".join(api("PUT", at, wrong, status=422)["error"]["fields"])


def test_a_test_is_sent_and_answered(
    api: Api, orchestration: Orchestration, hook: HookServer
) -> None:
    hook.replies = [Reply(403, b"not you")]
    save_notifications(orchestration, [{"event": "error", "address": hook.url}], user=None)
    at = f"/orchestrations/{orchestration.pk}/notifications/test"
    found = api("POST", at, {"key": notifications_of(orchestration)[0].key})
    assert (found["status"], found["answer_status"], found["answer"], found["run"]) == (
        "given_up",
        403,
        "not you",
        None,
    )
    assert len(hook.posted) == 1
    api("POST", at, {"key": "unknown"}, status=404)


def test_messages_are_listed_by_pages_and_filters(api: Api, orchestration: Orchestration) -> None:
    save_notifications(orchestration, [{"event": "error", "address": "ann@example.com"}], user=None)
    made = [failed(orchestration) for _ in range(3)]
    Delivery.objects.filter(pk=made[0].pk).update(status=DeliveryStatus.SENT)
    at = f"/orchestrations/{orchestration.pk}/deliveries"
    first = api("GET", f"{at}?limit=2")
    assert [row["id"] for row in first["items"]] == [made[2].pk, made[1].pk]
    second = api("GET", f"{at}?limit=2&after={first['next']}")
    assert ([row["id"] for row in second["items"]], second["next"]) == ([made[0].pk], None)
    for query, expected in {
        "status=sent": [made[0].pk],
        f"run={made[1].run_id}": [made[1].pk],
        "event=success": [],
    }.items():
        rows = api("GET", f"{at}?{query}")["items"]
        assert (query, [row["id"] for row in rows]) == (query, expected)


def test_a_message_is_tried_again(api: Api, orchestration: Orchestration) -> None:
    save_notifications(orchestration, [{"event": "error", "address": "ann@example.com"}], user=None)
    message = failed(orchestration)
    Delivery.objects.update(status=DeliveryStatus.GIVEN_UP)
    assert api("POST", f"/deliveries/{message.pk}/retry", status=202)["status"] == "pending"
    Delivery.objects.update(status=DeliveryStatus.SENT)
    answer = api("POST", f"/deliveries/{message.pk}/retry", status=409)
    assert answer["error"]["message"] == "This message was sent already."


def test_of_the_trash_nothing_is_answered(api: Api, orchestration: Orchestration) -> None:
    save_notifications(orchestration, [{"event": "error", "address": "ann@example.com"}], user=None)
    message = failed(orchestration)
    Orchestration.objects.update(deleted_at=orchestration.created_at)
    api("GET", f"/orchestrations/{orchestration.pk}/notifications", status=404)
    api("GET", f"/orchestrations/{orchestration.pk}/deliveries", status=404)
    api("POST", f"/deliveries/{message.pk}/retry", status=404)
