"""What lies in the trash."""

from __future__ import annotations

from django.db.models import QuerySet

from components.models import Configuration


def trashed_configurations() -> QuerySet[Configuration]:
    """Return configurations in the trash, the last one thrown away first."""
    found = Configuration.objects.filter(deleted_at__isnull=False)
    return found.select_related("component", "deleted_by").order_by("-deleted_at", "-pk")
