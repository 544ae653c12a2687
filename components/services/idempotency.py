"""A POST that is sent again with the same Idempotency-Key does its work once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from components.exceptions import EditConflict
from components.models import IdempotencyKey

KEPT = timedelta(hours=24)
Answer = dict[str, Any]


def once(user: User, *, key: str, request: str, work: Callable[[], Answer]) -> Answer:
    """Return what `work` answers, or the answer that an earlier call with this key was given.

    `request` is a digest of method, path and body. The key and the work commit together: a second
    call that comes meanwhile waits for the first, and a failed call may be sent again. Raises
    EditConflict where the key was used for another request.
    """
    IdempotencyKey.objects.filter(user=user, created_at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(user=user, key=key, request=request)
            row.answer = work()
            row.save(update_fields=["answer"])
            return row.answer
    except IntegrityError:
        earlier = IdempotencyKey.objects.filter(user=user, key=key).first()
        if earlier is None:
            raise  # the work's own
    if earlier.request != request:
        raise EditConflict("This Idempotency-Key was used for another request; take a new one.")
    return dict(earlier.answer or {})
