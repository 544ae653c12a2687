"""Job: one execution of one configuration, with its events and log."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from components.enums import ACTIVE_JOB, UNFINISHED_JOB, ErrorType, JobOrigin, JobStatus, LogLevel
from components.models.component import Component, Configuration


class Job(models.Model):
    """One execution; `status` is written only by `services/job_transitions.py`.

    `token` fences the present attempt: every write of a worker names it, so that a worker that
    was declared dead changes nothing.
    """

    component = models.ForeignKey(Component, on_delete=models.PROTECT, related_name="jobs")
    configuration = models.ForeignKey(
        Configuration, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    configuration_name = models.CharField(max_length=200)
    configuration_version = models.PositiveIntegerField(help_text="The version that runs.")
    parameters = models.JSONField(
        default=dict, blank=True, help_text="Laid over the configuration's, for this job only."
    )
    variables = models.JSONField(
        default=dict, blank=True, help_text="{name: text} put in place of {{ name }}."
    )
    origin = models.CharField(max_length=20, choices=JobOrigin.choices, default=JobOrigin.MANUAL)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    status = models.CharField(max_length=20, choices=JobStatus.choices, default=JobStatus.CREATED)
    waiting_for = models.CharField(max_length=300, blank=True, help_text="Why it waits.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="Delay of a retry.")
    rung_at = models.DateTimeField(null=True, blank=True, help_text="Last queued at.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    terminate_at = models.DateTimeField(null=True, blank=True, help_text="Termination asked at.")
    terminated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    time_limit = models.PositiveIntegerField(null=True, blank=True, help_text="Seconds.")
    error = models.TextField(blank=True, help_text="A sentence for people.")
    error_type = models.CharField(max_length=20, choices=ErrorType.choices, blank=True)
    error_reference = models.CharField(max_length=20, blank=True)
    result = models.JSONField(default=dict, blank=True)
    tables_in = models.JSONField(default=list, blank=True, help_text="[{table, rows, bytes}]")
    tables_out = models.JSONField(
        default=list, blank=True, help_text="[{table, rows, bytes, version, kind}]"
    )
    peak_memory = models.BigIntegerField(null=True, blank=True, help_text="Bytes.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["configuration"],
                condition=Q(status__in=ACTIVE_JOB),
                name="one_active_job_per_configuration",
            )
        ]
        indexes = [
            models.Index(fields=["configuration", "-id"], name="job_configuration"),
            models.Index(fields=["status", "-id"], name="job_status"),
            models.Index(fields=["component", "-id"], name="job_component"),
            models.Index(fields=["-id"], condition=~Q(error=""), name="job_error"),
            models.Index(
                fields=["configuration", "id"],
                condition=Q(status__in=UNFINISHED_JOB),
                name="job_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"Job {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return JobStatus(self.status) not in (
            JobStatus.CREATED,
            JobStatus.WAITING,
            JobStatus.PROCESSING,
            JobStatus.TERMINATING,
        )


class JobEvent(models.Model):
    """One change of a job's status, with who or what caused it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    old_status = models.CharField(max_length=20, choices=JobStatus.choices, blank=True)
    new_status = models.CharField(max_length=20, choices=JobStatus.choices)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.old_status} → {self.new_status}"


class JobLog(models.Model):
    """One line of a job's log; `seq` counts from 1 within the job."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    level = models.CharField(max_length=10, choices=LogLevel.choices, default=LogLevel.INFO)
    message = models.TextField()

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["job", "seq"], name="one_log_line_per_number")
        ]
        # a run reads the lines of all its jobs in order of time, or only those that matter
        indexes = [
            models.Index(fields=["at"], name="job_log_at"),
            models.Index(fields=["level", "at"], name="job_log_level"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.message[:80]}"
