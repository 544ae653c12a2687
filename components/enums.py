"""The closed lists of words that the lower app stores."""

from __future__ import annotations

from django.db.models import TextChoices


class ComponentType(TextChoices):
    """What a component does; the order is that of the catalogue and of a pipeline."""

    EXTRACTOR = "extractor", "Extractor"
    TRANSFORMATION = "transformation", "Transformation"
    WRITER = "writer", "Writer"
    APPLICATION = "application", "Application"


class JobStatus(TextChoices):
    """Where a job stands; which moves are allowed is in `JOB_MOVES`."""

    CREATED = "created", "Created"
    WAITING = "waiting", "Waiting"
    PROCESSING = "processing", "Processing"
    TERMINATING = "terminating", "Terminating"
    SUCCESS = "success", "Success"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
    TERMINATED = "terminated", "Terminated"
    CANCELLED = "cancelled", "Cancelled"


S = JobStatus
JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    S.CREATED: frozenset({S.WAITING, S.PROCESSING, S.CANCELLED, S.ERROR}),
    S.WAITING: frozenset({S.PROCESSING, S.CANCELLED, S.ERROR}),
    S.PROCESSING: frozenset({S.SUCCESS, S.WARNING, S.ERROR, S.TERMINATING}),
    S.TERMINATING: frozenset({S.TERMINATED, S.ERROR}),
    S.SUCCESS: frozenset(),
    S.WARNING: frozenset(),
    S.ERROR: frozenset(),
    S.TERMINATED: frozenset(),
    S.CANCELLED: frozenset(),
}
QUEUED_JOB = (S.CREATED, S.WAITING)
ACTIVE_JOB = (S.PROCESSING, S.TERMINATING)
UNFINISHED_JOB = (*QUEUED_JOB, *ACTIVE_JOB)
FINISHED_JOB = tuple(s for s in S if s not in UNFINISHED_JOB)


class JobOrigin(TextChoices):
    """What asked for a job."""

    MANUAL = "manual", "By hand"
    API = "api", "API"
    ORCHESTRATION = "orchestration", "Orchestration"


class ErrorType(TextChoices):
    """Whose mistake ended a job: `user` may be read by anyone, `application` is ours."""

    USER = "user", "User error"
    APPLICATION = "application", "Application error"


class LogLevel(TextChoices):
    """How much a log line matters."""

    DEBUG = "debug", "Debug"
    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"


class Stage(TextChoices):
    """The first half of a bucket's id: `in` holds sources, `out` holds results."""

    IN = "in", "in"
    OUT = "out", "out"


class VersionKind(TextChoices):
    """How a table version came to be."""

    FULL = "full", "Full load"
    INCREMENTAL = "incremental", "Incremental load"
    UPSERT = "upsert", "Incremental load by primary key"
    RESTORE = "restore", "Restored"
    COMPACTION = "compaction", "Compacted"


class SegmentKind(TextChoices):
    """What a Parquet file holds: rows, or positions of rows that are deleted."""

    DATA = "data", "Rows"
    DELETES = "deletes", "Deleted positions"


class TokenScope(TextChoices):
    """What a token may do; each includes the ones before it.

    The first starts, follows and stops the orchestrations it was made for, and nothing else.
    """

    TRIGGER = "trigger", "Start some orchestrations"
    READ = "read", "Read"
    RUN = "run", "Run"
    WRITE = "write", "Write"


class AuditAction(TextChoices):
    """What was done to an object; the last three are about a person at the door."""

    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"
    LOGGED_IN = "logged_in", "Logged in"
    LOGGED_OUT = "logged_out", "Logged out"
    LOGIN_FAILED = "login_failed", "Log-in failed"


class AuditChannel(TextChoices):
    """By which way a change came."""

    PAGE = "page", "Page"
    API = "api", "API"
    ADMIN = "admin", "Administration"
    COMMAND = "command", "Command"
    SYSTEM = "system", "System"
