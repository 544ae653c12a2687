"""Triggers that wait for files: in a directory and in a bucket."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.conf import LazySettings
from django.urls import reverse
from moto.server import ThreadedMotoServer

from orchestrations.enums import RunStatus, TriggerKind
from orchestrations.exceptions import InvalidTrigger
from orchestrations.models import Run, Trigger, TriggerEvent
from orchestrations.scheduling.triggers import sweep
from orchestrations.services import arrivals, places, triggers
from orchestrations.services.arrivals import look_at, watch_files
from orchestrator_site.lib.patience import NoAnswer, ask
from tests.builders import make_empty_orchestration
from tests.pages import client_of, text_of
from tests.waiting import eventually

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LOOK = timedelta(seconds=10)


@pytest.fixture
def incoming(settings: LazySettings, tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    settings.WATCHED_PLACES = [str(folder)]
    return folder


def waiting(place: Path | str, pattern: str = "") -> Trigger:
    return triggers.create_trigger(
        make_empty_orchestration(),
        user=None,
        kind=TriggerKind.FILES,
        place=str(place),
        pattern=pattern,
        cooldown=1,
    )


def looks(n: int, begin: datetime = NOON) -> list[int]:
    """How many files arrive at each of some looks, ten seconds apart."""
    return [watch_files(begin + k * LOOK) for k in range(n)]


def test_a_new_file_starts_a_run_once_and_gives_it_its_place(incoming: Path) -> None:
    (incoming / "old.csv").write_text("x")
    trigger = waiting(incoming)
    assert looks(2) == [0, 0]
    (incoming / "new.csv").write_text("1,2,3")

    assert looks(4, NOON + 2 * LOOK) == [0, 1, 0, 0]
    [run_id] = sweep(NOON + 6 * LOOK)
    run = Run.objects.get(pk=run_id)
    assert run.variables == {"file": str(incoming / "new.csv"), "files": str(incoming / "new.csv")}
    assert run.updates[0]["words"] == "new.csv arrived, 5 B"
    assert sweep(NOON + timedelta(hours=1)) == []
    assert TriggerEvent.objects.get(trigger=trigger).run_id == run_id


def test_a_file_that_is_still_written_to_is_waited_for(incoming: Path) -> None:
    waiting(incoming)
    looks(1)
    for k in range(1, 4):
        (incoming / "big.csv").write_text("x" * k)
        assert watch_files(NOON + k * LOOK) == 0

    assert looks(2, NOON + 4 * LOOK) == [1, 0]


def test_a_file_that_is_written_anew_or_comes_back_counts_again(incoming: Path) -> None:
    waiting(incoming)
    looks(1)
    file = incoming / "daily.csv"
    file.write_text("monday")
    assert looks(2, NOON + LOOK) == [0, 1]
    file.write_text("tuesday")
    assert looks(2, NOON + 3 * LOOK) == [0, 1]
    file.unlink()
    assert looks(1, NOON + 5 * LOOK) == [0]
    file.write_text("wednesday")
    assert looks(2, NOON + 6 * LOOK) == [0, 1]


def test_what_was_away_for_a_while_and_comes_back_as_it_was_does_not_count(
    incoming: Path, tmp_path: Path
) -> None:
    """As a disk that is not mounted at one look: its folder is empty."""
    waiting(incoming)
    looks(1)
    (incoming / "a.csv").write_text("x")
    assert looks(2, NOON + LOOK) == [0, 1]
    (incoming / "b.csv").write_text("seen once, not complete yet")
    looks(1, NOON + 3 * LOOK)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in ("a.csv", "b.csv"):
        shutil.copy2(incoming / name, shelf / name)
        (incoming / name).unlink()
    looks(1, NOON + 4 * LOOK)
    for name in ("a.csv", "b.csv"):
        shutil.copy2(shelf / name, incoming / name)

    later = NOON + timedelta(days=2)
    assert looks(3, later) == [0, 1, 0]
    assert {e.details["words"].split()[0] for e in TriggerEvent.objects.all()} == {"a.csv", "b.csv"}


def test_what_is_gone_is_forgotten_after_a_week(incoming: Path) -> None:
    (incoming / "old.csv").write_text("x")
    trigger = waiting(incoming)
    looks(1)
    (incoming / "old.csv").unlink()
    looks(1, NOON + LOOK)
    looks(1, NOON + LOOK + timedelta(days=7))
    assert trigger.files.count() == 1
    looks(1, NOON + 2 * LOOK + timedelta(days=7))
    assert trigger.files.count() == 0


def test_one_trigger_that_fails_keeps_no_other_from_being_looked_at(
    incoming: Path, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.WATCHED_PLACES = [str(incoming), "s3://bucket"]
    settings.HOME = None  # there is no folder for what is kept of a bucket
    bad, good = waiting("s3://bucket"), waiting(incoming)
    looks(1)
    (incoming / "a.csv").write_text("x")

    assert looks(2, NOON + LOOK) == [0, 1]
    assert TriggerEvent.objects.get().trigger == good
    bad.refresh_from_db()
    said, reference = bad.problem.rstrip(".").rsplit(" ", 1)
    assert said == "Something went wrong on our side. Reference:"
    # Once, and not at each look.
    assert caplog.messages.count(f"Trigger {bad.pk}, error {reference}.") == 1
    assert len([m for m in caplog.messages if f"Trigger {bad.pk}," in m]) == 1


def test_hidden_files_are_not_complete_unless_they_are_asked_for(incoming: Path) -> None:
    waiting(incoming)
    waiting(incoming, ".*.csv")
    looks(1)
    (incoming / ".a.csv.Xy12Zq").write_text("x")
    (incoming / ".b.csv").write_text("x")

    assert looks(2, NOON + LOOK) == [0, 1]
    assert TriggerEvent.objects.get().details["words"].startswith(".b.csv")


def test_a_clock_that_was_set_back_keeps_no_file_waiting(incoming: Path) -> None:
    waiting(incoming)
    looks(1)
    (incoming / "a.csv").write_text("x")
    watch_files(NOON + timedelta(hours=1))

    assert looks(3, NOON + LOOK) == [0, 1, 0]


def test_what_came_to_another_place_starts_nothing(incoming: Path) -> None:
    for name in ("x", "y"):
        (incoming / name).mkdir()
    trigger = waiting(incoming / "x")
    looks(1)
    (incoming / "x" / "a.csv").write_text("x")
    assert looks(2, NOON + LOOK) == [0, 1]
    triggers.update_trigger(trigger, place=str(incoming / "y"))

    assert sweep(NOON + timedelta(hours=1)) == []


def test_names_that_do_not_fit_folders_and_links_do_not_count(incoming: Path) -> None:
    waiting(incoming, "*.csv")
    looks(1)
    (incoming / "notes.txt").write_text("x")
    (incoming / "folder.csv").mkdir()
    (incoming / "link.csv").symlink_to("/etc/passwd")
    (incoming / "good.csv").write_text("x")

    assert sum(looks(3, NOON + LOOK)) == 1
    assert "good.csv" in TriggerEvent.objects.get().details["words"]


def test_another_place_or_pattern_begins_anew(incoming: Path) -> None:
    (incoming / "old.txt").write_text("x")
    trigger = waiting(incoming, "*.csv")
    looks(2)
    triggers.update_trigger(trigger, pattern="*.txt")

    assert looks(3, NOON + 2 * LOOK) == [0, 0, 0]


@pytest.mark.parametrize(
    "place",
    ["", "/etc", "relative", "{}/../outside", "{}-beside", "s3://bucket/x", "{}/\0", "{}/a\nb"],
)
def test_only_places_below_the_roots_may_be_watched(incoming: Path, place: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        waiting(place.format(incoming))

    assert set(caught.value.fields) == {"place"}
    assert str(incoming) in caught.value.fields["place"]


def test_a_link_that_leads_out_of_the_roots_later_is_not_followed(
    incoming: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.csv").write_text("x")
    (incoming / "sub").mkdir()
    trigger = waiting(incoming / "sub")
    (incoming / "sub").rmdir()
    (incoming / "sub").symlink_to(tmp_path / "secret")

    assert looks(3) == [0, 0, 0]
    trigger.refresh_from_db()
    assert trigger.problem.startswith("Use a place at or below")


def test_a_place_that_is_gone_is_said_and_looked_at_again(incoming: Path) -> None:
    trigger = waiting(incoming / "later")
    assert looks(1) == [0]
    trigger.refresh_from_db()
    assert trigger.problem == "This directory does not exist."

    (incoming / "later").mkdir()
    assert looks(1, NOON + LOOK) == [0]
    (incoming / "later" / "first.csv").write_text("x")
    assert looks(2, NOON + 2 * LOOK) == [0, 1]
    trigger.refresh_from_db()
    assert trigger.problem == ""


def test_a_file_that_comes_with_its_folder_counts(incoming: Path) -> None:
    waiting(incoming / "later")
    looks(1)
    (incoming / "later").mkdir()
    (incoming / "later" / "first.csv").write_text("x")

    assert looks(3, NOON + LOOK) == [0, 1, 0]


def test_a_file_that_comes_before_the_first_look_counts(incoming: Path, tmp_path: Path) -> None:
    """Also one that was written long ago and is moved there now."""
    (incoming / "old.csv").write_text("x")
    (tmp_path / "moved.csv").write_text("x")
    os.utime(tmp_path / "moved.csv", (100, 100))
    eventually(lambda: time.time() > (incoming / "old.csv").stat().st_ctime)
    waiting(incoming)
    (incoming / "new.csv").write_text("x")
    (tmp_path / "moved.csv").rename(incoming / "moved.csv")

    assert looks(3) == [0, 2, 0]
    assert {e.details["words"].split()[0] for e in TriggerEvent.objects.all()} == {
        "new.csv",
        "moved.csv",
    }


def test_names_of_any_language_count_and_those_that_no_run_can_be_given_are_said(
    incoming: Path,
) -> None:
    """As macOS writes them: “9.41 AM” with a narrow no-break space."""
    trigger = waiting(incoming, "*.csv")
    looks(1)
    good = {"a\u00a0b.csv", "Bericht 9.41\u202fAM.csv", "čísla.csv", "数.csv"}
    for name in good | {"a\nb.csv", "a\x07.csv", "skip\n.txt"}:
        (incoming / name).write_text("x")
    (Path(os.fsdecode(os.fsencode(incoming) + b"/\xff.csv"))).write_text("x")

    assert sum(looks(3, NOON + LOOK)) == 4
    found = {event.details["file"].rpartition("/")[2] for event in TriggerEvent.objects.all()}
    assert found == good
    trigger.refresh_from_db()
    assert trigger.problem.startswith("Left out: “")
    assert trigger.problem.endswith("” and 2 more; no run can be given such a name.")


def test_too_many_files_are_said(incoming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MOST_FILES", 2)
    trigger = waiting(incoming)
    for n in range(3):
        (incoming / f"{n}.csv").write_text("x")
    looks(1)

    trigger.refresh_from_db()
    assert trigger.problem == "More than 2 files fit; move old ones away."


def test_a_folder_that_is_too_full_is_said(incoming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MOST_NAMES", 2)
    trigger = waiting(incoming, "*.csv")
    for n in range(3):
        (incoming / f"{n}.txt").write_text("x")
    looks(1)

    trigger.refresh_from_db()
    assert trigger.problem == "More than 2 are there; move old ones away."


def test_two_workers_that_look_at_once_tell_of_a_file_once(incoming: Path) -> None:
    """What the second one read is forgotten where the first has written what it saw."""
    waiting(incoming)
    looks(1)
    (incoming / "a.csv").write_text("x")
    looks(1, NOON + LOOK)
    second = Trigger.objects.get()
    assert looks(1, NOON + 2 * LOOK) == [1]
    (incoming / "a.csv").write_text("other")

    assert look_at(second, NOON + 3 * LOOK) == 0
    assert looks(2, NOON + 4 * LOOK) == [0, 1]


def test_a_file_that_becomes_what_it_was_counts_again(incoming: Path) -> None:
    """As one that is put back from a shelf, with the time that it had."""
    waiting(incoming)
    looks(1)
    file = incoming / "a.csv"
    arrived = []
    for k, (text, at) in enumerate([("x", 100), ("other", 200), ("x", 100)]):
        file.write_text(text)
        os.utime(file, (at, at))
        arrived += looks(2, NOON + (1 + 2 * k) * LOOK)

    assert arrived == [0, 1, 0, 1, 0, 1]


def test_a_look_that_takes_long_makes_nothing_complete(incoming: Path) -> None:
    """The file may have been read at its beginning or at its end."""
    trigger = waiting(incoming)
    look_at(trigger, NOON)
    (incoming / "a.csv").write_text("x")
    trigger.refresh_from_db()
    begun, ended = NOON + LOOK, NOON + 3 * LOOK
    assert arrivals._note(trigger, places.look(str(incoming), ""), begun, ended) == 0  # noqa: SLF001
    assert looks(2, ended + timedelta(seconds=4)) == [0, 1]


def test_many_files_at_once_start_runs_that_know_all_of_them(
    incoming: Path, django_assert_max_num_queries: Any
) -> None:
    trigger = waiting(incoming)
    looks(1)
    for n in range(1500):
        (incoming / f"{n:04}.csv").write_text("x")
    looks(1, NOON + LOOK)
    with django_assert_max_num_queries(40):
        assert looks(1, NOON + 2 * LOOK) == [1500]

    runs, now = [], NOON + 3 * LOOK
    while made := sweep(now):
        runs += made
        Run.objects.filter(pk__in=made).update(status=RunStatus.SUCCESS)
        now += timedelta(minutes=1)
    found = [Run.objects.get(pk=pk).variables["files"].splitlines() for pk in runs]
    everything = [str(incoming / f"{n:04}.csv") for n in range(1500)]
    assert sorted(chain.from_iterable(found)) == everything
    assert all(len("\n".join(each)) <= 10_000 for each in found)
    assert Run.objects.get(pk=runs[0]).variables["file"] == found[0][-1]
    first = Run.objects.get(pk=runs[0])
    assert f"{1500 - len(found[0]):,} more came and start the next run." in (
        first.events.get().reason
    )
    assert len(first.updates) == len(found[0])
    assert not trigger.arrivals.filter(used_at=None).exists()


def test_a_place_that_hangs_keeps_no_other_from_being_looked_at(
    incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "PATIENCE", 0.05)
    (incoming / "away").mkdir()
    hung, good = waiting(incoming / "away"), waiting(incoming)
    is_back = threading.Event()
    with pytest.raises(NoAnswer):
        ask(f"place {incoming / 'away'} ", is_back.wait, seconds=0)
    looks(1)
    (incoming / "a.csv").write_text("x")

    assert looks(2, NOON + LOOK) == [0, 1]
    assert TriggerEvent.objects.get().trigger == good
    hung.refresh_from_db()
    assert hung.problem == "This place does not answer within 0 seconds."
    is_back.set()


def test_a_removed_trigger_keeps_nothing_of_its_place(incoming: Path) -> None:
    trigger = waiting(incoming)
    looks(1)
    (incoming / "a.csv").write_text("x")
    looks(2, NOON + LOOK)
    triggers.delete_trigger(trigger)

    assert not trigger.files.exists()
    assert not trigger.arrivals.exists()


@pytest.fixture
def bucket(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    settings.WATCHED_PLACES = ["s3://arrivals/in"]
    places._store.cache_clear()  # noqa: SLF001  # made for another server
    client = boto3.client("s3")
    client.create_bucket(Bucket="arrivals")
    yield client
    places._store.cache_clear()  # noqa: SLF001
    server.stop()


def test_an_object_that_arrives_in_a_bucket_counts_once(bucket: Any) -> None:
    bucket.put_object(Bucket="arrivals", Key="in/shop/old.csv", Body=b"x")
    waiting("s3://arrivals/in/shop", "*.csv")
    looks(1)
    bucket.put_object(Bucket="arrivals", Key="in/shop/new.csv", Body=b"12345")
    bucket.put_object(Bucket="arrivals", Key="in/shop/deeper/not.csv", Body=b"x")
    bucket.put_object(Bucket="arrivals", Key="in/shop/note.txt", Body=b"x")

    assert looks(3, NOON + LOOK) == [0, 1, 0]
    assert TriggerEvent.objects.get().details["file"] == "s3://arrivals/in/shop/new.csv"


def test_a_bucket_is_listed_at_the_place_and_not_below(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_NAMES", 1)
    for n in range(5):
        bucket.put_object(Bucket="arrivals", Key=f"in/deeper/{n}.csv", Body=b"x")
    bucket.put_object(Bucket="arrivals", Key="in/a.csv", Body=b"x")

    assert [each.name for each in places.look("s3://arrivals/in", "")] == ["a.csv"]


@pytest.mark.parametrize("prefix", ["in/a#b", "in/a?b", "in/a b", "in/é"])
def test_a_prefix_may_hold_any_character(bucket: Any, prefix: str) -> None:
    bucket.put_object(Bucket="arrivals", Key=f"{prefix}/x.csv", Body=b"x")

    assert [f.where for f in places.look(f"s3://arrivals/{prefix}", "")] == [
        f"s3://arrivals/{prefix}/x.csv"
    ]


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_gone_is_said(settings: LazySettings) -> None:
    settings.WATCHED_PLACES = ["s3://gone"]
    trigger = waiting("s3://gone/in")
    looks(1)

    trigger.refresh_from_db()
    assert trigger.problem == "This bucket does not exist."


@pytest.mark.usefixtures("bucket")
def test_what_a_bucket_answers_is_said_without_what_only_the_log_may_hold(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WATCHED_PLACES = ["s3://arrivals"]
    trigger = waiting("s3://arrivals/in")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    places._store.cache_clear()  # noqa: SLF001  # made for another server
    looks(1)

    trigger.refresh_from_db()
    assert trigger.problem == "The store of this bucket cannot be reached."


@pytest.mark.usefixtures("bucket")
def test_a_bucket_beside_the_root_may_not_be_watched() -> None:
    for place in ("s3://arrivals", "s3://arrivals/input", "s3://other/in", "/tmp"):
        with pytest.raises(InvalidTrigger):
            waiting(place)


def test_the_dialog_sets_one_up_and_shows_it(incoming: Path) -> None:
    editor = client_of("Editor", "ada")
    orchestration = make_empty_orchestration()
    url = reverse("trigger-source-new", args=[orchestration.pk, "files"])
    assert str(incoming) in editor.get(url).content.decode()
    wrong = editor.post(url, {"place": "/etc", "pattern": "a/b", "cooldown": "2"})
    assert wrong.status_code == 422
    assert 'value="/etc"' in wrong.content.decode()
    assert "no slash" in text_of(wrong)
    right = {"place": str(incoming), "pattern": "*.csv", "cooldown": "2", "enabled": "on"}
    assert editor.post(url, right).status_code == 302

    trigger = Trigger.objects.get()
    assert (trigger.kind, trigger.place, trigger.pattern) == ("files", str(incoming), "*.csv")
    looks(1)
    (incoming / "<b>.csv").write_text("x")
    looks(2, NOON + LOOK)
    shown = editor.get(reverse("schedule-list", args=[orchestration.pk]))
    assert "&lt;b&gt;.csv arrived, 1 B" in shown.content.decode()
    edited = editor.get(reverse("trigger-edit", args=[trigger.pk])).content.decode()
    assert 'value="*.csv"' in edited


def test_by_api(incoming: Path) -> None:
    editor = client_of("Editor")
    orchestration = make_empty_orchestration()
    body = {"kind": "files", "place": str(incoming), "pattern": "*.csv"}
    url = f"/api/v1/orchestrations/{orchestration.pk}/triggers"
    made = editor.post(url, body, content_type="application/json").json()

    assert (made["kind"], made["place"], made["pattern"]) == ("files", str(incoming), "*.csv")
    refused = editor.post(url, {**body, "place": "/"}, content_type="application/json")
    assert refused.status_code == 422
    assert set(refused.json()["error"]["fields"]) == {"place"}
