"""What can be run, what ran, and the data it moves."""

from __future__ import annotations

from components.models.access import ApiToken, AuditEntry, IdempotencyKey, RateCount
from components.models.component import Component, Configuration, ConfigurationVersion
from components.models.job import Job, JobEvent, JobLog
from components.models.storage import Bucket, Segment, Table, TableVersion, VersionSegment

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Bucket",
    "Component",
    "Configuration",
    "ConfigurationVersion",
    "IdempotencyKey",
    "Job",
    "JobEvent",
    "JobLog",
    "RateCount",
    "Segment",
    "Table",
    "TableVersion",
    "VersionSegment",
]
