"""Doors and the pages about what came in."""

from django.urls import URLPattern, URLResolver, path, re_path

from ingestion.http import codecarbon, health
from ingestion.http.activity import activity
from ingestion.http.batches import BatchView, RejectedView
from ingestion.http.imports import post_import
from ingestion.http.litellm import post_events
from ingestion.http.otlp import post_otlp
from ingestion.http.register import register
from ingestion.http.sources import SourcesView
from ingestion.pages import (
    add_source,
    bill_rules,
    connections,
    months,
    privacy,
    quality,
    quality_conflicts,
    quality_fix,
    source,
    sources,
)

# The CodeCarbon client appends its paths to whatever it was given, so a slash may come twice.
CODECARBON = "^codecarbon/+"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/activity", activity, name="activity"),
    path("api/v1/batches/<uuid:batch_id>", BatchView.as_view(), name="batch"),
    path("api/v1/batches/<uuid:batch_id>/rejected", RejectedView.as_view(), name="batch_rejected"),
    path("api/v1/imports", post_import, name="imports"),
    path("api/v1/sources", SourcesView.as_view(), name="api_sources"),
    path("api/v1/register", register, name="register"),
    path("api/v1/sources/litellm", post_events, name="litellm"),
    re_path("^otlp/+v1/(?P<signal>traces|metrics|logs)$", post_otlp, name="otlp"),
    re_path(CODECARBON + "runs/*$", codecarbon.post_run, name="codecarbon_runs"),
    re_path(CODECARBON + "emissions/*$", codecarbon.post_emission, name="codecarbon_emissions"),
    re_path(CODECARBON + "http-output/+(?P<secret>[^/]+)/*$", codecarbon.post_output, name="codecarbon_output"),
    path("sources/", sources.sources, name="sources"),
    path("sources/add/", add_source.add, name="source_add"),
    path("sources/<int:source_id>/live/", add_source.live, name="source_live"),
    path("sources/months/", months.months, name="months"),
    path("sources/months/template.csv", months.template_file, name="months_template"),
    path("sources/import/", sources.import_files, name="import"),
    re_path("^sources/import/template\\.(?P<ending>csv|xlsx)$", sources.template_file, name="import_template"),
    path("sources/import/seats.csv", sources.seats_template, name="seats_template"),
    path("sources/batches/", sources.batches, name="batches"),
    path("sources/batches/<uuid:batch_id>/", sources.batch, name="batch_page"),
    path("sources/batches/<uuid:batch_id>/commit/", sources.commit_batch, name="batch_commit"),
    path("sources/batches/<uuid:batch_id>/confirm/", sources.confirm_batch, name="batch_confirm"),
    path("sources/experiments/", connections.experiments, name="experiments"),
    path("sources/<int:source_id>/", source.source, name="source"),
    path("sources/<int:source_id>/settings/", source.settings, name="source_settings"),
    path("sources/<int:source_id>/token/", source.token, name="source_token"),
    path("sources/<int:source_id>/token/<int:token_id>/revoke/", source.revoke, name="source_revoke"),
    path("sources/<int:source_id>/delete/", source.delete_data, name="source_delete"),
    path("sources/<int:source_id>/deletions/", source.deletion_progress, name="source_deletions"),
    path("sources/<int:source_id>/deletions/<int:deletion_id>/restore/", source.restore_data, name="source_restore"),
    path("sources/<int:source_id>/pause/", connections.pause, name="source_pause"),
    path("settings/bill-rules/", bill_rules.bill_rules, name="bill_rules"),
    path("settings/bill-rules/<int:source_id>/add/", bill_rules.bill_rule, name="bill_rule_add"),
    path("settings/bill-rules/<int:source_id>/edit/<path:name>/", bill_rules.bill_rule, name="bill_rule_edit"),
    path("settings/bill-rules/<int:source_id>/change/", bill_rules.change_rules, name="bill_rules_change"),
    path("settings/bill-rules/<int:source_id>/import/", bill_rules.import_rules, name="bill_rules_import"),
    path("settings/bill-rules/<int:source_id>/rules.csv", bill_rules.export_rules, name="bill_rules_export"),
    path("settings/privacy/", privacy.privacy, name="privacy"),
    path("settings/privacy/user-counts/", privacy.ask_for_user_counts, name="ask_for_user_counts"),
    path("settings/privacy/user-counts/approve/", privacy.approve_counts, name="approve_user_counts"),
    path("settings/privacy/user-counts/end/", privacy.end_counts, name="end_user_counts"),
    path("settings/privacy/retention/", privacy.change_retention, name="change_retention"),
    path("quality/", quality.quality, name="quality"),
    path("quality/<int:source_id>/conflicts/", quality_conflicts.conflicts, name="quality_conflicts"),
    path(
        "quality/<int:source_id>/conflicts/<int:row_id>/back/",
        quality_conflicts.take_back,
        name="quality_conflict_back",
    ),
    path("quality/<int:source_id>/<slug:reason>/", quality.quality_rows, name="quality_rows"),
    path("quality/<int:source_id>/<slug:reason>/fix/", quality_fix.fix, name="quality_fix"),
    re_path("^quality/export\\.(?P<ending>csv|json)$", quality_fix.export, name="quality_export"),
    path("quality/replay/", quality.replay, name="quality_replay"),
    path("quality/discard/", quality.discard, name="quality_discard"),
    re_path(CODECARBON, codecarbon.other_call, name="codecarbon_other"),
]
