"""The catalogue of components: kept in step with the code, and their connections tested."""

from __future__ import annotations

import logging
import shutil
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from components.builtin import manifests
from components.builtin.contract import Manifest
from components.exceptions import RunnerError
from components.models import Component, Configuration
from components.runners.base import Ending, JobSpec, LogLine, Pulse
from components.runners.launcher import launcher
from components.runners.supervisor import Limits, Supervisor
from components.services.job_specs import component_settings, store_settings, work_folder
from orchestrator_site.lib.errors import new_reference
from orchestrator_site.lib.secrets import encrypt_tree, keep_hidden

TEST_SECONDS = 30
TEST_MEMORY_MB = 512
MEGABYTE = 1024 * 1024

logger = logging.getLogger(__name__)


@transaction.atomic
def sync_components() -> None:
    """Write the installed components' rows; safe to call twice.

    What an administrator set, limits and the switch, stays. A component that is no longer
    installed keeps its row and configurations; its jobs end with a sentence saying so.
    """
    installed = manifests(settings.COMPONENT_MODULES)
    known = Component.objects.in_bulk(field_name="key")
    for manifest in installed.values():
        fields = _fields(manifest)
        component = known.get(manifest.key)
        if component is None:
            Component.objects.create(key=manifest.key, **fields)
        elif any(getattr(component, name) != value for name, value in fields.items()):
            Component.objects.filter(pk=component.pk).update(**fields)


def test_connection(
    component: Component,
    parameters: dict[str, Any],
    configuration: Configuration | None = None,  # noqa: PT028  # this is no test
) -> str:
    """Try what the parameters reach and return a sentence about it; takes 30 s at most.

    Secrets that are hidden in the parameters are taken from the configuration. Raises RunnerError
    with the reason where the test fails.
    """
    stored = configuration.parameters if configuration else {}
    work = work_folder(f"test-{uuid4()}")
    spec = JobSpec(
        component=component.key,
        action="test",
        parameters=encrypt_tree(keep_hidden(parameters, stored)),
        work=str(work),
        memory_mb=TEST_MEMORY_MB,
        store=store_settings(),
        settings=component_settings(),
    )
    work.mkdir(parents=True, mode=0o700)
    try:
        limits = Limits(seconds=TEST_SECONDS, memory=TEST_MEMORY_MB * MEGABYTE)
        ending = Supervisor(launcher().start(spec), _Silence(), limits, kill_after=1.0).watch()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _answer(component, ending)


class _Silence:
    """The journal of a child that is no job: nothing is kept, nothing stops it."""

    def write(self, lines: list[LogLine]) -> bool:
        """Drop the lines."""
        return bool(lines)

    def pulse(self) -> Pulse:
        """Let it go on."""
        return Pulse.GO


def _answer(component: Component, ending: Ending) -> str:
    if ending.result is not None:
        return ending.result.message
    if ending.is_user_error:
        raise RunnerError(ending.error)
    reference = new_reference()
    logger.error(
        "Error %s testing %s: %s\n%s", reference, component.key, ending.error, ending.traceback
    )
    raise RunnerError(f"Something went wrong on our side. Reference: {reference}.")


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "type": manifest.type,
        "summary": manifest.summary,
        "documentation": manifest.documentation,
        "icon": manifest.icon,
        "schema": manifest.schema,
        "has_input": manifest.has_input,
        "has_output": manifest.has_output,
        "can_test": manifest.test is not None,
    }
