"""Pages of lists by id, newest first, in both directions: as quick at the end as at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class KeysetPage(Generic[M]):
    """Some rows, newest first; `older` asks for those `after` it, `newer` for those `before` it."""

    rows: list[M]
    newer: int | None = None
    older: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether there is no other page."""
        return self.newer is None and self.older is None


def keyset_page(
    rows: QuerySet[M], *, limit: int, after: int | None = None, before: int | None = None
) -> KeysetPage[M]:
    """Return the page of rows that are older than `after`, or newer than `before`; one query.

    What is added meanwhile moves no page. Without rows on a page, the way back is still known.
    """
    if before is not None and after is None:
        found = list(rows.filter(pk__gt=before).order_by("pk")[: limit + 1])
        page = found[:limit][::-1]
        newer = page[0].pk if len(found) > limit else None
        return KeysetPage(page, newer, page[-1].pk if page else before + 1)
    wanted = rows if after is None else rows.filter(pk__lt=after)
    found = list(wanted.order_by("-pk")[: limit + 1])
    page = found[:limit]
    back = None if after is None else (page[0].pk if page else max(after - 1, 0))
    return KeysetPage(page, back, page[-1].pk if len(found) > limit else None)
