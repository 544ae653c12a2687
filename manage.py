#!/usr/bin/env python
"""Django's command-line entry point."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from orchestrator_site.lib.actor import become, command


def main() -> None:
    """Run one management command; a wrong setting ends it with its sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    become(command(" ".join(sys.argv[1:2])))
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The settings are not right: {error}")


if __name__ == "__main__":
    main()
