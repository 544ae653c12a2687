"""Find what an address names, or answer 404."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from orchestrations.models import Orchestration


def find_orchestration(pk: int) -> Orchestration:
    """Return an orchestration that is not in the trash."""
    return get_object_or_404(Orchestration, pk=pk, deleted_at=None)
