"""Tags that lead to the record of changes."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Model
from django.urls import reverse
from django.utils.http import urlencode

from components.services.audit import word_of

register = template.Library()


@register.simple_tag
def changes_url(opts: Any, original: Model) -> str:
    """Return the address of the changes of a row in the admin panel; empty if none are recorded."""
    word = word_of(opts.label)
    return f"{reverse('audit')}?{urlencode({'type': word, 'id': original.pk})}" if word else ""
