"""Lists of runs: of all orchestrations, and of one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from orchestrations.models import Orchestration
from orchestrations.queries import runs as queries
from orchestrations.queries.runs import Outcome
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import mark, number, unchanged

PER_PAGE = 25
TABS = (
    (Outcome.ALL, "All runs"),
    (Outcome.SUCCESSFUL, "Successful"),
    (Outcome.FAILED, "Failed"),
)


@require_GET
@requires(VIEW)
def of_orchestration(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the runs of one: a fragment of its page, which asks again and again."""
    orchestration = find_orchestration(pk)
    context = run_table(request, orchestration)
    same = unchanged(request, context["mark"])
    if same:
        return same
    context |= {"orchestration": orchestration, "last_runs": queries.last_runs(orchestration)}
    return render(request, "orchestrations/_orchestration_runs.html", context)


def run_table(request: HttpRequest, orchestration: Orchestration | None) -> dict[str, Any]:
    """Return what a list of runs shows: a tab, a page, and the mark of both."""
    asked = request.GET.get("tab", "")
    tab = Outcome(asked) if asked in set(Outcome) else Outcome.ALL
    after = number(request.GET.get("after"))
    page = queries.list_runs(orchestration, outcome=tab, after=after, limit=PER_PAGE)
    return {
        "tabs": TABS,
        "tab": tab,
        "after": after,
        "runs": page.runs,
        "next_after": page.after,
        "is_moving": any(not run.is_finished for run in page.runs),
        "mark": mark([(run.pk, run.status, run.reason) for run in page.runs], page.after),
    }
