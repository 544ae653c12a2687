"""What a runner is given and what it gives back: plain data that crosses a process border."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from components.builtin.contract import OutputData, OutputMapping

LogLine = tuple[float, str, str]  # Unix time, level, message


@dataclass(frozen=True)
class StoreSettings:
    """Where segments are, as plain values."""

    url: str
    cache: str
    cache_mb: int


@dataclass(frozen=True)
class JobSpec:
    """All that a child needs to run a job or test a connection; secrets are cipher text."""

    component: str
    action: Literal["run", "test"]
    parameters: dict[str, Any]
    work: str  # scratch folder, made and removed by whoever starts the child
    memory_mb: int
    store: StoreSettings
    settings: dict[str, Any] = field(default_factory=dict)
    configuration_name: str = ""
    inputs: list[dict[str, Any]] = field(default_factory=list)  # services/storage.input_plan
    output_mapping: list[OutputMapping] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the channel."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JobSpec:
        """Read what `to_json` wrote."""
        return cls(**{**data, "store": StoreSettings(**data["store"])})


@dataclass(frozen=True)
class RunnerResult:
    """What a component gave back; `state` holds its secrets as cipher text."""

    result: dict[str, Any]
    state: dict[str, Any]
    outputs: list[OutputData]
    message: str = ""  # of a test of a connection


class Pulse(StrEnum):
    """What the database says about a job that is running."""

    GO = "go"
    TERMINATE = "terminate"  # a person asked for it
    LOST = "lost"  # somebody declared this attempt dead


class Journal(Protocol):
    """What the supervisor tells the database while a child runs; neither call raises."""

    def write(self, lines: list[LogLine]) -> bool:
        """Keep log lines; False means not now: offer them again."""

    def pulse(self) -> Pulse:
        """Say that the worker lives and ask how things stand."""


class EndedBy(StrEnum):
    """What brought a child to its end."""

    ITSELF = "itself"  # successfully or with an error of its own
    TERMINATION = "termination"
    TIME = "time"
    MEMORY = "memory"
    CRASH = "crash"  # its process ended without a word
    LOSS = "loss"  # the attempt was declared dead


@dataclass(frozen=True)
class Ending:
    """How a child ended; either `result` or `error` is there, except after a termination."""

    by: EndedBy
    result: RunnerResult | None = None
    error: str = ""  # a sentence for people, or what crashed
    is_user_error: bool = True
    permanent: bool = False
    traceback: str = ""
    peak_memory: int = 0  # bytes
    lines: list[LogLine] = field(default_factory=list)  # not yet in the journal
