"""The strip of the last due moments, and the runs that their reasons name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from orchestrations.models import Slot
from orchestrator_site.lib.sentences import counted

register = template.Library()
STEP = 12
# So a reason names a run; larger numbers are none, nor is the 5 of “run 5 min late”.
RUN = re.compile(r"\b([Rr]un) ([1-9][0-9]{0,17})\b(?! (?:sec|min|hr|days?)\b)")


@register.filter
def slot_x(place: int) -> int:
    """Return where the bar at a place begins."""
    return place * STEP


@register.filter
def slot_strip_width(slots: Sequence[Slot]) -> int:
    """Return how wide a strip is."""
    return max(len(slots), 1) * STEP


@register.filter
def slot_summary(slots: Sequence[Slot]) -> str:
    """Say what a strip shows: how many moments ended how."""
    counts = Counter(slot.get_outcome_display() for slot in slots)
    words = ", ".join(f"{count} {label.lower()}" for label, count in counts.most_common())
    return f"The last {counted(len(slots), 'moment')}, oldest first: {words}."


@register.filter
def with_runs(reason: str) -> SafeString:
    """Link the runs that a reason names; all else is escaped."""
    text = str(conditional_escape(reason))
    return mark_safe(RUN.sub(_link, text))  # noqa: S308  # escaped above; _link escapes its own


def _link(match: re.Match[str]) -> str:
    return format_html('<a href="{}">{}</a>', reverse("run", args=[match[2]]), match[0])
