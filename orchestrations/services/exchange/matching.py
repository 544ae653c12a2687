"""Which schedule or trigger that there is a file means, as files know no ids.

First what is the same in all, then what has the same name, then, of those without a name, what is
the same in its main part. The others are new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Design = Mapping[str, Any]


def match_schedules(old: Sequence[Design], wanted: Sequence[Design]) -> list[dict[str, Any]]:
    """Return the wanted schedules as versions hold them, each with the id that it has; 0 is new."""
    designs = [
        {**{k: v for k, v in row.items() if k != "enabled"}, "is_enabled": row["enabled"]}
        for row in wanted
    ]
    return _matched(old, designs, lambda row: (row["cron"], row["timezone"]))


def match_triggers(old: Sequence[Design], wanted: Sequence[Design]) -> list[dict[str, Any]]:
    """Return the wanted triggers as versions hold them, each with the id that it has; 0 is new.

    `wanted` also hold `source` and `source_name`.
    """
    designs = [
        {
            "name": row["name"],
            "is_enabled": row["enabled"],
            "cooldown": row["cooldown"],
            "tables": sorted(set(row["tables"])),
            "needs": row["needs"],
            "quorum": row["quorum"],
            "fresh_for": row["fresh_for"],
            "fallback_after": row["fallback_after"],
            "kind": str(row["kind"]),
            "source": row["source"],
            "source_name": row["source_name"],
            "outcomes": sorted(set(row["outcomes"])),
            "place": row["place"].strip(),
            "pattern": row["pattern"].strip(),
            "variables": row["variables"],
        }
        for row in wanted
    ]
    main = ("kind", "tables", "source", "place", "pattern")
    return _matched(old, designs, lambda row: [row[name] for name in main])


def _matched(
    old: Sequence[Design], wanted: Sequence[dict[str, Any]], main: Callable[[Design], Any]
) -> list[dict[str, Any]]:
    free = {row["id"]: row for row in old}
    ids: dict[int, int] = {}
    same: tuple[Callable[[Design, Design], bool], ...] = (
        lambda a, b: all(a[name] == b[name] for name in b if name != "id"),
        lambda a, b: bool(b["name"]) and a["name"] == b["name"],
        lambda a, b: not a["name"] and not b["name"] and main(a) == main(b),
    )
    for is_same in same:
        for number, row in enumerate(wanted):
            if number in ids:
                continue
            found = next((pk for pk, each in free.items() if is_same(each, row)), None)
            if found is not None:
                ids[number] = found
                del free[found]
    return [{"id": ids.get(number, 0), **row} for number, row in enumerate(wanted)]
