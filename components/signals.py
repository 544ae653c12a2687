"""What flows up to whoever listens; both are sent inside the transaction that made them true.

Receivers only write rows and queue on commit.
"""

from __future__ import annotations

from django.dispatch import Signal

job_finished = Signal()  # job: Job, in a finished status
table_updated = Signal()  # table: Table, version: TableVersion
