"""Celery's doors into the lower app: ids in, a service does the work."""

from __future__ import annotations

from celery import shared_task


@shared_task
def run_job(job_id: int) -> None:
    """Run one job, unless somebody else already does."""
    from components.services.jobs import run_job as run  # noqa: PLC0415  # leaf module

    run(job_id)


@shared_task
def recover_jobs() -> None:
    """End jobs whose worker died and ring again for jobs that nobody claimed."""
    from components.services.recovery import recover_jobs as recover  # noqa: PLC0415  # leaf module

    recover()


@shared_task
def compact_tables() -> None:
    """Rewrite tables that have many small or largely deleted segments."""
    from components.services.housekeeping import compact_tables as compact  # noqa: PLC0415  # leaf

    compact()


@shared_task
def sweep_storage() -> None:
    """Drop old table versions, and the segment files and uploads that nothing refers to."""
    from components.services.housekeeping import sweep_storage as sweep  # noqa: PLC0415  # leaf
    from components.services.uploads import sweep_uploads  # noqa: PLC0415  # leaf

    sweep()
    sweep_uploads()
