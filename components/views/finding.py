"""Find what an address names, or answer 404."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from components.models import Configuration


def find(pk: int) -> Configuration:
    """Return a configuration with its component, in the trash or not; 404 otherwise."""
    return get_object_or_404(Configuration.objects.select_related("component"), pk=pk)
