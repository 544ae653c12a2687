"""Triggers that wait for the end of an orchestration, or for a call."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from components.enums import JobStatus
from components.models import AuditEntry
from orchestrations.enums import RunStatus, StartedBy, TriggerKind
from orchestrations.exceptions import InvalidTrigger
from orchestrations.models import Orchestration, Run, Trigger, TriggerEvent
from orchestrations.scheduling.triggers import Came, fire_ready, note_events, sweep
from orchestrations.services.followers import circle_of
from orchestrations.services.orchestrations import move_to_trash
from orchestrations.services.runs import start_run, terminate_run
from orchestrations.services.triggers import (
    create_trigger,
    delete_trigger,
    new_hook_secret,
    undelete_trigger,
    update_trigger,
)
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_user,
)
from tests.control import Control
from tests.pages import client_of, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def follow(follower: Orchestration, source: Orchestration, *outcomes: str) -> Trigger:
    return create_trigger(
        follower,
        user=None,
        kind=TriggerKind.ORCHESTRATION,
        source_id=source.pk,
        outcomes=list(outcomes),
        cooldown=1,
    )


@pytest.fixture
def source() -> Orchestration:
    return make_orchestration([[make_configuration(name="Orders")]], name="Load")


def run_to(control: Control, orchestration: Orchestration, status: JobStatus) -> Run:
    with control.capture(execute=True):
        run = start_run(orchestration, started_by=StartedBy.API)
    control.deliver()
    control.end(run, "t1", status, error="" if status == JobStatus.SUCCESS else "It broke.")
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(
    ("outcomes", "status", "starts"),
    [
        ([], JobStatus.SUCCESS, True),
        ([], JobStatus.ERROR, True),
        (["success"], JobStatus.SUCCESS, True),
        (["success"], JobStatus.ERROR, False),
        (["error", "warning"], JobStatus.ERROR, True),
        (["error", "warning"], JobStatus.SUCCESS, False),
    ],
)
def test_the_end_of_an_orchestration_starts_a_run(
    control: Control,
    source: Orchestration,
    outcomes: list[str],
    status: JobStatus,
    *,
    starts: bool,
) -> None:
    trigger = follow(make_empty_orchestration(name="Report"), source, *outcomes)
    ended = run_to(control, source, status)
    assert (trigger.pk in control.triggers) is starts
    assert ended.ended_at
    made = fire_ready([trigger.pk], ended.ended_at)
    assert bool(made) is starts
    if starts:
        run = Run.objects.get(pk=made[0])
        words = f"run {ended.pk} of “Load” ended: {ended.get_status_display()}"
        assert run.updates == [
            {
                "key": f"run:{ended.pk}",
                "at": ended.ended_at.isoformat(),
                "kind": "run",
                "run": ended.pk,
                "status": ended.status,
                "words": words,
            }
        ]
        assert run.events.get().reason == f"Came: {words}."
        assert TriggerEvent.objects.get().run == run


def test_a_run_that_was_stopped_counts_only_where_any_end_does(
    control: Control, source: Orchestration
) -> None:
    strict, lax = (
        follow(make_empty_orchestration(name="Strict"), source, "success", "warning", "error"),
        follow(make_empty_orchestration(name="Lax"), source),
    )
    with control.capture(execute=True):
        run = start_run(source, started_by=StartedBy.API)
        terminate_run(run, user=make_user())
    control.advance(run)
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert [event.trigger for event in TriggerEvent.objects.all()] == [lax]
    assert strict.pk not in control.triggers


def test_ends_that_come_while_it_cools_start_one_run_together(
    control: Control, source: Orchestration
) -> None:
    trigger = follow(make_empty_orchestration(name="Report"), source)
    runs = [run_to(control, source, JobStatus.SUCCESS) for _ in range(3)]
    assert runs[-1].ended_at
    [made] = fire_ready([trigger.pk], runs[-1].ended_at)
    assert [update["run"] for update in Run.objects.get(pk=made).updates] == [r.pk for r in runs]


def test_a_circle_is_named_when_it_is_saved(client: Client, source: Orchestration) -> None:
    report = make_empty_orchestration(name="Report")
    follow(report, source)
    assert circle_of(source, report.pk) == ["Load", "Report", "Load"]
    assert circle_of(source, source.pk) == ["Load", "Load"]
    assert circle_of(make_empty_orchestration(name="Other"), report.pk) == []
    client.force_login(make_user(role="Editor"))
    sent = client.post(
        reverse("trigger-source-new", args=[source.pk, "orchestration"]),
        {"source": report.pk, "cooldown": "1", "enabled": "on"},
        follow=True,
    )
    assert "Load → Report → Load: each run starts the next." in text_of(sent)


def test_the_dialog_sets_it_up_and_changes_it(client: Client, source: Orchestration) -> None:
    client.force_login(make_user(role="Editor"))
    report = make_empty_orchestration(name="Report")
    new = reverse("trigger-source-new", args=[report.pk, "orchestration"])
    assert "When this orchestration ends" in text_of(client.get(new, headers=HTMX))
    refused = client.post(new, {"cooldown": "0", "source": ""})
    assert refused.status_code == 422
    assert "Choose the orchestration whose end starts a run." in text_of(refused)
    said = {"source": source.pk, "outcomes": ["error"], "cooldown": "2", "enabled": "on"}
    client.post(new, said)
    made = Trigger.objects.get()
    assert (made.kind, made.source, made.outcomes, made.cooldown) == (
        *("orchestration", source, ["error"], 2),
    )
    client.post(reverse("trigger-edit", args=[made.pk]), said | {"outcomes": []})
    made.refresh_from_db()
    assert made.outcomes == []
    assert "When Load ends" in text_of(client.get(reverse("schedule-list", args=[report.pk])))
    move_to_trash(source, user=None)
    assert "The orchestration that it follows was removed" in text_of(
        client.get(reverse("schedule-list", args=[report.pk]))
    )


@pytest.fixture
def hook() -> tuple[Trigger, str]:
    orchestration = make_empty_orchestration(name="Report")
    trigger = create_trigger(orchestration, user=None, kind=TriggerKind.WEBHOOK, cooldown=1)
    return trigger, new_hook_secret(trigger)


def call(client: Client, trigger: Trigger, body: Any = "", **headers: str) -> Any:
    sent = body if isinstance(body, str) else json.dumps(body)
    return client.post(
        reverse("hook", args=[trigger.hook_key]),
        sent,
        content_type="application/json",
        headers=headers,
    )


def test_a_call_with_the_secret_starts_a_run(hook: tuple[Trigger, str]) -> None:
    trigger, secret = hook
    client = Client(enforce_csrf_checks=True)
    answer = call(
        client, trigger, {"variables": {"day": "today"}}, Authorization=f"Bearer {secret}"
    )
    assert answer.status_code == 202
    assert answer.json()["is_new"] is True
    event = TriggerEvent.objects.get()
    [made] = fire_ready([trigger.pk], event.at)
    run = Run.objects.get(pk=made)
    assert run.variables == {"day": "today"}
    assert [(u["kind"], u["words"]) for u in run.updates] == [("hook", "call from 127.0.0.1")]
    assert secret not in json.dumps(run.updates)


def test_a_signed_body_will_do(client: Client, hook: tuple[Trigger, str]) -> None:
    trigger, secret = hook
    digest = hmac.new(secret.encode(), b'{"a": 1}', hashlib.sha256).hexdigest()
    signed = {"X-Hub-Signature-256": f"sha256={digest}"}
    assert call(client, trigger, '{"a": 1}', **signed).status_code == 202
    assert call(client, trigger, '{"a": 2}', **signed).status_code == 401


def test_a_dry_run_is_checked_and_starts_nothing(client: Client, hook: tuple[Trigger, str]) -> None:
    trigger, secret = hook
    url = reverse("hook", args=[trigger.hook_key])

    def tried(body: str, secret: str) -> Any:
        headers = {"Authorization": f"Bearer {secret}", "X-Dry-Run": "1"}
        return client.post(url, body, content_type="application/json", headers=headers)

    good = tried('{"variables": {"day": "1"}}', secret)
    assert (good.status_code, good.json()) == (200, {"dry_run": True, "variables": {"day": "1"}})
    assert tried("no JSON", secret).status_code == 422
    assert tried("", "wrong").status_code == 401
    assert not TriggerEvent.objects.exists()


def test_the_same_key_counts_once(client: Client, hook: tuple[Trigger, str]) -> None:
    trigger, secret = hook
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "order-4711"}
    answers = [call(client, trigger, **headers).json() for _ in range(2)]
    assert answers == [
        {"event": "order-4711", "is_new": True},
        {"event": "order-4711", "is_new": False},
    ]
    assert TriggerEvent.objects.count() == 1


def test_the_same_key_for_another_body_is_refused(
    client: Client, hook: tuple[Trigger, str]
) -> None:
    trigger, secret = hook
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "order-4711"}
    call(client, trigger, {"variables": {"day": "1"}}, **headers)
    answer = call(client, trigger, {"variables": {"day": "2"}}, **headers)

    assert answer.status_code == 422
    assert "send another key" in answer.json()["error"]["message"]
    assert TriggerEvent.objects.get().details["variables"] == {"day": "1"}


@pytest.mark.parametrize("said", ["0", "false", " No ", ""])
def test_a_header_that_says_no_is_no_dry_run(
    client: Client, hook: tuple[Trigger, str], said: str
) -> None:
    trigger, secret = hook
    headers = {"Authorization": f"bearer {secret}", "X-Dry-Run": said}

    assert call(client, trigger, **headers).status_code == 202


def test_calls_that_are_too_many_for_one_run_start_the_next_one(
    client: Client, hook: tuple[Trigger, str]
) -> None:
    """A run has a hundred variables at most."""
    trigger, secret = hook
    headers = {"Authorization": f"Bearer {secret}"}
    for first in (0, 60, 120):
        given = {f"v{n}": "x" for n in range(first, first + 60)}
        assert call(client, trigger, {"variables": given}, **headers).status_code == 202

    now, found = timezone.now(), []
    for _ in range(3):
        [made] = sweep(now)
        run = Run.objects.get(pk=made)
        found.append(len(run.variables))
        Run.objects.filter(pk=made).update(status="success")
        now += timedelta(minutes=1)
    assert found == [60, 60, 60]
    assert sweep(now) == []


def test_a_call_with_more_variables_than_a_run_may_have_is_refused(
    client: Client, hook: tuple[Trigger, str]
) -> None:
    trigger, secret = hook
    update_trigger(trigger, variables={"own": "x"})
    given = {"variables": {f"v{n}": "x" for n in range(100)}}
    answer = call(client, trigger, given, Authorization=f"Bearer {secret}")

    assert answer.status_code == 422
    assert "at most 100 variables" in answer.json()["error"]["message"]


def test_another_secret_is_in_the_record_of_changes(hook: tuple[Trigger, str]) -> None:
    trigger, _ = hook
    before = AuditEntry.objects.count()
    secret = new_hook_secret(trigger)

    entry = AuditEntry.objects.latest("pk")
    assert AuditEntry.objects.count() == before + 1
    assert (entry.object_type, entry.object_id) == ("trigger", str(trigger.pk))
    assert secret not in json.dumps(entry.changes)


def test_a_secret_that_cannot_be_read_any_more_is_said(
    client: Client, hook: tuple[Trigger, str], caplog: pytest.LogCaptureFixture
) -> None:
    trigger, secret = hook
    Trigger.objects.filter(pk=trigger.pk).update(hook_secret="of another key")
    assert call(client, trigger, Authorization=f"Bearer {secret}").status_code == 401
    assert f"The secret of webhook {trigger.pk} cannot be read" in caplog.text
    client.force_login(make_user(role="Viewer"))
    page = client.get(reverse("schedule-list", args=[trigger.orchestration_id]))
    assert "every call is refused" in text_of(page)


def test_an_outcome_that_counts_no_more_starts_nothing(
    control: Control, source: Orchestration
) -> None:
    trigger = follow(make_empty_orchestration(name="Report"), source)
    run_to(control, source, JobStatus.ERROR)
    good = run_to(control, source, JobStatus.SUCCESS)
    update_trigger(trigger, outcomes=["success"])

    assert [event.key for event in trigger.arrivals.all()] == [f"run:{good.pk}"]


def test_who_does_not_know_the_secret_learns_nothing(
    client: Client, hook: tuple[Trigger, str]
) -> None:
    trigger, secret = hook
    wrong = call(client, trigger, Authorization="Bearer wrong")
    unknown = client.post(reverse("hook", args=["unknown"]), headers={"Authorization": "Bearer x"})
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.status_code == 401
    again = new_hook_secret(trigger)
    assert call(client, trigger, Authorization=f"Bearer {secret}").status_code == 401
    assert call(client, trigger, Authorization=f"Bearer {again}").status_code == 202
    assert client.get(reverse("hook", args=[trigger.hook_key])).status_code == 405


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "The body is no JSON; send an object, or nothing."),
        ("[1]", 'Send a JSON object such as {"variables": {"day": "2026-12-24"}}.'),
        ('{"variables": [1]}', 'Send a JSON object such as {"variables": {"day": "2026-12-24"}}.'),
        ("[" * 100_000, "The body is no JSON; send an object, or nothing."),
        ('{"variables": {"a": "\\ud800"}}', "Use a text of 10000 characters or fewer."),
    ],
)
def test_a_body_that_says_nothing_is_refused(
    client: Client, hook: tuple[Trigger, str], body: str, message: str
) -> None:
    trigger, secret = hook
    answer = call(client, trigger, body, Authorization=f"Bearer {secret}")
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, message)
    assert not TriggerEvent.objects.exists()


def test_a_body_that_is_too_large_is_refused(client: Client, hook: tuple[Trigger, str]) -> None:
    trigger, secret = hook
    for size in (1_048_577, 9_000_000):
        answer = call(client, trigger, " " * size, Authorization=f"Bearer {secret}")
        assert (answer.status_code, answer["Content-Type"]) == (413, "application/json")


def test_a_body_whose_length_nobody_said_is_refused(
    client: Client, hook: tuple[Trigger, str]
) -> None:
    trigger, secret = hook
    answer = client.generic(
        "POST",
        reverse("hook", args=[trigger.hook_key]),
        headers={"Transfer-Encoding": "chunked", "Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 411
    assert not TriggerEvent.objects.exists()


def test_long_keys_that_begin_alike_are_two(client: Client, hook: tuple[Trigger, str]) -> None:
    trigger, secret = hook
    headers = {"Authorization": f"Bearer {secret}"}
    found = [
        call(client, trigger, "", **headers, **{"Idempotency-Key": "k" * 200 + end}).json()
        for end in ("a", "b", "a")
    ]
    assert [each["is_new"] for each in found] == [True, True, False]


def test_what_belongs_to_another_kind_is_not_kept() -> None:
    trigger = create_trigger(
        make_empty_orchestration(),
        user=None,
        kind=TriggerKind.WEBHOOK,
        place="a\0",
        pattern="\0",
        outcomes=["\0"],
    )
    assert (trigger.place, trigger.pattern, trigger.outcomes) == ("", "", [])


def test_calls_are_limited(client: Client, hook: tuple[Trigger, str], settings: Any) -> None:
    settings.API_RATE_LIMIT = settings.LOGIN_RATE_LIMIT = 3
    trigger, secret = hook
    strange = [call(client, trigger).status_code for _ in range(5)]
    assert strange == [401, 401, 401, 429, 429]
    known = {"Authorization": f"Bearer {secret}"}
    assert [call(client, trigger, **known).status_code for _ in range(4)] == [202, 202, 202, 429]


def test_the_secret_is_shown_once_and_stored_as_cipher(client: Client) -> None:
    client.force_login(make_user(role="Editor"))
    report = make_empty_orchestration(name="Report")
    new = reverse("trigger-source-new", args=[report.pk, "webhook"])
    shown = client.post(new, {"cooldown": "1", "enabled": "on"}, headers=HTMX)
    trigger = Trigger.objects.get()
    secret = shown.context["secret"]
    assert secret in shown.content.decode()
    assert shown["Cache-Control"].startswith("max-age=0")
    with connection.cursor() as cursor:
        cursor.execute("SELECT hook_secret FROM orchestrations_trigger")
        assert secret not in str(cursor.fetchall())
    for page in (
        reverse("trigger-edit", args=[trigger.pk]),
        reverse("schedule-list", args=[report.pk]),
    ):
        assert secret not in client.get(page).content.decode()
    again = client.post(reverse("trigger-secret", args=[trigger.pk]), headers=HTMX)
    assert again.context["secret"] != secret


def test_what_came_for_a_trigger_that_was_removed_or_that_waits_for_another_is_forgotten(
    hook: tuple[Trigger, str],
) -> None:
    trigger, _ = hook
    note_events(trigger.pk, [Came("call:1", timezone.now(), {"kind": "hook"})])
    delete_trigger(trigger)
    undelete_trigger(trigger)
    assert not trigger.arrivals.filter(used_at=None).exists()

    one, other = make_empty_orchestration(), make_empty_orchestration()
    after = create_trigger(
        make_empty_orchestration(), user=None, kind=TriggerKind.ORCHESTRATION, source_id=one.pk
    )
    note_events(after.pk, [Came("run:1", timezone.now(), {"kind": "run"})])
    update_trigger(after, cooldown=9)
    assert after.arrivals.filter(used_at=None).exists()
    update_trigger(after, source_id=other.pk)
    assert not after.arrivals.filter(used_at=None).exists()


def test_one_that_becomes_a_webhook_gets_an_address() -> None:
    trigger = create_trigger(make_empty_orchestration(), user=None, tables=["in.c-a.b"])
    trigger = update_trigger(trigger, kind=TriggerKind.WEBHOOK, tables=[])
    assert trigger.hook_key
    assert trigger.hook_secret


@pytest.mark.parametrize("quorum", [-1, 0, 101, 10**20])
def test_a_quorum_that_nobody_asks_for_is_checked_too(quorum: int) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        create_trigger(make_empty_orchestration(), user=None, tables=["in.c-a.b"], quorum=quorum)
    assert set(caught.value.fields) == {"quorum"}


def test_enter_saves_the_webhook_and_makes_no_other_secret(hook: tuple[Trigger, str]) -> None:
    """A browser presses the first button of a form that sends it."""
    trigger, _ = hook
    html = client_of("Editor").get(reverse("trigger-edit", args=[trigger.pk])).content.decode()
    form = html[html.index('id="trigger-form"') :]
    buttons = re.findall(r'<button type="submit"[^>]*>', form)

    assert "formaction" not in buttons[0]
    assert any("formaction" in button for button in buttons)
