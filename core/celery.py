"""The Celery application: `celery --app core.celery:app worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

app = Celery("wattledger")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
