"""
Daily rows, partitioned by view, and their monthly sums; row-level security for everything an organization owns here.

The columns are written out: a migration must not change when the code does.
"""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

FIGURES = """
    records bigint not null,
    requests bigint, failed_requests bigint,
    input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, generation_ns bigint,
    device_nh bigint, device_low_nh bigint, device_middle_nh bigint, device_high_nh bigint,
    instance_nh bigint, instance_low_nh bigint, instance_middle_nh bigint, instance_high_nh bigint,
    gflop bigint, nano_seat_months bigint, energy_pkwh bigint, nano_cost bigint, reported_nkg bigint, water_nl bigint,
    energy_it_pkwh bigint, energy_it_pkwh_low bigint, energy_it_pkwh_high bigint,
    energy_facility_pkwh bigint, energy_facility_pkwh_low bigint, energy_facility_pkwh_high bigint,
    location_nkg bigint, location_nkg_low bigint, location_nkg_high bigint,
    market_nkg bigint, market_nkg_low bigint, market_nkg_high bigint,
    upstream_nkg bigint, upstream_nkg_low bigint, upstream_nkg_high bigint,
    embodied_nkg bigint, embodied_nkg_low bigint, embodied_nkg_high bigint,
    water_use_nl bigint, water_use_nl_low bigint, water_use_nl_high bigint,
    primary_energy_nmj bigint, primary_energy_nmj_low bigint, primary_energy_nmj_high bigint,
    adpe_nkg bigint, adpe_nkg_low bigint, adpe_nkg_high bigint,
"""

# The day stands before the series because every page asks for a period. No foreign key leads out: a trigger a row would
# halve the rate, and derive takes the ids from rows it has just read or made.
DAILY = f"""
create table accounting_daily (
    organization_id integer not null,
    view_id integer not null,
    resolved_id bigint not null,
    {FIGURES}
    day date not null,
    primary key (organization_id, view_id, day, resolved_id)
) partition by list (view_id)
"""

MONTHLY = f"""
create table accounting_monthly (
    organization_id integer not null,
    view_id integer not null,
    resolved_id bigint not null,
    {FIGURES}
    month date not null,
    primary key (organization_id, view_id, month, resolved_id)
)
"""

TENANT_TABLES = (
    "accounting_view",
    "accounting_coverageunit",
    "accounting_sourcelink",
    "accounting_plan",
    "accounting_sharederror",
    "accounting_resolved_series",
    "accounting_marketrate",
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0001_initial"),
        ("ledger", "0002_hot_tables"),
        ("organizations", "0002_row_level_security"),
    ]

    operations = [
        *(protect(table) for table in TENANT_TABLES),
        same_organization_key("accounting_coverageunit", "counting_source_id", "ledger_source"),
        same_organization_key("accounting_sourcelink", "source_id", "ledger_source"),
        same_organization_key("accounting_sourcelink", "unit_id", "accounting_coverageunit"),
        same_organization_key("accounting_resolved_series", "series_id", "ledger_series"),
        same_organization_key("accounting_resolved_series", "plan_id", "accounting_plan"),
        same_organization_key("accounting_resolved_series", "shared_error_id", "accounting_sharederror"),
        same_organization_key("accounting_marketrate", "view_id", "accounting_view"),
        migrations.RunSQL(DAILY, "drop table accounting_daily"),
        protect("accounting_daily"),
        migrations.RunSQL(MONTHLY, "drop table accounting_monthly"),
        protect("accounting_monthly"),
    ]
