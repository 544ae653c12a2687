"""What flows up to whoever listens; each is sent inside the transaction that made it true.

Receivers only write rows and queue on commit.
"""

from __future__ import annotations

from django.dispatch import Signal

job_started = Signal()  # job: Job, just claimed
job_finished = Signal()  # job: Job, in a finished status
table_updated = Signal()  # table: Table, version: TableVersion
