"""Doors and the pages about what came in."""

from django.urls import URLPattern, URLResolver, path, re_path

from ingestion.http import codecarbon, health
from ingestion.http.activity import post_activity
from ingestion.http.batches import BatchView, RejectedView
from ingestion.http.imports import post_import
from ingestion.http.otlp import post_otlp

# The CodeCarbon client appends its paths to whatever it was given, so a slash may come twice.
CODECARBON = "^codecarbon/+"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/activity", post_activity, name="activity"),
    path("api/v1/batches/<uuid:batch_id>", BatchView.as_view(), name="batch"),
    path("api/v1/batches/<uuid:batch_id>/rejected", RejectedView.as_view(), name="batch_rejected"),
    path("api/v1/imports", post_import, name="imports"),
    re_path("^otlp/+v1/(?P<signal>traces|metrics|logs)$", post_otlp, name="otlp"),
    re_path(CODECARBON + "runs/*$", codecarbon.post_run, name="codecarbon_runs"),
    re_path(CODECARBON + "emissions/*$", codecarbon.post_emission, name="codecarbon_emissions"),
    re_path(CODECARBON + "http-output/+(?P<secret>[^/]+)/*$", codecarbon.post_output, name="codecarbon_output"),
    re_path(CODECARBON, codecarbon.other_call, name="codecarbon_other"),
]
