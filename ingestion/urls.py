"""Doors and the pages about what came in."""

from django.urls import URLPattern, URLResolver, path

from ingestion.http.activity import post_activity
from ingestion.http.batches import BatchView, RejectedView

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/activity", post_activity, name="activity"),
    path("api/v1/batches/<uuid:batch_id>", BatchView.as_view(), name="batch"),
    path("api/v1/batches/<uuid:batch_id>/rejected", RejectedView.as_view(), name="batch_rejected"),
]
