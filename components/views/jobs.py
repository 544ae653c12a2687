"""The page of one job with its log, and Terminate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import push_url

from components.enums import JobStatus, LogLevel
from components.exceptions import NotAllowed
from components.models import Job
from components.queries.job_details import (
    AT_LEAST,
    LEVELS,
    LogTail,
    log_tail,
    log_text,
    parameters_of,
    present_tables,
)
from components.queries.jobs import (
    job_detail,
    log_lines,
)
from components.queries.waiting import job_places
from components.services.jobs import terminate_job
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import OPERATE, VIEW, requires
from orchestrator_site.lib.live import mark, number, unchanged
from orchestrator_site.lib.secrets import hide_tree

TERMINATE = ("components/job_terminate.html", "components/_job_terminate.html")


def find(pk: int) -> Job:
    """Return a job with what its page shows; 404 otherwise."""
    try:
        return job_detail(pk)
    except Job.DoesNotExist:
        raise Http404 from None


@dataclass(frozen=True)
class LogAsked:
    """Which lines of a log somebody wants to see."""

    level: str
    words: str

    @classmethod
    def of(cls, request: HttpRequest) -> LogAsked:
        """Read the address; what makes no sense there is left out."""
        level = request.GET.get("level", "")
        return cls(level if level in AT_LEAST else "", request.GET.get("q", "").strip())

    @property
    def levels(self) -> list[str]:
        """Return the levels that are wanted; none means all."""
        return list(AT_LEAST[LogLevel(self.level)]) if self.level else []

    @property
    def query(self) -> str:
        """Return what an address says to ask for the same again."""
        return urlencode({"level": self.level, "q": self.words})


def _tail(job: Job, asked: LogAsked, before: int | None = None) -> dict[str, Any]:
    found: LogTail = log_tail(job, before=before, levels=asked.levels, text=asked.words)
    return {
        "lines": found.lines,
        "before": found.before,
        "last": found.last,
        "asked": asked,
        "is_filtered": bool(asked.level or asked.words),
    }


@requires(VIEW)
@require_GET
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one job; while it is unfinished the page asks again and again."""
    found = find(pk)
    place = job_places([found]).get(pk)
    now = mark(found.status, place, found.terminate_at, found.events.count())
    if same := unchanged(request, now):
        return same
    context: dict[str, Any] = {
        "job": found,
        "place": place,
        "parameters": hide_tree(parameters_of(found)),
        "own_parameters": hide_tree(found.parameters),
        "present": present_tables(found),
        "mark": now,
        "nav": "jobs",
    }
    if not htmx.wants_fragment(request):
        before = number(request.GET.get("before"))
        context |= {"levels": LEVELS, **_tail(found, LogAsked.of(request), before)}
    return htmx.render_page_or_fragment(
        request, "components/job_page.html", "components/_job_live.html", context
    )


@requires(VIEW)
@require_GET
def job_log(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the end of the log by filter, or with `before` or `after` only more lines of it."""
    found = get_object_or_404(Job, pk=pk)  # before the lines: one that ended has all of them
    asked = LogAsked.of(request)
    before, after = number(request.GET.get("before")), number(request.GET.get("after"))
    if not htmx.wants_fragment(request):
        more = f"&before={before}" if before else ""
        return htmx.redirect(request, f"{reverse('job', args=[pk])}?{asked.query}{more}")
    if before is not None:
        context = {"job": found, "is_part": True, **_tail(found, asked, before)}
        return render(request, "components/_job_log_lines.html", context)
    if after is not None:
        page = log_lines(found, after=after, levels=asked.levels, text=asked.words)
        context = {"job": found, "asked": asked, "lines": page.lines, "last": page.after}
        context |= {"more": page.more}
        return render(request, "components/_job_log_lines.html", context)
    context = {"job": found, **_tail(found, asked)}
    response = render(request, "components/_job_log.html", context)
    return push_url(response, f"{reverse('job', args=[pk])}?{asked.query}")


@requires(VIEW)
@require_GET
def job_log_download(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Hand out the whole log as a text file, line by line."""
    found = get_object_or_404(Job, pk=pk)
    return StreamingHttpResponse(
        log_text(found),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="job-{found.pk}.log"'},
    )


@requires(OPERATE)
@require_http_methods(["GET", "POST"])
def job_terminate(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a job is to be stopped, and stop it."""
    found = get_object_or_404(Job, pk=pk)
    if request.method == "GET":
        return htmx.render_page_or_fragment(request, *TERMINATE, {"job": found, "nav": "jobs"})
    try:
        stopped = terminate_job(found, user=request.user)  # type: ignore[arg-type]  # logged in
    except NotAllowed as error:
        messages.error(request, error.message)
    else:
        _say_what_became(request, found, stopped)
    return htmx.redirect(request, found.get_absolute_url())


def _say_what_became(request: HttpRequest, before: Job, after: Job) -> None:
    if before.is_finished:
        messages.info(request, f"Job {after.pk} had already ended.")
    elif after.status == JobStatus.CANCELLED:
        messages.success(request, f"Job {after.pk} was cancelled.")
    else:
        messages.success(request, f"Job {after.pk} is being terminated.")
