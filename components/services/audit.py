"""The record of changes: who changed what, when and from where, each field before and after.

A model is watched from `receivers.py` of its app. What a model's rows cannot tell is recorded by
its service with `record`. An entry is written in the transaction of the change it tells of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.db.models import Field, ForeignKey, JSONField, Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from components.enums import AuditAction
from components.models import AuditEntry
from orchestrator_site.lib import actor as actors
from orchestrator_site.lib.differences import NOTHING, SECRET, places, shown
from orchestrator_site.lib.secrets import PREFIX

LONGEST = 2000  # characters of one value
MOST = 100  # places of one entry
NOBODY = "somebody"
BEFORE = "_audit_before"

Changes = dict[str, tuple[Any, Any]]  # by place: the raw value before and after, or NOTHING
_silent: ContextVar[bool] = ContextVar("silent", default=False)
_labels: dict[str, str] = {}  # the models that are watched, by their words


@dataclass(frozen=True)
class Subject:
    """What an entry tells of; `about` is what that belongs to, such as `orchestration:7`."""

    type: str
    id: str
    name: str
    about: str = ""


@dataclass(frozen=True)
class Secret:
    """A value that is compared, and never shown."""

    value: Any


@dataclass(frozen=True)
class Related:
    """A row that is referred to; its name is asked for only where it is told."""

    model: Any
    pk: Any

    def __str__(self) -> str:
        row = self.model._base_manager.filter(pk=self.pk).first()  # noqa: SLF001
        return str(row or f"no. {self.pk}")


@dataclass(frozen=True)
class Watched:
    """A model whose changes are recorded: which fields, and how they are called."""

    word: str
    fields: Mapping[str, str]  # name in the model: title
    secret: frozenset[str] = frozenset()  # fields that are never shown
    flags: frozenset[str] = frozenset()  # moments that are shown as yes or no
    name: Callable[[Any], str] = str
    about: Callable[[Any], str] | None = None
    skips: Callable[[Any], bool] | None = None
    skips_new: bool = False  # its making is told by something else, or nobody's doing
    skips_end: bool = False  # its end is told by something else
    only_people: bool = False  # not what the system does by itself

    def subject(self, instance: Model) -> Subject:
        """Return how entries call an object."""
        about = self.about(instance) if self.about else ""
        return Subject(self.word, str(instance.pk), self.name(instance), about)

    def is_off(self, instance: Model) -> bool:
        """Tell whether a change of this object, made by whoever is at work, is left out."""
        by_system = self.only_people and actors.current().channel == actors.SYSTEM.channel
        return _silent.get() or by_system or bool(self.skips and self.skips(instance))


@contextmanager
def silence() -> Iterator[None]:
    """Record nothing inside: for rows that mirror others, or come with the code."""
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


def watch(label: str, watched: Watched) -> None:
    """Record from now on each change of a model, named as `app.Model`."""
    _labels[watched.word] = label
    for signal, receiver in (
        (pre_save, _remember),
        (post_save, _record_saved),
        (post_delete, _record_deleted),
    ):
        signal.connect(
            partial(receiver, watched),
            sender=label,
            weak=False,
            dispatch_uid=f"audit {label}",
        )


@dataclass(frozen=True)
class Side:
    """One side of a many-to-many field: how entries call its rows, and those of the other side."""

    word: str
    title: str  # of what joins and leaves
    others: str  # name of the manager of those
    naming: str  # field that names them


def watch_members(through: type[Model], sides: Mapping[type[Model], Side]) -> None:
    """Record what joins and leaves by a many-to-many field, from whichever side."""
    m2m_changed.connect(
        partial(_record_members, sides),
        sender=through,
        weak=False,
        dispatch_uid=f"audit {through._meta.label}",  # noqa: SLF001
    )


def models_with_pages() -> dict[str, type[Model]]:
    """Return the watched models whose rows have an address, by their words."""
    models = {word: apps.get_model(label) for word, label in _labels.items()}
    return {word: model for word, model in models.items() if hasattr(model, "get_absolute_url")}


def word_of(label: str) -> str:
    """Return what entries call the rows of a model, named as `app.Model`; empty for others."""
    return next((word for word, each in _labels.items() if each == label), "")


def record(action: AuditAction, subject: Subject, changes: Changes | None = None) -> None:
    """Write one entry; without a change of a value nothing, unless there are none to be told."""
    record_all([(action, subject, changes)])


def record_all(told: Iterable[tuple[AuditAction, Subject, Changes | None]]) -> None:
    """Write several entries with one statement, in this order."""
    if _silent.get():
        return
    entries = []
    for action, subject, changes in told:
        rows = readable(changes or {})
        if rows or changes is None or action != AuditAction.CHANGED:
            entries.append(_entry(action, subject, rows))
    AuditEntry.objects.bulk_create(entries)


def readable(changes: Changes) -> dict[str, list[str | None]]:
    """Return what changed as people read it; secrets are named, long values cut."""
    rows: dict[str, list[str | None]] = {}
    for place, (old, new) in changes.items():
        if old == new:
            continue
        before, after = _shown(place, old), _shown(place, new)
        if before == after:
            after = f"another {SECRET.removeprefix('a ')}" if after == SECRET else after
        if before or after:
            rows[place] = [before, after]
    if len(rows) > MOST:
        left_out = len(rows) - MOST
        rows = dict(list(rows.items())[:MOST]) | {"…": [None, f"{left_out} more places"]}
    return rows


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Return the places of both that differ, those of the old one first."""
    found = {**old, **new}
    pairs = {place: (old.get(place, NOTHING), new.get(place, NOTHING)) for place in found}
    return {place: (a, b) for place, (a, b) in pairs.items() if a != b}


def _entry(
    action: AuditAction, subject: Subject, changes: dict[str, list[str | None]]
) -> AuditEntry:
    actor = actors.current()
    user = actor.user if getattr(actor.user, "is_authenticated", False) else None
    return AuditEntry(
        user_id=user.pk if user else None,
        actor=(user.get_username() if user else actor.name or NOBODY)[:200],
        channel=actor.channel,
        address=actor.address,
        token_name=actor.token[:100],
        action=action,
        object_type=subject.type,
        object_id=subject.id[:40],
        object_name=subject.name[:300],
        about=(subject.about or f"{subject.type}:{subject.id}")[:100],
        changes=changes,
    )


def _remember(
    watched: Watched,
    sender: type[Model],
    instance: Model,
    *,
    raw: bool,
    update_fields: Sequence[str] | None,
    **_: Any,
) -> None:
    """Read the row as it is before it is saved, with the fields that may change."""
    instance.__dict__.pop(BEFORE, None)
    touched = [f for f in watched.fields if update_fields is None or f in update_fields]
    if raw or not touched or instance._state.adding or watched.is_off(instance):  # noqa: SLF001
        return
    rows = sender._base_manager.filter(pk=instance.pk)  # noqa: SLF001  # in the trash too
    instance.__dict__[BEFORE] = rows.values(*touched).first()


def _record_saved(
    watched: Watched,
    sender: type[Model],
    instance: Model,
    *,
    created: bool,
    raw: bool,
    **_: Any,
) -> None:
    before: dict[str, Any] | None = instance.__dict__.pop(BEFORE, None)
    is_unknown = watched.skips_new if created else before is None
    if raw or is_unknown or watched.is_off(instance):
        return
    touched = list(before or watched.fields)
    old = _values(watched, sender, before) if before else {}
    new = _values(watched, sender, {name: _value(instance, name) for name in touched})
    action = AuditAction.CHANGED if before else AuditAction.CREATED
    changes = between(old, new)
    if changes or created:
        record(action, watched.subject(instance), changes)


def _record_deleted(watched: Watched, sender: type[Model], instance: Model, **_: Any) -> None:
    if not watched.skips_end and not watched.is_off(instance):
        values = {name: _value(instance, name) for name in watched.fields}
        changes = between(_values(watched, sender, values), {})
        record(AuditAction.DELETED, watched.subject(instance), changes)


def _record_members(
    sides: Mapping[type[Model], Side],
    *,
    instance: Model,
    action: str,
    model: type[Model],
    pk_set: set[Any] | None,
    **_: Any,
) -> None:
    side = sides.get(type(instance))
    if action not in {"post_add", "post_remove", "pre_clear"} or side is None or _silent.get():
        return
    rows = getattr(instance, side.others).all()
    if pk_set is not None:
        rows = model._base_manager.filter(pk__in=pk_set)  # noqa: SLF001
    names = ", ".join(rows.order_by(side.naming).values_list(side.naming, flat=True))
    if names:
        pair = (NOTHING, names) if action == "post_add" else (names, NOTHING)
        subject = Subject(side.word, str(instance.pk), str(instance))
        record(AuditAction.CHANGED, subject, {side.title: pair})


def _value(instance: Model, name: str) -> Any:
    field_ = instance._meta.get_field(name)  # noqa: SLF001
    return getattr(instance, field_.attname if isinstance(field_, ForeignKey) else name)


def _values(watched: Watched, model: type[Model], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's values by their titles, those inside JSON by the way to them."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        title, column = watched.fields[name], model._meta.get_field(name)  # noqa: SLF001
        if isinstance(column, JSONField):
            found |= dict(places(title, value)) if value is not None else {}
        elif name in watched.secret:
            found[title] = Secret(value)
        else:
            found[title] = _plain(column, value, is_flag=name in watched.flags)
    return found


def _plain(column: Any, value: Any, *, is_flag: bool) -> Any:
    """Return a column's value as it is called on pages."""
    if is_flag:
        return True if value is not None else None
    if isinstance(column, ForeignKey) and value is not None:
        return Related(column.related_model, value)
    if isinstance(column, Field) and column.choices:
        return str(dict(column.flatchoices).get(value, value))
    is_simple = value is None or isinstance(value, str | int | float | datetime)
    return value if is_simple else str(value)  # a time zone of beat's, for one


def _shown(place: str, value: Any) -> str | None:
    if isinstance(value, str) and value.startswith(PREFIX):
        return SECRET
    if value is None or value is NOTHING or value == Secret(None):
        return None
    text = shown(place, _simple(value)) or ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _simple(value: Any) -> Any:
    if isinstance(value, Secret):
        return SECRET
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(value) if isinstance(value, Related) else value
