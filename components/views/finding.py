"""What the views of configurations share: the record asked for, and who asks."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from components.models import Configuration


def find(pk: int) -> Configuration:
    """Return a configuration with its component, in the trash or not; 404 otherwise."""
    return get_object_or_404(Configuration.objects.select_related("component"), pk=pk)


def person(request: HttpRequest) -> User:
    """Return who is logged in; no view is reached otherwise."""
    return cast("User", request.user)
