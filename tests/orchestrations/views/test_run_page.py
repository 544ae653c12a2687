from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from components.enums import JobStatus
from components.models import JobLog
from components.services.job_transitions import claim
from orchestrations.enums import RunStatus, StartedBy, TriggerKind
from orchestrations.models import Orchestration, Run
from orchestrations.queries.run_log import log_after, log_tail
from orchestrations.services.orchestrations import save_orchestration
from orchestrations.services.schedules import create_schedule
from orchestrations.services.triggers import create_trigger, run_now
from tests.builders import (
    make_configuration,
    make_orchestration,
    make_run,
    make_trigger,
    make_user,
    update_table,
)
from tests.control import Control
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def make(*names: str) -> Orchestration:
    """One phase for each name, with one task of that name."""
    return make_orchestration([[make_configuration("ex-http", name=name)] for name in names])


def test_the_page_follows_a_run_to_its_end(viewer: Client, control: Control) -> None:
    orchestration = make("First", "Second")
    run = make_run(orchestration)
    assert "Not begun yet" in text_of(viewer.get(run.get_absolute_url()))
    control.advance(run)
    html = viewer.get(run.get_absolute_url()).content.decode()
    job = control.job(run, "t1")
    assert f'href="{job.get_absolute_url()}"' in html
    assert re.findall(r"status-badge status-(\w+)", html) == ["processing", "waiting", "created"]
    assert html.count('hx-trigger="every 2s"') == 1
    control.end(run, "t1")
    control.end(run, "t2")
    ended = viewer.get(run.get_absolute_url()).content.decode()
    assert re.findall(r"status-badge status-(\w+)", ended) == ["success"] * 3
    assert 'hx-trigger="every' not in ended


def test_a_poll_gets_the_parts_that_changed_or_nothing(viewer: Client, control: Control) -> None:
    run = make_run(make("a"))
    control.advance(run)
    page = viewer.get(run.get_absolute_url()).content.decode()
    seen = {**HTMX, "X-Mark": re.findall(r"\"X-Mark\": \"(\w+)\"", page)[0]}
    assert viewer.get(run.get_absolute_url(), headers=seen).status_code == 204
    control.end(run, "t1")
    part = viewer.get(run.get_absolute_url(), headers=seen).content.decode()
    assert "<html" not in part
    parts = ["run-live", "run-stats", "run-history", "run-actions", "run-about"]
    found = re.findall(r'<\w+ id="(run-[a-z]+)"', part)
    assert [name for name in found if name != "run-again"] == parts
    assert part.count("hx-swap-oob") == 4


def test_the_page_says_which_task_failed_and_why(viewer: Client, control: Control) -> None:
    run = make_run(make("Get orders", "Later"))
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR, "The server answered 500.")
    text = text_of(viewer.get(run.get_absolute_url()))
    job = control.job(run, "t1")
    assert f"Get orders : The server answered 500. Job {job.pk}" in text
    assert "Skipped" in text
    log = text_of(viewer.get(run.get_absolute_url(), {"tab": "log"}))
    assert "error Get orders Error: The server answered 500." in log


def test_the_page_tells_what_started_the_run(viewer: Client) -> None:
    orchestration = make("a")
    schedule = create_schedule(
        orchestration, cron="0 9 * * *", timezone="Europe/Prague", user=None, name="Mornings"
    )
    due = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    scheduled = make_run(
        orchestration, started_by=StartedBy.SCHEDULE, schedule=schedule, scheduled_for=due
    )
    text = text_of(viewer.get(scheduled.get_absolute_url()))
    assert "Mornings 2026-11-20 09:00 Europe/Prague" in text
    user = make_user(name="grace")
    by_api = make_run(orchestration, started_by=StartedBy.API, created_by=user, token_name="ci")
    assert "grace API token “ci”" in text_of(viewer.get(by_api.get_absolute_url()))
    Run.objects.filter(pk=by_api.pk).update(status=RunStatus.ERROR)
    retry = make_run(orchestration, started_by=StartedBy.RETRY, retry_of=by_api)
    assert f"retry of {by_api.pk}" in text_of(viewer.get(retry.get_absolute_url()))


def test_the_page_names_the_first_files_that_started_the_run_and_holds_the_others(
    viewer: Client, settings: LazySettings
) -> None:
    settings.WATCHED_PLACES = ["/data"]
    orchestration = make("a")
    trigger = create_trigger(orchestration, user=None, kind=TriggerKind.FILES, place="/data/in")
    updates = [
        {"kind": "file", "words": f"{n}.csv arrived, 5 B", "at": "2026-11-20T08:00:00+00:00"}
        for n in range(23)
    ]
    run = make_run(orchestration, started_by=StartedBy.TRIGGER, trigger=trigger, updates=updates)
    text = text_of(viewer.get(run.get_absolute_url()))
    assert "* in /data/in 0.csv arrived, 5 B 1.csv arrived, 5 B and 21 more" in text
    assert "13 more 10.csv arrived, 5 B" in text
    assert "* in /data/in" in text_of(viewer.get(reverse("runs")))


def test_a_run_by_hand_of_what_was_there_names_it_too(viewer: Client) -> None:
    trigger = make_trigger("in.c-shop.orders", "in.c-shop.items", orchestration=make("a"))
    update_table("in.c-shop.orders")
    run = run_now(trigger, user=make_user(name="grace"))
    text = text_of(viewer.get(run.get_absolute_url()))
    assert "Trigger in.c-shop.items, in.c-shop.orders" in text
    assert "Updates that started it in.c-shop.orders version 1" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RunStatus.TERMINATING, "Termination was asked for by grace"),
        (RunStatus.TERMINATED, "Terminated by grace"),
        (RunStatus.CANCELLED, "Cancelled by grace"),
        (RunStatus.ERROR, "Termination was asked for by grace"),
    ],
)
def test_the_page_tells_who_stopped_the_run(viewer: Client, status: RunStatus, words: str) -> None:
    run = make_run(
        make("a"), status=status, terminate_at=timezone.now(), terminated_by=make_user(name="grace")
    )
    assert words in text_of(viewer.get(run.get_absolute_url()))


def test_a_nested_run_leads_to_its_parent(viewer: Client, control: Control) -> None:
    child = make("a")
    parent = make_run(make_orchestration([[child]], name="Above"))
    control.advance(parent)
    nested = Run.objects.get(orchestration=child)
    html = viewer.get(nested.get_absolute_url()).content.decode()
    assert f'href="{parent.get_absolute_url()}">Above, run {parent.pk}' in html
    above = viewer.get(parent.get_absolute_url()).content.decode()
    assert f'href="{nested.get_absolute_url()}"' in above


def test_a_run_asks_as_many_questions_for_one_task_as_for_forty(
    viewer: Client, control: Control
) -> None:
    counts = []
    for number in (1, 40):
        run = make_run(make_orchestration([[make_configuration("ex-http") for _ in range(number)]]))
        control.advance(run)
        viewer.get(run.get_absolute_url())
        with CaptureQueriesContext(connection) as asked:
            viewer.get(run.get_absolute_url())
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_terminate_is_offered_only_where_it_can_be_done(
    operator: Client, viewer: Client, control: Control
) -> None:
    run = make_run(make("a"))
    control.advance(run)
    link = f'href="{reverse("run-terminate", args=[run.pk])}"'
    assert link in operator.get(run.get_absolute_url()).content.decode()
    assert link not in viewer.get(run.get_absolute_url()).content.decode()
    control.end(run, "t1")
    assert link not in operator.get(run.get_absolute_url()).content.decode()


def test_the_log_shows_events_with_the_lines_of_all_jobs(viewer: Client, control: Control) -> None:
    run = make_run(make("a", "b"))
    control.advance(run)
    job = control.job(run, "t1")
    JobLog.objects.create(job=job, seq=1, at=run.created_at, level="info", message="<Fetched>")
    control.end(run, "t1")
    control.end(run, "t2")
    page = viewer.get(run.get_absolute_url(), {"tab": "log"})
    html = page.content.decode()
    assert f'href="{job.get_absolute_url()}" title="a">a</a>' in html
    assert "&lt;Fetched&gt;" in html
    assert re.findall(r'class="log-text[^>]*>([^<]+)<', html)[:2] == [
        "&lt;Fetched&gt;",
        "Processing",
    ]
    assert "every 2s" not in html
    assert re.findall(r'<option value="\d+">(\w+)</option>', html) == ["a", "b"]


def test_the_log_is_filtered_and_the_address_says_so(viewer: Client, control: Control) -> None:
    run = make_run(make("a", "b"))
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR, "Oh.")
    path = reverse("run-log", args=[run.pk])
    task = control.task(run, "t1").pk
    asked: dict[str, str | int] = {"level": "error", "task": task, "q": ""}
    answer = viewer.get(path, asked, headers=HTMX)
    assert re.findall(r'log-event">([^<]+)<', answer.content.decode()) == ["Error: Oh."]
    page = f"{run.get_absolute_url()}?tab=log&level=error&task={task}"
    assert answer["HX-Push-Url"] == page
    assert viewer.get(path, asked)["Location"] == page
    shown = viewer.get(page).content.decode()
    assert re.findall(r'log-event">([^<]+)<', shown) == ["Error: Oh."]
    assert '<option value="error" selected>' in shown
    nothing = viewer.get(path, {"q": "nowhere"}, headers=HTMX)
    assert "No line fits." in text_of(nothing)


def test_the_log_goes_on_both_ways(
    viewer: Client, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "__kwdefaults__", {"before": None, "limit": 3})
    monkeypatch.setattr(log_after, "__kwdefaults__", {"after": None, "limit": 2})
    run = make_run(make("a"))
    control.advance(run)
    control.end(run, "t1")
    page = viewer.get(run.get_absolute_url(), {"tab": "log"}).content.decode()

    def events(html: str) -> list[str]:
        return re.findall(r'log-event">([^<]+)<', html)

    assert events(page) == ["Processing", "Success", "Success"]
    (earlier,) = re.findall(r'hx-get="(/runs/\d+/log/\?[^"]*before=[^"]+)"', page)
    before = viewer.get(earlier.replace("&amp;", "&"), headers=HTMX).content.decode()
    assert events(before) == ["Processing", "Waiting"]
    assert "hx-get" not in before
    first = viewer.get(reverse("run-log", args=[run.pk]), {"after": ""}, headers=HTMX)
    assert events(first.content.decode()) == ["Processing", "Waiting"]
    (later,) = re.findall(r'hx-get="([^"]*after=[^"]+)" hx-trigger="load"', first.content.decode())
    second = viewer.get(later.replace("&amp;", "&"), headers=HTMX).content.decode()
    assert events(second) == ["Processing", "Success"]


def test_the_log_is_handed_out_as_a_file(viewer: Client, control: Control) -> None:
    run = make_run(make("a"))
    control.advance(run)
    control.end(run, "t1")
    answer = viewer.get(reverse("run-log-download", args=[run.pk]))
    assert answer["Content-Disposition"] == f'attachment; filename="run-{run.pk}.log"'
    lines = answer.getvalue().decode().splitlines()
    assert [line.split("\t")[1:] for line in lines] == [
        ["info", "-", "Processing"],
        ["info", "a", "Waiting"],
        ["info", "a", "Processing"],
        ["info", "a", "Success"],
        ["info", "-", "Success"],
    ]


def test_the_gantt_chart_is_drawn_with_a_table_beside(viewer: Client, control: Control) -> None:
    run = make_run(make("First", "Second"))
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR, "Oh.")
    html = viewer.get(run.get_absolute_url(), {"tab": "gantt"}).content.decode()
    assert re.findall(r'<rect class="gantt-attempt (status-\w+)" x="[\d.]+%"', html) == [
        "status-error"
    ]
    assert "style=" not in html
    text = text_of(viewer.get(run.get_absolute_url(), {"tab": "gantt"}))
    assert "First critical path Phase 1 Error" in text
    assert "Second Phase 2 Skipped" in text


def test_attempts_are_shown_side_by_side(viewer: Client, control: Control) -> None:
    target: Any = {"configuration": make_configuration(name="Shaky").pk}
    run = make_run(make_orchestration([[target | {"retries": 2, "retry_delay": 0}]]))
    control.advance(run)
    for number, text in enumerate(("Slow", "Slower", "Fine")):
        job = control.job(run, "t1")
        JobLog.objects.create(job=job, seq=1, at=run.created_at, level="info", message=text)
        control.end(run, "t1", JobStatus.SUCCESS if number == 2 else JobStatus.ERROR, f"{text}!")
        control.advance(run)
    task = control.task(run, "t1")
    path = reverse("task-attempts", args=[run.pk, task.pk])
    assert f'href="{path}"' in viewer.get(run.get_absolute_url()).content.decode()
    html = viewer.get(path).content.decode()
    assert re.findall(r"status-badge status-(\w+)", html) == ["error", "error", "success"]
    assert "Slow!" in html
    compared = r'<td class="log-info">(\w+)</td><td class="log-info">(\w+)</td>'
    assert re.findall(compared, html) == [("Slower", "Fine")]
    other = viewer.get(path, {"left": 1, "right": 2}, headers=HTMX).content.decode()
    assert re.findall(compared, other) == [("Slow", "Slower")]
    assert "<html" not in other
    wrong = viewer.get(path, {"left": 1, "right": 9}).content.decode()
    assert re.findall(compared, wrong) == [("Slower", "Fine")]


def test_a_task_that_was_not_tried_has_no_attempts(viewer: Client, control: Control) -> None:
    run = make_run(make("a", "b"))
    control.advance(run)
    path = reverse("task-attempts", args=[run.pk, control.task(run, "t2").pk])
    assert "Nothing was tried yet." in text_of(viewer.get(path))


def test_progress_and_what_is_left_are_told(viewer: Client, control: Control) -> None:
    orchestration = make("a", "b")
    first = make_run(orchestration)
    control.advance(first)
    text = text_of(viewer.get(first.get_absolute_url()))
    assert "0 of 2 tasks ended No history yet" in text
    control.end(first, "t1")
    control.end(first, "t2")
    assert "tasks ended" not in text_of(viewer.get(first.get_absolute_url()))
    Run.objects.update(
        ended_at=first.created_at + timedelta(seconds=90), started_at=first.created_at
    )
    second = make_run(orchestration)
    control.advance(second)
    control.end(second, "t1")
    text = text_of(viewer.get(second.get_absolute_url()))
    assert "1 of 2 tasks ended Usually 1 min 30 sec;" in text


def test_variables_updates_and_retries_are_told(viewer: Client, control: Control) -> None:
    orchestration = make("a")
    save_orchestration(
        orchestration, user=None, expected_version=1, variables={"city": "Brno", "day": "today"}
    )
    updates = [{"table": "in.c-shop.orders", "version": 3, "at": "2026-11-25T12:00:00+00:00"}]
    run = make_run(
        orchestration, started_by=StartedBy.TRIGGER, updates=updates, variables={"city": "Oslo"}
    )
    Run.objects.update(status=RunStatus.ERROR)
    again = make_run(orchestration, started_by=StartedBy.RETRY, retry_of=run)
    text = text_of(viewer.get(run.get_absolute_url()))
    assert f"Retried by Run {again.pk} Created" in text
    assert "in.c-shop.orders version 3" in text
    assert "city Oslo of this run day today" in text
    assert f"Retry of Run {run.pk}" in text_of(viewer.get(again.get_absolute_url()))


def test_a_result_that_was_taken_over_leads_to_its_run(viewer: Client, control: Control) -> None:
    run = make_run(make("a", "b"))
    control.advance(run)
    control.end(run, "t1")
    control.end(run, "t2", JobStatus.ERROR)
    again = make_run(run.orchestration, retry_of=run, selected=["t2"], started_by=StartedBy.RETRY)
    control.advance(again)
    html = viewer.get(again.get_absolute_url()).content.decode()
    assert f'Result taken over from <a href="{run.get_absolute_url()}">run {run.pk}</a>' in html


def test_a_waiting_task_tells_its_place_in_line(viewer: Client, control: Control) -> None:
    [target] = [make_configuration("ex-http", name="Busy")]
    runs = [make_run(make_orchestration([[target]])) for _ in range(2)]
    for run in runs:
        control.advance(run)
    assert claim(control.job(runs[0], "t1").pk, worker="test") is not None
    text = text_of(viewer.get(runs[1].get_absolute_url()))
    assert f"1st in line behind job {control.job(runs[0], 't1').pk}" in text


def test_the_parts_of_a_large_run_are_loaded_on_demand(viewer: Client, control: Control) -> None:
    many = [make_configuration("ex-http") for _ in range(45)]
    run = make_run(make_orchestration([many]))
    control.advance(run)
    html = viewer.get(run.get_absolute_url()).content.decode()
    assert html.count('class="task-row run-task"') == 40
    more = f"{run.get_absolute_url()}?tab=tasks&amp;all=1"
    assert f'hx-get="{more}"' in html
    part = viewer.get(more.replace("&amp;", "&"), headers=HTMX).content.decode()
    assert part.count('class="task-row run-task"') == 45
    assert f'hx-get="{more}" hx-trigger="every 2s"' in part
