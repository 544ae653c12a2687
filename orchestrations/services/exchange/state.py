"""What an installation holds when files are compared with it, read and locked at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from components.models import Component, Configuration
from orchestrations.enums import Channel
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition
from orchestrations.services.exchange.checking import Wanted
from orchestrations.services.exchange.documents import latest_definitions
from orchestrations.services.exchange.keys import give_keys
from orchestrations.services.exchange.references import body, ciphers_in


@dataclass
class State:
    """Objects by key, the trash too, with latest definitions by id and the stored secrets."""

    components: dict[str, Component]
    configurations: dict[str, Configuration]
    orchestrations: dict[str, Orchestration]
    definitions: dict[int, Definition]
    ciphers: dict[str, str]


def lock_state(wanted: Wanted, *, everything: bool = False) -> State:
    """Return the installation's state, with the objects locked that files may change.

    `everything` locks those too that the files do not name. Orchestrations before configurations,
    each by id: callers at the same time wait for each other.
    """
    give_keys()
    changed = Orchestration.objects.select_for_update(no_key=True)
    locked = Configuration.objects.select_for_update(of=("self",))
    if not everything:
        changed = changed.filter(key__in=wanted.orchestrations)
        locked = locked.filter(key__in=wanted.configurations)
    list(changed.order_by("pk").values_list("pk", flat=True))
    list(locked.order_by("pk").values_list("pk", flat=True))
    configurations = Configuration.objects.select_related("component")
    orchestrations = {str(row.key): row for row in Orchestration.objects.all()}
    state = State(
        components={row.key: row for row in Component.objects.all()},
        configurations={str(row.key): row for row in configurations},
        orchestrations=orchestrations,
        definitions=latest_definitions(),
        ciphers={},
    )
    state.ciphers = _ciphers(state.configurations.values())
    for row in orchestrations.values():
        state.ciphers |= _ciphers_of(row, state.definitions.get(row.pk))
    return state


def _ciphers(configurations: Iterable[Configuration]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in configurations:
        found |= ciphers_in(row.parameters, ("configurations", str(row.key)))
    return found


def _ciphers_of(row: Orchestration, definition: Definition | None) -> dict[str, str]:
    """Return the secrets of an orchestration: in its tasks' parameters, and URLs it writes to."""
    if definition is None:
        return {}
    place = ("orchestrations", str(row.key))
    found: dict[str, str] = {}
    for phase in definition["phases"]:
        for task in phase["tasks"]:
            found |= ciphers_in(task["parameters"], (*place, "tasks", task["key"]))
    for each in definition["notifications"]:
        if each["channel"] != Channel.EMAIL:
            found[body((*place, "notifications", each["key"]))] = each["address"]
    return found
