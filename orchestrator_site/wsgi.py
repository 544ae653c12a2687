"""The WSGI application that gunicorn serves; the server that imports it watches the scheduler."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

application = get_wsgi_application()


def _watch() -> None:
    from orchestrations.services.watching import watch_from_web  # noqa: PLC0415  # needs the apps

    watch_from_web()


_watch()
