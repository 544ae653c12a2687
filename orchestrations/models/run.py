"""What happened: runs, their tasks, and every change of a status."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from components.models import Configuration, Job
from orchestrations.enums import ACTIVE_RUN, FINISHED_RUN, RunStatus, StartedBy, TaskStatus
from orchestrations.models.orchestration import Orchestration, OrchestrationVersion
from orchestrations.models.schedule import Schedule
from orchestrations.models.trigger import Trigger


class Run(models.Model):
    """One execution of an orchestration; `status` is written only by `engine/transitions.py`."""

    orchestration = models.ForeignKey(Orchestration, on_delete=models.CASCADE, related_name="runs")
    version = models.ForeignKey(OrchestrationVersion, on_delete=models.PROTECT, related_name="runs")
    status = models.CharField(max_length=20, choices=RunStatus.choices, default=RunStatus.CREATED)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it waits or ended so.")
    started_by = models.CharField(max_length=20, choices=StartedBy.choices)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    token_name = models.CharField(
        max_length=100, blank=True, help_text="Name of the API token that started it."
    )
    schedule = models.ForeignKey(
        Schedule, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs"
    )
    scheduled_for = models.DateTimeField(null=True, blank=True, help_text="Its due moment.")
    trigger = models.ForeignKey(
        Trigger, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs"
    )
    updates = models.JSONField(
        default=list, blank=True, help_text="[{kind, …, at}] of what the trigger saw."
    )
    retry_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retried_by"
    )
    variables = models.JSONField(
        default=dict, blank=True, help_text="{name: text}; over those of the orchestration."
    )
    selected = models.JSONField(
        null=True, blank=True, help_text="Keys of the tasks to run; empty means all active ones."
    )
    is_planned = models.BooleanField(default=False, help_text="Its task rows exist.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    rung_at = models.DateTimeField(null=True, blank=True, help_text="Last queued at.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    terminate_at = models.DateTimeField(null=True, blank=True, help_text="Termination asked at.")
    terminated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["orchestration"],
                condition=Q(status__in=ACTIVE_RUN),
                name="one_active_run_per_orchestration",
            ),
            models.UniqueConstraint(
                fields=["schedule", "scheduled_for"],
                condition=Q(started_by=StartedBy.SCHEDULE),
                name="one_run_per_slot",
            ),
        ]
        indexes = [
            models.Index(fields=["orchestration", "-id"], name="run_orchestration"),
            models.Index(fields=["status", "-id"], name="run_status"),
            models.Index(fields=["-id"], condition=~Q(reason=""), name="run_reason"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def effective_variables(self) -> dict[str, str]:
        """What its jobs get: the usual values of its version, under those given to the run."""
        return {**self.version.definition["variables"], **self.variables}

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED_RUN


class TaskRun(models.Model):
    """One task of one run, as its version had it; `status` is written by `engine/transitions.py`.

    `design` is the TaskDesign of the version, so that later edits change nothing here.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="task_runs")
    key = models.CharField(max_length=40)
    phase = models.PositiveIntegerField(help_text="Position of its phase, from 0.")
    phase_key = models.CharField(max_length=40)
    phase_name = models.CharField(max_length=200)
    position = models.PositiveIntegerField()
    configuration = models.ForeignKey(
        Configuration, null=True, blank=True, on_delete=models.SET_NULL, related_name="task_runs"
    )
    configuration_version = models.PositiveIntegerField(null=True, blank=True)
    orchestration = models.ForeignKey(
        Orchestration, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    child = models.OneToOneField(
        Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="parent"
    )
    name = models.CharField(max_length=200)
    component_key = models.CharField(max_length=100, blank=True)
    design = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=TaskStatus.choices, default=TaskStatus.CREATED)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it waits or ended so.")
    not_before = models.DateTimeField(null=True, blank=True, help_text="Delay or retry.")
    attempt = models.PositiveSmallIntegerField(default=0, help_text="The present one, from 1.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["phase", "position"]
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="one_task_run_per_key")]
        indexes = [models.Index(fields=["run", "phase", "status"], name="task_run_phase")]

    def __str__(self) -> str:
        return self.name


class TaskAttempt(models.Model):
    """The job of one attempt at a task; `number` counts from 1."""

    task_run = models.ForeignKey(TaskRun, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="attempt")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["task_run", "number"], name="one_job_per_attempt")
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number}"


class RunEvent(models.Model):
    """One thing that happened to a run or one of its tasks."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    task_run = models.ForeignKey(
        TaskRun, null=True, blank=True, on_delete=models.CASCADE, related_name="events"
    )
    at = models.DateTimeField(auto_now_add=True)
    old_status = models.CharField(max_length=20, blank=True)
    new_status = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.old_status} → {self.new_status}"
