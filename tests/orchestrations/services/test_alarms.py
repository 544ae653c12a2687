"""Nothing fires: noted once, told once, whoever sees it first."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.core import mail

from orchestrations.enums import ProcessKind
from orchestrations.models import Outage, Process, Slot
from orchestrations.queries.health import lasting_outage, silence
from orchestrations.scheduling.outages import end_silence
from orchestrations.scheduling.presence import Presence
from orchestrations.services import alarms
from orchestrations.services.watching import Watcher, kind_of
from tests.builders import make_schedule, make_user
from tests.waiting import eventually

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def mails(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def seen(at: datetime) -> None:
    Process.objects.create(key="beat", kind="scheduler", host="h", pid=1, started_at=at, seen_at=at)


def administrator(name: str, email: str, *, active: bool = True) -> None:
    user = make_user(name=name)
    user.is_superuser, user.email, user.is_active = True, email, active
    user.save()


def test_thirty_seconds_of_silence_are_no_alarm_and_one_more_is() -> None:
    seen(NOON)

    assert alarms.look(NOON + 30 * SECOND) is None
    outage = alarms.look(NOON + 31 * SECOND)

    assert outage is not None
    assert (outage.began_at, outage.reason) == (NOON, "No scheduler was seen.")


def test_without_any_scheduler_ever_there_is_no_alarm() -> None:
    assert alarms.look(NOON) is None


def test_a_scheduler_that_fires_nothing_is_an_alarm_too() -> None:
    now = NOON + 31 * SECOND
    seen(now)
    make_schedule(NOON)

    outage = alarms.look(now)

    assert outage is not None
    assert outage.reason == "A scheduler was there, but what was due was not fired."


def test_a_backlog_that_is_worked_off_is_no_alarm() -> None:
    now = NOON + 120 * SECOND
    seen(now)
    schedule = make_schedule(NOON)
    slot = Slot.objects.create(
        schedule=schedule, due_at=NOON - SECOND, outcome="missed", decided_at=now - 29 * SECOND
    )
    assert alarms.look(now) is None

    slot.decided_at = now - 30 * SECOND
    slot.save()
    assert alarms.look(now) is not None


def test_what_lasts_is_told_without_being_noted() -> None:
    assert lasting_outage(NOON) is None
    seen(NOON)
    assert lasting_outage(NOON + 30 * SECOND) is None

    found = lasting_outage(NOON + 31 * SECOND)

    assert found is not None
    assert not Outage.objects.exists()
    assert (found.began_at, found.reason) == (NOON, "No scheduler was seen.")
    noted = alarms.look(NOON + 31 * SECOND)
    Process.objects.update(seen_at=NOON + 40 * SECOND)
    # Until it is noted that it is over, it lasts.
    assert lasting_outage(NOON + 40 * SECOND) == noted


def test_administrators_are_told_once_however_many_look() -> None:
    administrator("ada", "ada@example.com")
    administrator("bob", "bob@example.com")
    administrator("gone", "gone@example.com", active=False)
    administrator("none", "")
    make_user(name="editor", role="Editor")
    seen(NOON)

    for seconds in (31, 36, 41, 300):
        alarms.look(NOON + seconds * SECOND)

    assert sorted(m.to[0] for m in mail.outbox) == ["ada@example.com", "bob@example.com"]
    assert mail.outbox[0].subject == "[Orchestrator] Nothing fires"
    assert "No schedule has fired since 2026-06-01 12:00:00 UTC" in mail.outbox[0].body
    assert "/status/" in mail.outbox[0].body
    assert Outage.objects.get().told_at == NOON + 31 * SECOND


def test_after_it_is_over_the_next_silence_is_told_again_but_not_within_ten_minutes() -> None:
    administrator("ada", "ada@example.com")
    seen(NOON)
    alarms.look(NOON + 31 * SECOND)
    Process.objects.update(seen_at=NOON + 60 * SECOND)
    end_silence(NOON + 60 * SECOND)

    alarms.look(NOON + 91 * SECOND)
    assert Outage.objects.filter(ended_at=None).count() == 1
    assert Outage.objects.count() == 2
    alarms.look(NOON + 630 * SECOND)
    assert len(mail.outbox) == 1

    alarms.look(NOON + 631 * SECOND)
    assert len(mail.outbox) == 2
    assert not Outage.objects.filter(told_at=None).exists()


def test_what_ended_before_anybody_could_tell_is_told_once_afterwards() -> None:
    administrator("ada", "ada@example.com")
    end = NOON + 120 * SECOND
    seen(end)
    Outage.objects.create(
        kind="silence",
        began_at=NOON,
        ended_at=end,
        reason="The database could not be reached.",
    )
    for seconds in (0, 5, 300):
        now = end + seconds * SECOND
        Process.objects.update(seen_at=now)
        assert alarms.look(now) is None

    [message] = mail.outbox
    assert message.subject == "[Orchestrator] Nothing fired for a while"
    assert "The database could not be reached. No schedule fired from 2026-06-01 12:00:00 to " in (
        message.body.replace("\n", " ")
    )


@pytest.mark.parametrize(
    ("reason", "minutes"), [("The scheduler was told to stop.", 1), ("No scheduler was seen.", 11)]
)
def test_a_stop_that_was_asked_for_and_what_is_long_over_are_not_told(
    reason: str, minutes: int
) -> None:
    administrator("ada", "ada@example.com")
    now = NOON + timedelta(minutes=minutes)
    seen(now)
    Outage.objects.create(kind="silence", began_at=NOON - SECOND, ended_at=NOON, reason=reason)
    alarms.look(now)

    assert mail.outbox == []


def test_a_message_of_a_clock_that_was_wrong_keeps_no_other_back() -> None:
    administrator("ada", "ada@example.com")
    seen(NOON)
    ahead = NOON + timedelta(hours=2)
    Outage.objects.create(
        kind="silence", began_at=ahead, ended_at=ahead, reason="Before.", told_at=ahead
    )
    alarms.look(NOON + 31 * SECOND)

    assert len(mail.outbox) == 1


def test_recipients_of_the_settings_come_in_place_of_the_administrators(
    settings: LazySettings,
) -> None:
    settings.ALARM_RECIPIENTS = ["ops@example.com", "not an address", "ops@example.com"]
    administrator("ada", "ada@example.com")
    seen(NOON)

    alarms.look(NOON + 31 * SECOND)

    assert [m.to for m in mail.outbox] == [["ops@example.com"]]


def test_what_did_not_arrive_is_tried_again_after_a_minute(
    settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALARM_RECIPIENTS = ["http://127.0.0.1:9/secret-path-of-the-hook"]
    seen(NOON)

    alarms.look(NOON + 31 * SECOND)
    alarms.look(NOON + 60 * SECOND)
    assert len(caplog.messages) == 1
    assert "secret-path" not in caplog.text
    alarms.look(NOON + 92 * SECOND)

    assert len(caplog.messages) == 2
    assert Outage.objects.get().told_at is None


def test_whom_it_did_not_reach_is_tried_again_and_the_others_are_not(
    settings: LazySettings,
) -> None:
    settings.ALARM_RECIPIENTS = ["http://127.0.0.1:9/hook", "ops@example.com"]
    seen(NOON)

    alarms.look(NOON + 31 * SECOND)
    alarms.look(NOON + 92 * SECOND)
    assert [m.to for m in mail.outbox] == [["ops@example.com"]]
    assert Outage.objects.get().told_at is None

    settings.ALARM_RECIPIENTS = ["ops@example.com"]
    alarms.look(NOON + 153 * SECOND)
    assert len(mail.outbox) == 1
    assert Outage.objects.get().told_at == NOON + 153 * SECOND


def test_a_watcher_shows_its_worker_and_lets_the_scheduler_begin_first() -> None:
    now = datetime.now(UTC)
    seen(now - timedelta(hours=8))
    watcher = Watcher(ProcessKind.CONTROL)

    watcher.look()
    assert Process.objects.get(kind="control").stopped_at is None
    assert not Outage.objects.exists()

    watcher.began_at = time.monotonic() - 31
    watcher.look()
    assert Outage.objects.get().ended_at is None


@pytest.mark.parametrize("kind", [ProcessKind.JOBS, ProcessKind.WEB])
def test_every_process_watches_and_waits_again_after_sleep(kind: ProcessKind) -> None:
    watcher = Watcher(kind)
    watcher.began_at = time.monotonic() - 3600
    with time_machine.travel(NOON, tick=False):
        seen(NOON)
        watcher.look()
    with time_machine.travel(NOON + timedelta(hours=8), tick=False):
        watcher.look()
        assert not Outage.objects.exists()

        watcher.began_at = time.monotonic() - 31
        watcher.look()
    assert Outage.objects.get().began_at == NOON


@pytest.mark.django_db(transaction=True)
def test_a_watcher_shows_its_process_until_it_is_told_to_end() -> None:
    watcher = Watcher(ProcessKind.WEB)
    watcher.start()
    eventually(lambda: Process.objects.filter(kind="web", stopped_at=None).exists())

    watcher.end()

    assert not watcher.is_alive()
    row = Process.objects.get(kind="web")
    assert row.stopped_at == row.seen_at
    assert abs(row.clock_off) < 1


@pytest.mark.parametrize(
    ("queues", "kind"),
    [
        ({"control"}, ProcessKind.CONTROL),
        ({"jobs"}, ProcessKind.JOBS),
        ({"jobs", "control"}, ProcessKind.CONTROL),
    ],
)
def test_a_worker_is_called_by_its_queues(queues: set[str], kind: ProcessKind) -> None:
    assert kind_of(queues) == kind


def test_one_seen_in_the_future_is_gone_half_a_minute_after_the_clock_was_set_back() -> None:
    seen(NOON + timedelta(hours=2))

    Presence(ProcessKind.CONTROL).show(NOON)

    assert silence(NOON + 30 * SECOND) is None
    assert silence(NOON + 31 * SECOND) == (NOON, "No scheduler was seen.")


def test_rows_of_processes_long_gone_are_swept_by_the_next_that_begins() -> None:
    for n, kind in enumerate(("jobs", "jobs", "scheduler")):
        at = NOON - timedelta(hours=25 + n)
        Process.objects.create(key=str(n), kind=kind, host="h", pid=n, started_at=at, seen_at=at)

    Presence(ProcessKind.CONTROL).show(NOON)

    # The last trace of each kind stays, so that a long outage goes on being told.
    kinds = sorted(Process.objects.values_list("kind", flat=True))
    assert kinds == ["control", "jobs", "scheduler"]
