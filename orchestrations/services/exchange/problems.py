"""What is wrong in files: each problem with its file, line and place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrations.exceptions import OrchestrationsError

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong; line 0 means that no line says it."""

    source: str
    line: int
    path: str
    text: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return " ".join(part for part in (place, f"{self.path}:" if self.path else "") if part) + (
            f" {self.text}"
        )


class ExchangeError(OrchestrationsError):
    """The files were not applied."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))
        self.fields = {
            f"{problem.source}:{problem.line} {problem.path}".strip(): problem.text
            for problem in self.problems
        }


def path_text(path: Path) -> str:
    """Return a place as people read it: `orchestrations.nightly.phases[1].tasks[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
