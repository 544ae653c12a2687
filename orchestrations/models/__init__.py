"""Pipelines as designed, when they run, and what happened."""

from __future__ import annotations

from orchestrations.models.orchestration import Orchestration, OrchestrationVersion, Phase, Task
from orchestrations.models.run import Run, RunEvent, TaskAttempt, TaskRun
from orchestrations.models.schedule import Schedule, Slot

__all__ = [
    "Orchestration",
    "OrchestrationVersion",
    "Phase",
    "Run",
    "RunEvent",
    "Schedule",
    "Slot",
    "Task",
    "TaskAttempt",
    "TaskRun",
]
