"""The admin panel, one module per noun; this file imports them all."""

from __future__ import annotations

from components.admin import component, configuration

__all__ = ["component", "configuration"]
