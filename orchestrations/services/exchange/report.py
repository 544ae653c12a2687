"""What applying files changes, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchestrator_site.lib.differences import Change

Action = Literal["create", "change", "restore", "remove"]
SIGNS: dict[Action, str] = {"create": "+", "change": "~", "restore": "^", "remove": "-"}
DONE: dict[Action, str] = {
    "create": "to create",
    "change": "to change",
    "restore": "to take out of the trash",
    "remove": "to move to the trash",
}


@dataclass(frozen=True)
class ObjectChange:
    """What becomes of one object; `lines` say what differs, for people to read."""

    kind: Literal["configuration", "orchestration"]
    key: str
    name: str
    action: Action
    lines: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What files change, in the order in which it is done; nothing where all is as they say."""

    changes: Sequence[ObjectChange]

    @property
    def summary(self) -> str:
        """The numbers in one sentence."""
        counts = Counter(change.action for change in self.changes)
        parts = [f"{counts[action]} {DONE[action]}" for action in SIGNS if counts[action]]
        return f"{', '.join(parts)}." if parts else "Nothing to do."

    def text(self) -> str:
        """Return the whole as text: an object a paragraph, and the summary."""
        lines: list[str] = []
        for change in self.changes:
            name = "" if change.name == change.key else f" “{change.name}”"
            note = {"remove": ": to the trash", "restore": ": out of the trash"}
            lines.append(
                f"{SIGNS[change.action]} {change.kind} {change.key}{name}"
                f"{note.get(change.action, '')}"
            )
            lines += [f"    {line}" for line in change.lines]
        return "\n".join([*lines, "", self.summary] if lines else [self.summary])


def change_lines(changes: Sequence[Change]) -> list[str]:
    """Return the differences of a configuration as lines."""
    lines: list[str] = []
    for change in changes:
        if not change.before and not change.after:  # an empty list that gets items
            continue
        if change.lines:
            signs = {"add": "+ ", "del": "- "}
            lines.append(f"{change.path}:")
            lines += [f"  {signs.get(line.kind, '  ')}{line.text}" for line in change.lines]
        elif change.before is None:
            lines.append(f"{change.path}: {change.after or 'empty'}")
        else:
            after = "removed" if change.after is None else change.after or "empty"
            lines.append(f"{change.path}: {change.before or 'empty'} → {after}")
    return lines
