"""The built-in components, and those of modules that the installation names."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from components.builtin.contract import Manifest


def manifests(modules: Iterable[str] = ()) -> dict[str, Manifest]:
    """Return all components by key: built-in ones, then those of `modules`.

    A module offers them as `MANIFEST` or a list `MANIFESTS`. Raises ImportError for a module that
    is not there and ValueError where two share a key.
    """
    return _load(tuple(modules))


@cache
def _load(modules: tuple[str, ...]) -> dict[str, Manifest]:
    found: dict[str, Manifest] = {}
    for name in (*_built_in(), *modules):
        for manifest in _of(name):
            if manifest.key in found:
                raise ValueError(f"Two components have the key “{manifest.key}”; one is in {name}.")
            found[manifest.key] = manifest
    return found


def _built_in() -> list[str]:
    return sorted(
        f"{__name__}.{module.name}"
        for module in pkgutil.iter_modules(__path__)
        if not module.ispkg and module.name != "contract"
    )


def _of(name: str) -> list[Manifest]:
    module = importlib.import_module(name)
    one: Manifest | None = getattr(module, "MANIFEST", None)
    return [one] if one else list(getattr(module, "MANIFESTS", ()))
