"""The project package: settings, URLs, the Celery application."""

from __future__ import annotations

from orchestrator_site.celery import app as celery_app

__all__ = ["celery_app"]
