"""Who is at work: a person on a page, a program with a token, a command, or the system itself.

Known from the edge inwards by a context variable, so that whatever keeps a record of changes can
ask, and nothing between has to pass it on. Without anybody at the edge, as in a worker, it is the
system.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Actor:
    """Who does something, and by which way it came (the value of an AuditChannel)."""

    channel: str
    name: str = ""  # what is at work where no person is
    user: Any = None  # a user, perhaps a lazy one, perhaps nobody
    address: str | None = None
    token: str = ""  # name of the API token


SYSTEM = Actor("system", "system")
_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current() -> Actor:
    """Return who is at work."""
    return _current.get()


def become(actor: Actor) -> None:
    """Let everything that follows in this thread be done by `actor`."""
    _current.set(actor)


def command(name: str) -> Actor:
    """Return the one who types a command."""
    return Actor("command", f"manage.py {name}")


def recognise(user: Any, *, token: str = "") -> None:
    """Say who the one at work turned out to be, once a token was read."""
    _current.set(replace(_current.get(), user=user, token=token))


def vanish(user: Any) -> None:
    """Go on by name alone where the one at work deletes their own account."""
    actor = _current.get()
    if getattr(actor.user, "pk", None) == user.pk:
        _current.set(replace(actor, user=None, name=str(user)))


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let what happens inside be done by `actor`."""
    before = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(before)
