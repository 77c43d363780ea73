"""Coordinates of CodeCarbon's runs are no longer stored: whether an agent knew its place is."""

from django.db import migrations

FORGET = """
alter table ingestion_codecarbon_run no force row level security;
update ingestion_codecarbon_run
set body = (body - 'longitude' - 'latitude') || jsonb_build_object('unlocated', coalesce(
    (body ->> 'longitude')::float8 = -71.2 and (body ->> 'latitude')::float8 = 46.8, false))
where body ?| array['longitude', 'latitude'];
alter table ingestion_codecarbon_run force row level security;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0004_source_alert")]

    operations = [migrations.RunSQL(FORGET, migrations.RunSQL.noop)]
