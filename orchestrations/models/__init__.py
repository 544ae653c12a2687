"""Pipelines as designed, when they run, and what happened."""

from __future__ import annotations

from orchestrations.models.access import TokenGrant
from orchestrations.models.calendar import Calendar
from orchestrations.models.notification import BellLook, Delivery, Notification, SigningSecret
from orchestrations.models.operation import Outage, Process, SlotCheck
from orchestrations.models.orchestration import Orchestration, OrchestrationVersion, Phase, Task
from orchestrations.models.retention import Retention
from orchestrations.models.run import Run, RunEvent, TaskAttempt, TaskRun
from orchestrations.models.schedule import Schedule, Slot
from orchestrations.models.trigger import Trigger, TriggerEvent, TriggerFile, TriggerTable

__all__ = [
    "BellLook",
    "Calendar",
    "Delivery",
    "Notification",
    "Orchestration",
    "OrchestrationVersion",
    "Outage",
    "Phase",
    "Process",
    "Retention",
    "Run",
    "RunEvent",
    "Schedule",
    "SigningSecret",
    "Slot",
    "SlotCheck",
    "Task",
    "TaskAttempt",
    "TaskRun",
    "TokenGrant",
    "Trigger",
    "TriggerEvent",
    "TriggerFile",
    "TriggerTable",
]
