"""The installation's numbers in the text format of Prometheus, read from rows at each scrape.

Every web process answers with the same numbers, so that it does not matter which one is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from orchestrations.enums import ProcessKind
from orchestrations.queries.status import Status, status
from orchestrations.services.reachability import Part, parts

PREFIX = "orchestrator_"


def exposition(now: datetime) -> tuple[bytes, str]:
    """Return the text of all metrics and its content type."""
    registry = CollectorRegistry()
    registry.register(_Numbers(status(now), parts()))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Numbers(Collector):
    def __init__(self, found: Status, reached: list[Part]) -> None:
        self.status, self.parts = found, reached

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its help."""
        yield from self._scheduler()
        yield from self._queues()
        yield _labelled(
            "slots_last_day",
            "Due moments decided in the last 24 hours.",
            "outcome",
            {str(k): v for k, v in self.status.slots.items()},
        )
        yield _labelled(
            "runs",
            "Runs not ended, or created in the last 24 hours.",
            "status",
            {str(k): v for k, v in self.status.runs.items()},
        )
        yield _labelled(
            "jobs",
            "Jobs not ended, or created in the last 24 hours.",
            "status",
            {str(k): v for k, v in self.status.jobs.items()},
        )
        yield _one("messages_pending", "Notifications not sent yet.", self.status.messages)
        yield _labelled(
            "part_up",
            "Whether a part answers.",
            "part",
            {part.name: int(part.is_reached) for part in self.parts},
        )

    def _scheduler(self) -> Iterator[Metric]:
        found = self.status
        lag = found.health.scheduler_lag.total_seconds()
        yield _one("scheduler_lag_seconds", "How long the earliest undecided moment is due.", lag)
        seen = found.health.last_seen
        if seen is not None:
            text = "When a scheduler was last seen, as a unix time."
            yield _one("scheduler_last_seen_timestamp_seconds", text, seen.timestamp())
        yield _labelled(
            "processes",
            "Schedulers, workers and web servers that are there.",
            "kind",
            {str(kind): found.there(kind) for kind in ProcessKind},
        )
        lasting = any(outage.ended_at is None for outage in found.outages)
        yield _one("outage", "1 while nothing fires.", int(lasting))
        if found.check is not None:
            text = "Due moments without a slot at the last count: 0, or something is wrong."
            yield _one("slots_missing", text, found.check.missing)

    def _queues(self) -> Iterator[Metric]:
        queues, now = self.status.queues, self.status.now
        text = "What waits for a worker of the queue."
        yield _labelled("queue_length", text, "queue", {q.name: q.waiting for q in queues})
        ages = {
            q.name: (now - q.oldest).total_seconds() if q.oldest is not None else 0.0
            for q in queues
        }
        text = "How long the oldest of the queue waits."
        yield _labelled("queue_oldest_seconds", text, "queue", ages)


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _labelled(
    name: str, text: str, label: str, values: dict[str, float] | dict[str, int]
) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
