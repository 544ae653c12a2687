"""One settings file; what differs between installations comes from the environment (README)."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured

from orchestrator_site import env

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = env.folder("ORCHESTRATOR_HOME", BASE_DIR / "var")
VERSION = "0.1.0"

# Security
DEBUG = env.boolean("DEBUG", default=False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])
HTTPS = env.boolean("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 3600 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 14 * 24 * 3600
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
API_RATE_LIMIT = env.integer("API_RATE_LIMIT", 6000, low=1)
LOGIN_RATE_LIMIT = env.integer("LOGIN_RATE_LIMIT", 10, low=1)


def _secret_key() -> str:
    """Return SECRET_KEY; where the set runs embedded, one kept in the data directory.

    Generated only for the default SQLite database: with a shared one, several machines would each
    make their own and could not read one another's secrets.
    """
    given = env.text("SECRET_KEY")
    if given:
        if len(given) < 32:  # noqa: PLR2004  # 256 bits as hex or better
            raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters.")
        return given
    if os.environ.get("DATABASE_URL", "").startswith(("postgres", "postgresql")):
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With DATABASE_URL it must be the same on every machine: "
            "a random text of 50 characters."
        )
    path = HOME / "secret_key"
    if not path.exists():
        mine = HOME / f".secret_key.{os.getpid()}"
        mine.touch(mode=0o600)
        mine.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):  # another process was first: its key is the one
            os.link(mine, path)
        mine.unlink()
    return path.read_text().strip()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", [])

INSTALLED_APPS = [
    "components.apps.ComponentsConfig",
    "orchestrations.apps.OrchestrationsConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_htmx",
    "ninja",  # serves its documentation page's files from here instead of a CDN
    "crispy_forms",
    "crispy_bootstrap5",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "orchestrator_site.lib.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "orchestrator_site.lib.addresses.ActorMiddleware",
    "orchestrator_site.lib.access.PagesNeedLoginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "orchestrator_site.lib.timezone.ViewerTimezoneMiddleware",
    "orchestrator_site.lib.rate_limit.RateLimitMiddleware",
    "orchestrator_site.lib.errors.ErrorReferenceMiddleware",
]
ROOT_URLCONF = "orchestrator_site.urls"
WSGI_APPLICATION = "orchestrator_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.tz",
            ]
        },
    }
]
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"

# Database
DATABASES = {"default": env.database("DATABASE_URL", HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Time and language
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")
if TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured(
        f"TIME_ZONE is “{TIME_ZONE}”; it takes an IANA zone such as Europe/Prague."
    )

# Static files
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

# E-mail
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.integer("EMAIL_PORT", 587, low=1, high=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=True)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "orchestrator@localhost")
# Links in messages lead here: messages are written by workers, which see no request.
BASE_URL = env.url(
    "BASE_URL",
    f"http://{env.text('HOST', '127.0.0.1')}:{env.integer('PORT', 8000, low=1, high=65535)}",
    ["http", "https"],
).rstrip("/")
ALARM_RECIPIENTS = env.words("ALARM_RECIPIENTS", [])
WEBHOOK_PRIVATE_HOSTS = env.boolean("WEBHOOK_PRIVATE_HOSTS", default=True)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"

# Celery: a doorbell. Ids only; acknowledged early, because the claim in the database decides.
BROKER_PATH = HOME / "broker.sqlite3"
CELERY_BROKER_URL = env.url(
    "BROKER_URL", "sqlitebroker://", ["sqlitebroker", "redis", "rediss", "amqp", "amqps"]
)
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"path": str(BROKER_PATH), "polling_interval": 0.5, "visibility_timeout": 30}
    if CELERY_BROKER_URL.startswith("sqlitebroker")
    else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_ROUTES = {"components.tasks.run_job": {"queue": "jobs"}}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "orchestrations.scheduling.beat:SlotScheduler"
# A publish that meets a broker away must fail within seconds: the sweeper sends it again.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2}
DJANGO_CELERY_BEAT_TZ_AWARE = True

# Running
# Uploads live beside it, under the same name with “-uploads”: never inside, where they are swept.
STORAGE_URL = env.url("STORAGE_URL", f"file://{HOME / 'storage'}", ["file", "s3"]).rstrip("/")
FILES_ROOT = env.folder("FILES_ROOT", HOME / "files")
# Where triggers may look for files: folders, and s3://bucket/prefix.
WATCHED_PLACES = env.places("WATCHED_PLACES", HOME / "incoming")
COMPONENT_MODULES = env.words("COMPONENT_MODULES", [])
JOB_LIMIT = env.integer("JOB_LIMIT", 10, low=1, high=1000)
JOB_TIME_LIMIT = env.integer("JOB_TIME_LIMIT", 3600, low=1)
JOB_MEMORY_LIMIT_MB = env.integer("JOB_MEMORY_LIMIT_MB", 2048, low=64)
UPLOAD_LIMIT_MB = env.integer("UPLOAD_LIMIT_MB", 1024, low=1)
NESTING_LIMIT = env.integer("NESTING_LIMIT", 2, low=1, high=20)
TABLE_VERSIONS_KEPT = env.integer("TABLE_VERSIONS_KEPT", 30, low=1)
CURRENCY_RATES_URL = env.url(
    "CURRENCY_RATES_URL", "https://www.ecb.europa.eu/stats/eurofxref", ["https", "http"]
)
SEGMENT_CACHE_MB = env.integer("SEGMENT_CACHE_MB", 2048, low=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 30_000  # five for each task of the largest orchestration
FILE_UPLOAD_TEMP_DIR = str(env.folder("UPLOAD_TEMP_DIR", HOME / "tmp"))
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "level": "INFO"},
        # Both would write whole addresses into the log, which may be secrets.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # A line for each task of each ten seconds tells nobody anything.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
