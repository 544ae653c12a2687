"""Versions of an orchestration: which there are, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.models import Configuration
from orchestrations.enums import Channel
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition, NotificationDesign
from orchestrations.queries.differences import Names, Part, differences, target
from orchestrator_site.lib.secrets import UnreadableSecret, Vault, hide_tree, site_keys
from orchestrator_site.lib.shown_urls import show_url


def compare(old: Definition, new: Definition) -> list[Part]:
    """Return what differs, grouped and in words; empty where nothing does. Two queries."""
    return differences(old, new, names_in([old, new]))


def names_in(definitions: Sequence[Definition]) -> Names:
    """Look up what the tasks of definitions run; two queries, however many tasks there are."""
    targets = {target(task) for d in definitions for p in d["phases"] for task in p["tasks"]}
    named: dict[tuple[str, int], str] = {}
    for kind, rows in (
        ("configuration", Configuration.objects.values_list("pk", "name")),
        ("orchestration", Orchestration.objects.values_list("pk", "name")),
    ):
        wanted = [pk for name, pk in targets if name == kind]
        named |= {(kind, pk): name for pk, name in rows.filter(pk__in=wanted)}
    notifications = [row for d in definitions for row in d["notifications"]]
    return Names(named, {row["address"]: _recipient(row) for row in notifications})


def missing_targets(definition: Definition) -> list[str]:
    """Return the name of its phase for each task whose target was deleted for good; two queries."""
    names = names_in([definition])
    return [
        phase["name"]
        for phase in definition["phases"]
        for task in phase["tasks"]
        if target(task) not in names.targets
    ]


def shown_definition(definition: Definition) -> dict[str, Any]:
    """Return a definition for programs to read: secrets and recipients' URLs are hidden."""
    phases = [
        {
            **phase,
            "tasks": [{**t, "parameters": hide_tree(t["parameters"])} for t in phase["tasks"]],
        }
        for phase in definition["phases"]
    ]
    notifications = [{**row, "address": _recipient(row)} for row in definition["notifications"]]
    return {**definition, "phases": phases, "notifications": notifications}


def _recipient(notification: NotificationDesign) -> str:
    """Return an address as people may see it: of a URL, which is a secret, host and end."""
    address = notification["address"]
    if notification["channel"] == Channel.EMAIL:
        return address
    try:
        return show_url(str(Vault(site_keys()).decrypt(address)))
    except (UnreadableSecret, ValueError):
        return "a URL that cannot be read"
