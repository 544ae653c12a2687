"""The Celery application: queues ids only; the database is the truth."""

from __future__ import annotations

import os

from celery import Celery

import orchestrator_site.lib.sqlite_transport  # noqa: F401  # registers sqlitebroker://

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

app = Celery("orchestrator_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
