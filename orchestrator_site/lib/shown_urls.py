"""URLs that are secrets, as people may see them."""

from __future__ import annotations

from urllib.parse import urlsplit

HIDDEN_PART = "…"  # no address holds it: a text that does is one as it was shown
SHOWN_END = 4  # characters of a URL's end that are shown
SHOWN_HOST = 200


def show_url(url: str) -> str:
    """Return a URL by its host and its last characters: `https://hooks.slack.com/…a1B2`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2][:SHOWN_HOST]
    rest = url.partition(parts.netloc)[2]
    end = rest[-SHOWN_END:] if len(rest) > 3 * SHOWN_END else ""
    return f"{parts.scheme}://{host}/{HIDDEN_PART}{end}"
