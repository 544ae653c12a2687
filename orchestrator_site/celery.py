"""The Celery application: queues ids only; the database is the truth."""

from __future__ import annotations

import os

from celery import Celery

from orchestrator_site.lib import sqlite_transport as sqlite_transport  # registers sqlitebroker://

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

app = Celery("orchestrator_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
