"""The Celery application: queues ids only; the database is the truth."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

import orchestrator_site.lib.sqlite_transport  # noqa: F401  # registers sqlitebroker://

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

app = Celery("orchestrator_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def wake_every_second(sender: Any, **_: Any) -> None:
    """Let an idle worker look around once a second, so that it sees soon that it is to stop.

    Where the broker is RabbitMQ it would sleep until the next message, and be killed before.
    """
    if sender.hub is not None:
        sender.hub.call_repeatedly(1.0, bool)
