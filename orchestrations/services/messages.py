"""What a notification says: one payload, written out for each channel.

The payload is made when the thing happens and kept with the delivery, so that a message that is
sent hours later still says what happened then. Errors in it were masked when they were stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from django.conf import settings
from django.template.loader import render_to_string

from orchestrations.enums import Channel, NotificationEvent, StartedBy, TaskStatus
from orchestrations.models import Orchestration, Outage, Run, TaskRun
from orchestrator_site.lib.durations import humanize

E = NotificationEvent
TASKS_TOLD = 10
TEXT_LENGTH = 500  # of a task's sentence
SUBJECT_LENGTH = 200
HAPPENED = {
    E.ERROR: "Error",
    E.WARNING: "Warning",
    E.SUCCESS: "Success",
    E.PROCESSING: "Processing longer than usual",
    E.WAITING: "Waiting for long",
    E.LATE: "Will be late",
}
TEST = "test"
OUTAGE = "outage"


class TaskTold(TypedDict):
    """A task that did not succeed; `job` is None where it had none."""

    key: str
    name: str
    status: str
    reason: str
    job: int | None
    url: str | None


class Payload(TypedDict):
    """What a webhook is sent, besides the delivery's id; times are ISO 8601 in UTC, or None.

    `run` is None for a test. `tasks` are those that failed, at most ten; `tasks_failed` counts all.
    """

    event: str
    title: str
    text: str
    orchestration: dict[str, Any]
    run: dict[str, Any] | None
    tasks: list[TaskTold]
    tasks_failed: int
    usual_seconds: float | None
    threshold: int | None


@dataclass(frozen=True)
class Mail:
    """An e-mail, ready to be sent."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Occasion:
    """What happened to a run and when it was noticed.

    `usual` is known for Processing and Late only, `ready_at` for Late: when it will have ended.
    """

    run: Run
    event: NotificationEvent
    now: datetime
    tasks: list[TaskRun]
    usual: timedelta | None = None
    ready_at: datetime | None = None


def payload_of(occasion: Occasion, *, threshold: int | None = None) -> Payload:
    """Return what is told of an occasion; `run.orchestration` should be loaded."""
    run, event = occasion.run, occasion.event
    told = [_task(task) for task in occasion.tasks[:TASKS_TOLD]]
    return {
        "event": str(event),
        "title": f"{_line(run.orchestration.name)}: {HAPPENED[event]}",
        "text": _text(occasion, threshold),
        "orchestration": _orchestration(run.orchestration),
        "run": _run(run, occasion.now),
        "tasks": told,
        "tasks_failed": len(occasion.tasks),
        "usual_seconds": None if occasion.usual is None else occasion.usual.total_seconds(),
        "threshold": threshold,
    }


def payload_of_test(orchestration: Orchestration, *, by: str) -> Payload:
    """Return what a test message says."""
    who = f" by {by}" if by else ""
    return {
        "event": TEST,
        "title": f"{_line(orchestration.name)}: Test",
        "text": f"This is a test{who}: notifications of this orchestration arrive here.",
        "orchestration": _orchestration(orchestration),
        "run": None,
        "tasks": [],
        "tasks_failed": 0,
        "usual_seconds": None,
        "threshold": None,
    }


def payload_of_outage(outage: Outage) -> Payload:
    """Return what administrators are told while nothing fires, or afterwards."""
    since = f"{outage.began_at:%Y-%m-%d %H:%M:%S}"
    title = "Nothing fires"
    text = f"""No schedule has fired since {since} UTC; what is due meanwhile is made up for as each
        schedule says, once a scheduler is back."""
    if outage.ended_at is not None:
        title = "Nothing fired for a while"
        text = f"""No schedule fired from {since} to {outage.ended_at:%Y-%m-%d %H:%M:%S} UTC; what
            was due meanwhile is made up for as each schedule says."""
    return {
        "event": OUTAGE,
        "title": title,
        "text": f"{outage.reason} {' '.join(text.split())}",
        "orchestration": {"id": None, "name": "Status", "url": f"{settings.BASE_URL}/status/"},
        "run": None,
        "tasks": [],
        "tasks_failed": 0,
        "usual_seconds": None,
        "threshold": None,
    }


def subject_of(payload: Payload) -> str:
    """Return a mail's subject, on one line."""
    return f"[Orchestrator] {payload['title']}"[:SUBJECT_LENGTH]


def write_mail(payload: Payload) -> Mail:
    """Write a payload out as an e-mail, plain and as HTML."""
    context = {
        "payload": payload,
        "link": link_of(payload),
        "facts": facts_of(payload),
        "more": payload["tasks_failed"] - len(payload["tasks"]),
        "base_url": settings.BASE_URL,
    }
    return Mail(
        subject_of(payload),
        render_to_string("orchestrations/notification_mail.txt", context).strip() + "\n",
        render_to_string("orchestrations/notification_mail.html", context),
    )


def write_json(payload: Payload, channel: Channel, *, delivery_id: int) -> Mapping[str, Any]:
    """Return the JSON that a webhook of a channel takes."""
    if channel == Channel.SLACK:
        return _slack(payload)
    if channel == Channel.TEAMS:
        return _teams(payload)
    return {"id": delivery_id, **payload}


def link_of(payload: Payload) -> str:
    """Return where the message leads: the run, or for others the page of what it is about."""
    about = payload["run"] or payload["orchestration"]
    return str(about["url"])


def facts_of(payload: Payload) -> list[tuple[str, str]]:
    """Return what stands in a message as a table: name and value."""
    run = payload["run"]
    if run is None:
        return []
    facts = [("Run", str(run["id"])), ("Started by", run["started_by_text"])]
    if run["started_at"]:
        facts.append(("Began", _moment(run["started_at"])))
    else:
        facts.append(("Waiting since", _moment(run["created_at"])))
    if run["ended_at"]:
        facts.append(("Ended", _moment(run["ended_at"])))
    if run["seconds"] is not None:
        facts.append(("Duration", humanize(run["seconds"])))
    if payload["usual_seconds"] is not None:
        facts.append(("Usually", humanize(payload["usual_seconds"])))
    return facts


def _text(occasion: Occasion, threshold: int | None) -> str:
    """Say what happened in a sentence."""
    run, now = occasion.run, occasion.now
    name, took = f"“{_line(run.orchestration.name)}”", humanize(_seconds(run, now) or 0)
    reason = f" {run.reason}" if run.reason else ""
    if occasion.event == E.ERROR:
        return f"{name} ended with an error after {took}.{reason}"
    if occasion.event == E.WARNING:
        return f"{name} ended with a warning after {took}.{reason}"
    if occasion.event == E.SUCCESS:
        return f"{name} succeeded after {took}."
    return f"{name} {_so_far(occasion, took, threshold)}"


def _so_far(occasion: Occasion, took: str, threshold: int | None) -> str:
    """Say of an unfinished run what is not as it should be."""
    if occasion.event == E.PROCESSING:
        usual = humanize((occasion.usual or timedelta()).total_seconds())
        return f"has been processing for {took}; usually it takes {usual}."
    if occasion.event == E.LATE:
        return _late(occasion)
    run = occasion.run
    waited = humanize((occasion.now - run.created_at).total_seconds())
    reason = f" {run.reason}" if run.reason else ""
    return f"has been waiting for {waited}, longer than {threshold} min.{reason}"


def _late(occasion: Occasion) -> str:
    due_at, ready_at = occasion.run.scheduled_for, occasion.ready_at
    if due_at is None or ready_at is None:
        return "will not be ready in time."
    late = humanize((ready_at - due_at).total_seconds())
    return (
        f"was to be ready by {due_at:%Y-%m-%d %H:%M} UTC and is expected at {ready_at:%H:%M} UTC, "
        f"{late} late."
    )


def _orchestration(orchestration: Orchestration) -> dict[str, Any]:
    return {
        "id": orchestration.pk,
        "name": orchestration.name,
        "url": settings.BASE_URL + orchestration.get_absolute_url(),
    }


def _run(run: Run, now: datetime) -> dict[str, Any]:
    return {
        "id": run.pk,
        "url": settings.BASE_URL + run.get_absolute_url(),
        "status": str(run.status),
        "reason": run.reason,
        "started_by": str(run.started_by),
        "started_by_text": _started_by(run),
        "created_at": _iso(run.created_at),
        "started_at": _iso(run.started_at),
        "ended_at": _iso(run.ended_at),
        "seconds": _seconds(run, now),
    }


def _started_by(run: Run) -> str:
    words: str = StartedBy(run.started_by).label
    return f"{words} ({run.created_by.get_username()})" if run.created_by else words


def _task(task: TaskRun) -> TaskTold:
    job = max((attempt.job_id for attempt in task.attempts.all()), default=None)
    path = f"/jobs/{job}/" if job else f"/runs/{task.child_id}/" if task.child_id else None
    return {
        "key": task.key,
        "name": task.name,
        "status": TaskStatus(task.status).label,
        "reason": _line(task.reason)[:TEXT_LENGTH],
        "job": job,
        "url": settings.BASE_URL + path if path else None,
    }


def _seconds(run: Run, now: datetime) -> float | None:
    if run.started_at is None:
        return None
    return round(((run.ended_at or now) - run.started_at).total_seconds(), 3)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def _line(text: str) -> str:
    """Return a text on one line: a subject holds no line ends."""
    return " ".join(text.split())


def _slack(payload: Payload) -> dict[str, Any]:
    """Write for a Slack incoming webhook: a text for the notice, blocks for the message."""
    lines = [f"*<{link_of(payload)}|{_for_slack(payload['title'])}>*", _for_slack(payload["text"])]
    blocks: list[dict[str, Any]] = [_section("\n".join(lines))]
    if facts := facts_of(payload):
        fields = [
            {"type": "mrkdwn", "text": f"*{name}*\n{_for_slack(value)}"} for name, value in facts
        ]
        blocks.append({"type": "section", "fields": fields})
    blocks += [
        _section(f"*{_for_slack(task['name'])}*: {_for_slack(task['reason'] or task['status'])}")
        for task in payload["tasks"]
    ]
    return {"text": _for_slack(payload["text"]), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:2900]}}


def _for_slack(text: str) -> str:
    """Escape what Slack reads as markup, as its manual says; names cannot become links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(payload: Payload) -> dict[str, Any]:
    """Write for a Teams webhook (Workflows): a message with one Adaptive Card."""
    body: list[dict[str, Any]] = [
        _text_block(payload["title"], size="Large", weight="Bolder"),
        _text_block(payload["text"]),
    ]
    if facts := facts_of(payload):
        pairs = [{"title": name, "value": _for_teams(value)} for name, value in facts]
        body.append({"type": "FactSet", "facts": pairs})
    for task in payload["tasks"]:
        body.append(_text_block(task["name"], weight="Bolder", spacing="Medium"))
        body.append(_text_block(task["reason"] or task["status"], spacing="None"))
    title = "Open the run" if payload["run"] else "Open the page"
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": link_of(payload)}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": kind, "contentUrl": None, "content": card}],
    }


def _text_block(text: str, **look: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": _for_teams(text), "wrap": True, **look}


def _for_teams(text: str) -> str:
    """Keep what a card would read as a link from becoming one."""
    return text.replace("[", "\\[").replace("]", "\\]")
