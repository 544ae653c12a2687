"""What a job is to do, as plain data for its child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from components.models import Configuration, ConfigurationVersion, Job
from components.runners.base import JobSpec, StoreSettings
from components.services.input_mapping import input_plan
from components.services.variables import rendered

WORK_FOLDER = "work"  # below HOME: scratch folders of running jobs


def build_spec(job: Job, configuration: Configuration) -> JobSpec:
    """Return the orders for one job, from the version of the configuration that it was made for.

    The job's variables are put in their places. Raises StorageError naming a mapped table or column
    that is not there.
    """
    version = _version(job, configuration)
    wanted = rendered(version.input, job.variables)
    inputs = input_plan(wanted, configuration) if wanted else []
    return JobSpec(
        component=job.component.key,
        action="run",
        parameters=rendered(merged(version.parameters, job.parameters), job.variables),
        work=str(work_folder(str(job.token))),
        memory_mb=job.component.memory_limit_mb or settings.JOB_MEMORY_LIMIT_MB,
        store=store_settings(),
        settings=component_settings(),
        configuration_name=version.name,
        inputs=[dict(plan) for plan in inputs],
        output_mapping=rendered(version.output, job.variables),
        state=configuration.state,
    )


def work_folder(name: str) -> Path:
    """Return the path of a scratch folder; whoever runs the job makes and removes it."""
    return Path(settings.HOME, WORK_FOLDER, name)


def store_settings() -> StoreSettings:
    """Return where segments are."""
    return StoreSettings(
        url=settings.STORAGE_URL,
        cache=str(Path(settings.HOME, "cache")),
        cache_mb=settings.SEGMENT_CACHE_MB,
    )


def component_settings() -> dict[str, Any]:
    """Return the settings that components may read."""
    return {
        "files_root": str(settings.FILES_ROOT),
        "currency_rates_url": settings.CURRENCY_RATES_URL,
    }


def merged(base: Any, over: Any) -> Any:
    """Return `base` with `over` laid on it: objects are merged, everything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def _version(job: Job, configuration: Configuration) -> Configuration | ConfigurationVersion:
    if job.configuration_version == configuration.version:
        return configuration
    return configuration.versions.get(number=job.configuration_version)
