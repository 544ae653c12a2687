"""Many workers at once on real row locks: nobody is told twice, nothing is sent side by side."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrations.enums import DeliveryStatus, RunStatus, StartedBy
from orchestrations.models import Delivery, Orchestration, SigningSecret
from orchestrations.services.deliveries import claim, deliver_due
from orchestrations.services.notices import tell_of_end, watch_runs
from orchestrations.services.notifications import save_notifications, signing_secret
from tests.builders import make_empty_orchestration, make_run
from tests.receivers import HookServer
from tests.threads import at_once

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
WORKERS = 8
pytestmark = [pytest.mark.postgres_database, pytest.mark.django_db(transaction=True)]


def told(event: str, *addresses: str) -> Orchestration:
    orchestration = make_empty_orchestration()
    wanted: Any = [{"event": event, "address": address} for address in addresses]
    save_notifications(orchestration, wanted, user=None)
    return orchestration


def test_many_who_watch_tell_of_each_run_once() -> None:
    runs = []
    for _ in range(20):
        orchestration = told("processing", "ann@example.com", "bob@example.com")
        before = {"started_by": StartedBy.API, "started_at": NOON - timedelta(hours=1)}
        make_run(
            orchestration,
            status=RunStatus.SUCCESS,
            ended_at=NOON - timedelta(minutes=59),
            **before,
        )
        runs.append(make_run(orchestration, status=RunStatus.PROCESSING, **before))

    at_once(*[lambda: watch_runs(NOON)] * WORKERS)

    found = Counter(Delivery.objects.values_list("run_id", "recipient"))
    assert found == {(run.pk, f"{name}@example.com"): 1 for run in runs for name in ("ann", "bob")}


def test_many_workers_send_each_message_once(hook: HookServer) -> None:
    orchestration = told("error", hook.url)
    for _ in range(40):
        run = make_run(orchestration, status=RunStatus.ERROR, started_by=StartedBy.API)
        tell_of_end(run)

    def claim_and_send() -> int:
        # as several processes do: the lock of one process is not what keeps them apart
        return sum(claim(pk, datetime.now(UTC)) is not None for pk in ids) + deliver_due()

    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True)[:20])
    at_once(*[claim_and_send] * WORKERS)

    Delivery.objects.filter(pk__in=ids).update(claimed_at=None)  # their claimers died
    at_once(*[deliver_due] * WORKERS)
    assert Counter(posted.headers["X-Orchestrator-Delivery"] for posted in hook.posted) == {
        str(pk): 1 for pk in Delivery.objects.values_list("pk", flat=True)
    }
    assert set(Delivery.objects.values_list("status", flat=True)) == {DeliveryStatus.SENT}
    assert Counter(Delivery.objects.filter(pk__in=ids).values_list("tries", flat=True)) == {2: 20}


def test_those_who_need_the_secret_first_get_the_same_one() -> None:
    orchestration = make_empty_orchestration()
    found = at_once(*[lambda: signing_secret(orchestration)] * WORKERS)
    assert len(set(found)) == 1
    assert SigningSecret.objects.count() == 1
