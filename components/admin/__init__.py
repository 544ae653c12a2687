"""The admin panel, one module per noun; this file imports them all."""

from __future__ import annotations

from components.admin import access, component, configuration, job, storage

__all__ = ["access", "component", "configuration", "job", "storage"]
