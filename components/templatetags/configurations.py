"""Tags of the catalogue and configuration pages."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from components.queries.configurations import status_label

register = template.Library()
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@register.filter
def markdown(text: str) -> SafeString:
    """Render Markdown; HTML in it is shown as text, and links lead nowhere dangerous."""
    html: str = _markdown.render(text or "")
    return mark_safe(html)  # noqa: S308  # the renderer escapes everything that it does not make


@register.filter
def job_status(status: str | None) -> str:
    """Return a job status as people read it."""
    return status_label(status)
