"""Pages of lists by id, newest first, in both directions: as quick at the end as at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet

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
    rows: QuerySet[M],
    *,
    limit: int,
    after: int | None = None,
    before: int | None = None,
    moment: str = "",
) -> KeysetPage[M]:
    """Return the page of rows that are older than `after`, or newer than `before`; one query.

    What is added meanwhile moves no page. Without rows on a page, the way back is still known.
    `moment` names a column with an index that the rows are ordered by, ids settling ties: for a
    list that begins long ago, which by ids alone would be looked for from its newest end on. That
    takes a second query, for the row that the page begins after.
    """
    order = ("-pk",) if not moment else (f"-{moment}", "-pk")
    if before is not None and after is None:
        newer = rows.filter(_beyond(rows.model, before, moment, "gt"))
        found = list(newer.order_by(*order).reverse()[: limit + 1])
        page = found[:limit][::-1]
        first = page[0].pk if len(found) > limit else None
        return KeysetPage(page, first, page[-1].pk if page else before + 1)
    wanted = rows if after is None else rows.filter(_beyond(rows.model, after, moment, "lt"))
    found = list(wanted.order_by(*order)[: limit + 1])
    page = found[:limit]
    back = None if after is None else (page[0].pk if page else max(after - 1, 0))
    return KeysetPage(page, back, page[-1].pk if len(found) > limit else None)


def _beyond(model: type[M], anchor: int, moment: str, way: str) -> Q:
    """Return what comes after the anchor in the order, or in front of it."""
    by_id = Q((f"pk__{way}", anchor))
    if not moment:
        return by_id
    row = model._default_manager.filter(pk=anchor).values_list(moment, flat=True).first()  # noqa: SLF001  # the public name of it
    if row is None:
        return by_id
    return Q((f"{moment}__{way}e", row)) & (Q((f"{moment}__{way}", row)) | by_id)
