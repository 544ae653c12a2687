"""Recipients of notifications as files name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrations.models import Orchestration
from orchestrations.services.exchange.documents import EVENTS
from orchestrations.services.exchange.problems import Path
from orchestrations.services.exchange.references import REFERENCE, MissingSecret
from orchestrations.services.exchange.work import Work
from orchestrations.services.notifications import RecipientInput, notifications_of


def wanted_recipients(
    work: Work, path: Path, stored: Orchestration, rows: Sequence[dict[str, Any]]
) -> list[tuple[int, RecipientInput]] | None:
    """Return recipients with their places in the file, those that there are in their order.

    None where a URL cannot be found, which is noted.
    """
    found: list[tuple[int, RecipientInput]] = []
    for number, row in enumerate(rows):
        try:
            address = _address(work, path, row)
        except MissingSecret as error:
            work.documents.problem((*path, "notifications", number, "to"), str(error))
            return None
        item = RecipientInput(event=row["event"], address=address)
        item["channel"], item["threshold"] = row.get("channel"), row.get("threshold")
        if "key" in row:
            item["key"] = row["key"]
        found.append((number, item))
    order = {
        (old.event, text): place
        for place, old in enumerate(notifications_of(stored))
        for text in (old.address, old.key)
    }
    last = len(order)

    def place(entry: tuple[int, RecipientInput]) -> tuple[int, int, int]:
        item = entry[1]
        known = order.get((item["event"], item.get("key") or item["address"]), last)
        return [str(event) for event in EVENTS].index(item["event"]), known, entry[0]

    return sorted(found, key=place)


def _address(work: Work, path: Path, row: dict[str, Any]) -> str:
    text: str = row["to"]
    key = row.get("key")
    if key is None:
        # without a key there is no place of its own: a reference to another's, or a clear text
        return text if REFERENCE.fullmatch(text) is None else str(work.resolver.clear(text))
    return str(work.resolver.secret(text, (*path, "notifications", key)))
