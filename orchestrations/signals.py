"""What the engine tells the layers above it."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with `run`, inside the transaction that ends it: receivers write rows and ring on commit.
run_ended = Signal()
