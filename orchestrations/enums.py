"""The closed lists of words that the upper app stores."""

from __future__ import annotations

from django.db.models import TextChoices


class RunStatus(TextChoices):
    """Where a run stands; which moves are allowed is in `RUN_MOVES`."""

    CREATED = "created", "Created"
    WAITING = "waiting", "Waiting"
    PROCESSING = "processing", "Processing"
    TERMINATING = "terminating", "Terminating"
    SUCCESS = "success", "Success"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
    TERMINATED = "terminated", "Terminated"
    CANCELLED = "cancelled", "Cancelled"


class TaskStatus(TextChoices):
    """Where a task of a run stands; which moves are allowed is in `TASK_MOVES`."""

    CREATED = "created", "Created"
    WAITING = "waiting", "Waiting"
    PROCESSING = "processing", "Processing"
    TERMINATING = "terminating", "Terminating"
    SUCCESS = "success", "Success"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
    TERMINATED = "terminated", "Terminated"
    CANCELLED = "cancelled", "Cancelled"
    SKIPPED = "skipped", "Skipped"


R, T = RunStatus, TaskStatus
RUN_MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    R.CREATED: frozenset({R.WAITING, R.PROCESSING, R.CANCELLED, R.ERROR}),
    R.WAITING: frozenset({R.PROCESSING, R.CANCELLED, R.ERROR}),
    R.PROCESSING: frozenset({R.SUCCESS, R.WARNING, R.ERROR, R.TERMINATING}),
    R.TERMINATING: frozenset({R.TERMINATED, R.ERROR}),
    R.SUCCESS: frozenset(),
    R.WARNING: frozenset(),
    R.ERROR: frozenset(),
    R.TERMINATED: frozenset(),
    R.CANCELLED: frozenset(),
}
# waiting: its job or child run exists and has not begun, or its delay runs
TASK_MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    T.CREATED: frozenset({T.WAITING, T.PROCESSING, T.SKIPPED, T.CANCELLED, T.ERROR}),
    T.WAITING: frozenset(
        {T.PROCESSING, T.SUCCESS, T.WARNING, T.ERROR, T.TERMINATED, T.CANCELLED, T.TERMINATING}
    ),
    T.PROCESSING: frozenset(
        {T.WAITING, T.SUCCESS, T.WARNING, T.ERROR, T.TERMINATED, T.CANCELLED, T.TERMINATING}
    ),
    T.TERMINATING: frozenset({T.TERMINATED, T.CANCELLED, T.SUCCESS, T.WARNING, T.ERROR}),
    T.SUCCESS: frozenset(),
    T.WARNING: frozenset(),
    T.ERROR: frozenset(),
    T.TERMINATED: frozenset(),
    T.CANCELLED: frozenset(),
    T.SKIPPED: frozenset(),
}
QUEUED_RUN = (R.CREATED, R.WAITING)
ACTIVE_RUN = (R.PROCESSING, R.TERMINATING)
UNFINISHED_RUN = (*QUEUED_RUN, *ACTIVE_RUN)
FINISHED_RUN = tuple(s for s in R if s not in UNFINISHED_RUN)
UNFINISHED_TASK = (T.CREATED, T.WAITING, T.PROCESSING, T.TERMINATING)
FINISHED_TASK = tuple(s for s in T if s not in UNFINISHED_TASK)


class StartedBy(TextChoices):
    """What started a run."""

    MANUAL = "manual", "By hand"
    SCHEDULE = "schedule", "Schedule"
    TRIGGER = "trigger", "Trigger"
    API = "api", "API"
    RETRY = "retry", "Retry"
    NESTED = "nested", "Orchestration"


class Overlap(TextChoices):
    """What a due moment does while an earlier run of the orchestration is unfinished."""

    QUEUE_ONE = "queue_one", "Queue one"
    SKIP = "skip", "Skip"
    QUEUE_ALL = "queue_all", "Queue all"
    TERMINATE = "terminate", "Terminate the old run"


class Misfire(TextChoices):
    """What becomes of due moments that passed while nothing could fire them."""

    SKIP = "skip", "Skip them"
    LAST = "last", "Run the last one"
    ALL = "all", "Run all, up to a number"


class GapPolicy(TextChoices):
    """What becomes of a time that a clock change leaves out."""

    USUAL = "usual", "As usual"  # fixed times as shift, what follows the clock as skip
    SHIFT = "shift", "Run at the end of the gap"
    SKIP = "skip", "Skip it"


class RepeatPolicy(TextChoices):
    """What becomes of a time that a clock change brings twice."""

    USUAL = "usual", "As usual"  # fixed times as first, what follows the clock as both
    FIRST = "first", "Run at the first"
    SECOND = "second", "Run at the second"
    BOTH = "both", "Run at both"


class HeldPolicy(TextChoices):
    """What becomes of a due moment that a calendar holds."""

    SKIP = "skip", "Skip it"
    MOVE = "move", "Move it to the next working day"


class SlotKind(TextChoices):
    """How a due moment came to be at its time."""

    NORMAL = "normal", "On its time"
    GAP = "gap", "Shifted by a clock change"
    FOLD = "fold", "At a time that comes twice"
    MOVED = "moved", "Moved by a calendar"


class SlotOutcome(TextChoices):
    """What became of one due moment."""

    FIRED = "fired", "Fired"
    QUEUED = "queued", "Queued behind a run"
    SKIPPED = "skipped", "Skipped: a run was unfinished"
    COALESCED = "coalesced", "Joined a later moment"
    MISSED = "missed", "Missed"
    HELD = "held", "Held"  # by a calendar, or skipped at a clock change
    PAUSED = "paused", "Paused"
    REJECTED = "rejected", "Rejected"


class ProcessKind(TextChoices):
    """What a process of the installation does."""

    SCHEDULER = "scheduler", "Scheduler"
    CONTROL = "control", "Control worker"
    JOBS = "jobs", "Jobs worker"
    WEB = "web", "Web server"


class OutageKind(TextChoices):
    """Why due moments were not decided in time."""

    SILENCE = "silence", "Nothing fired"
    CLOCK = "clock", "A clock jumped"


class TriggerKind(TextChoices):
    """What a trigger waits for."""

    TABLES = "tables", "Tables are updated"
    ORCHESTRATION = "orchestration", "An orchestration ends"
    WEBHOOK = "webhook", "A webhook is called"
    FILES = "files", "A file arrives"


class TriggerNeeds(TextChoices):
    """How many of its tables a trigger needs to be updated."""

    ALL = "all", "All of them"
    ANY = "any", "Any of them"
    SOME = "some", "A number of them"


class NotificationEvent(TextChoices):
    """What a notification tells of; the order is that of its page."""

    ERROR = "error", "Errors"
    WARNING = "warning", "Warnings"
    SUCCESS = "success", "Success"
    PROCESSING = "processing", "Processing"  # longer than usual, by so many per cent
    WAITING = "waiting", "Waiting"  # longer than so many minutes
    LATE = "late", "Late"  # will not be ready by its time


class Channel(TextChoices):
    """How a notification reaches its recipient; all but e-mail are a POST of JSON."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"


class DeliveryStatus(TextChoices):
    """Where a delivery stands; a pending one is tried (again) at its `next_try_at`."""

    PENDING = "pending", "Pending"
    SENT = "sent", "Sent"
    GIVEN_UP = "given_up", "Given up"


class VersionPart(TextChoices):
    """What of a version can be restored by itself; the order is that of the dialog."""

    DETAILS = "details", "Name and description"
    VARIABLES = "variables", "Variables"
    TASKS = "tasks", "Tasks"  # with their phases
    SCHEDULES = "schedules", "Schedules"
    TRIGGERS = "triggers", "Triggers"
    NOTIFICATIONS = "notifications", "Notifications"
