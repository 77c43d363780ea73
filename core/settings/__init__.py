"""The wiring: the environment is read here, once. Everything else reads ``django.conf.settings``."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

import core.local as embedded

from .databases import connection
from .environment import boolean, integer, text
from .mail import mail_server, networks

BASE_DIR = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"

PRODUCTION = boolean("PRODUCTION")
DEBUG = boolean("DEBUG") and not PRODUCTION
VAR_DIR = Path(text("VAR_DIR", str(BASE_DIR / "var"))).absolute()

# Databases: the application's role owns nothing and cannot bypass row-level security; the owner's role migrates.
DATABASE_URL = text("DATABASE_URL", "")
REDIS_URL = text("REDIS_URL", "")
if PRODUCTION and not (DATABASE_URL and REDIS_URL):
    raise ImproperlyConfigured(
        "PRODUCTION=1 needs DATABASE_URL and REDIS_URL: the embedded servers are for trying out."
    )
_embedded = {} if DATABASE_URL and REDIS_URL else embedded.urls(VAR_DIR)
DATABASE_URL = DATABASE_URL or _embedded["DATABASE_URL"]
MIGRATE_DATABASE_URL = text("MIGRATE_DATABASE_URL", _embedded.get("MIGRATE_DATABASE_URL", DATABASE_URL))
REDIS_URL = REDIS_URL or _embedded["REDIS_URL"]
ALLOW_RLS_BYPASS = boolean("ALLOW_RLS_BYPASS")
DATABASES = {
    "default": connection("DATABASE_URL", DATABASE_URL),
    "owner": connection("MIGRATE_DATABASE_URL", MIGRATE_DATABASE_URL) | {"CONN_MAX_AGE": 0},
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

SECRET_KEY = text(
    "SECRET_KEY",
    # Before the first start of the embedded servers there is no session yet that another process must understand.
    _embedded.get("SECRET_KEY", secrets.token_urlsafe(50)) if _embedded else None,
    hint="Use 50 random characters, the same for every process.",
)
BASE_URL = text("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = [
    host.strip() for host in text("ALLOWED_HOSTS", "" if PRODUCTION else "*").split(",") if host.strip()
] or ["localhost"]
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL.startswith("https://") else []
BEHIND_TLS_PROXY = boolean("BEHIND_TLS_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_TLS_PROXY else 0  # else all people share one limit of failed sign-ins
CSRF_FAILURE_VIEW = "core.problems.csrf_failed"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https://")
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "core.organizations",
    "core.delivery",
    "core.catalog",
    "core.factors",
    "core.ledger",
    "core.accounting",
    "ingestion",
    "reporting",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "core.compression.compression",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.organizations.middleware.request_context",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "core.languages.language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "csp.middleware.CSPMiddleware",
    "core.organizations.middleware.organization",
    "reporting.middleware.written_for",
]

ROOT_URLCONF = "core.urls"
WSGI_APPLICATION = "core.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                "django.template.loaders.filesystem.Loader",
                "django.template.loaders.app_directories.Loader",
            ]
            if DEBUG
            else [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "reporting.navigation.navigation",
            ],
        },
    },
]

# People
AUTH_USER_MODEL = "organizations.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "core.organizations.accounts.ClosedSignup"
ACCOUNT_SESSION_REMEMBER = True

# Web
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static" if PRODUCTION else None  # collected when the image is built
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION  # on one machine files are served as they lie: nothing to collect
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["core.organizations.authentication.RequestIdentity"],
    "DEFAULT_PERMISSION_CLASSES": ["core.organizations.authentication.HasIdentity"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "core.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Wattledger",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["core.organizations.authentication.HasIdentity"],
    "SCHEMA_PATH_PREFIX": "/api/v1",  # operations are grouped by what follows
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "defaultModelsExpandDepth": -1},
}

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("de", "Deutsch"),
]  # each by its own name; catalogues in locale/, dates in core/formats/
LANGUAGE_COOKIE_AGE = 366 * 24 * 3600  # [s]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "core.formats"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# Payloads and workers
MAX_PAYLOAD_MB = integer("MAX_PAYLOAD_MB", 64, minimum=1, maximum=4096)
PAYLOAD_URL = text("PAYLOAD_URL", str(VAR_DIR / "payloads"))
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # doors hold their own limit, on the unpacked size too
FILE_UPLOAD_TEMP_DIR = None

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)  # Celery's word for the same socket
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in (CELERY_TASK_DEFAULT_QUEUE, "restatements")]
CELERY_TASK_ROUTES = {"accounting.restate": {"queue": "restatements"}}  # its backlog is no backlog of the others
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = integer("WORKER_CONCURRENCY", 2, minimum=1, maximum=256)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 3600
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 4000, "socket_timeout": 5, "socket_connect_timeout": 2}
CELERY_BEAT_SCHEDULE = {
    "sweep inbox": {"task": "ingestion.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "sweep dirty days": {"task": "accounting.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "sweep exports": {"task": "reporting.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "sweep deliveries": {"task": "delivery.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "watch sources": {"task": "ingestion.watch_sources", "schedule": 60.0, "options": {"expires": 60}},
    "watch budgets": {"task": "reporting.watch_budgets", "schedule": 300.0, "options": {"expires": 300}},
    "make room ahead": {"task": "ingestion.housekeeping", "schedule": 3600.0, "options": {"expires": 3600}},
}
CACHES = {"default": {"BACKEND": "core.cache.ForgivingRedisCache", "LOCATION": REDIS_URL}}

# Messages
_mail = mail_server(text("EMAIL_URL", ""), BASE_URL)
EMAIL_CONFIGURED = bool(_mail.host)
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starts_tls, _mail.is_tls
EMAIL_TIMEOUT = 20  # [s]
DEFAULT_FROM_EMAIL = _mail.sender
WEBHOOK_NETWORKS = networks(text("WEBHOOK_NETWORKS", ""))

LOG_LEVEL = text("LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = text("LOG_FORMAT", "json" if PRODUCTION else "console", choices=("json", "console"))
LOGGING_CONFIG = "core.logging.configure"
LOGGING: dict[str, Any] = {"level": LOG_LEVEL, "format": LOG_FORMAT}
