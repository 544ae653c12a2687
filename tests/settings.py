"""The project's settings in a data directory of this test process alone."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

home = tempfile.mkdtemp(prefix="orchestrator-tests-")
os.mkdir(f"{home}/static")  # noqa: PTH102  # whitenoise warns where it is missing
atexit.register(shutil.rmtree, home, ignore_errors=True)
os.environ["ORCHESTRATOR_HOME"] = home
os.environ.setdefault("SECRET_KEY", "a key for the tests, long enough and nobody's secret")

from orchestrator_site.settings import *  # noqa: E402, F403  # after the environment is set

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # 100 times faster
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
if "DATABASE_URL" not in os.environ:
    # A file as in production: threads that share a database in memory lock each other's tables
    # out at once, whatever the timeout.
    DATABASES["default"]["TEST"] = {"NAME": f"{home}/test.sqlite3"}  # noqa: F405
