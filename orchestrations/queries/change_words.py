"""What changed, in one sentence: what a version says of itself."""

from __future__ import annotations

from orchestrations.models.orchestration import ScheduleDesign, TriggerDesign
from orchestrations.queries.design_words import cron_words, schedule_words, trigger_facts
from orchestrations.queries.differences import schedule_changes
from orchestrator_site.lib.differences import Change, changed_places


def schedule_sentence(old: ScheduleDesign, new: ScheduleDesign) -> str:
    """Say what changed of a schedule: “Changed schedule “Mornings”: every day at 05:00 → …”."""
    title = old["name"] or schedule_words(old)
    parts = [_part(each, old, new) for each in schedule_changes(old, new)]
    return f"Changed schedule “{title}”: {'; '.join(parts)}." if parts else ""


def trigger_sentence(old: TriggerDesign, new: TriggerDesign) -> str:
    """Say what changed of a trigger; empty where nothing did."""
    title = old["name"] or ", ".join(old["tables"])
    parts = [
        _switched(each) or _named(each) or _plain(each)
        for each in changed_places(trigger_facts(old), trigger_facts(new))
    ]
    return f"Changed trigger “{title}”: {'; '.join(parts)}." if parts else ""


def _part(each: Change, old: ScheduleDesign, new: ScheduleDesign) -> str:
    if each.path == "When":
        return _when(old, new)
    return _switched(each) or _named(each) or _plain(each)


def _switched(each: Change) -> str:
    if each.path != "Enabled":
        return ""
    return "switched on" if each.after == "yes" else "switched off"


def _named(each: Change) -> str:
    if each.path != "Name":
        return ""
    return f"renamed to “{each.after}”" if each.after else "no name any more"


def _plain(each: Change) -> str:
    label = _small(each.path)
    if each.after is None:
        return f"removed {label}"
    return f"{label}: {each.before or 'none'} → {each.after or 'none'}"


def _when(old: ScheduleDesign, new: ScheduleDesign) -> str:
    if not old["name"]:  # its title says when it fired
        return f"now {_small(schedule_words(new))}"
    same = old["timezone"] == new["timezone"]
    before = cron_words(old["cron"]) if same else schedule_words(old)
    return f"{_small(before)} → {_small(schedule_words(new))}"


def _small(text: str) -> str:
    """Let a sentence go on; names of weekdays stay great."""
    first = text.split(" ", 1)[0]
    return text if first.endswith("day") else text[:1].lower() + text[1:]
