"""
Monthly sums leave 64 bits where a day does not: from 9.2 GWh of one series in a month.

The columns are written out: a migration must not change when the code does.
"""

from django.db import migrations

FIGURES = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "generation_ns",
    "device_nh",
    "device_low_nh",
    "device_middle_nh",
    "device_high_nh",
    "instance_nh",
    "instance_low_nh",
    "instance_middle_nh",
    "instance_high_nh",
    "gflop",
    "nano_seat_months",
    "energy_pkwh",
    "nano_cost",
    "reported_nkg",
    "water_nl",
    "energy_it_pkwh",
    "energy_it_pkwh_low",
    "energy_it_pkwh_high",
    "energy_facility_pkwh",
    "energy_facility_pkwh_low",
    "energy_facility_pkwh_high",
    "location_nkg",
    "location_nkg_low",
    "location_nkg_high",
    "market_nkg",
    "market_nkg_low",
    "market_nkg_high",
    "upstream_nkg",
    "upstream_nkg_low",
    "upstream_nkg_high",
    "embodied_nkg",
    "embodied_nkg_low",
    "embodied_nkg_high",
    "water_use_nl",
    "water_use_nl_low",
    "water_use_nl_high",
    "primary_energy_nmj",
    "primary_energy_nmj_low",
    "primary_energy_nmj_high",
    "adpe_nkg",
    "adpe_nkg_low",
    "adpe_nkg_high",
)


def change(kind: str) -> str:
    """Write the change of every figure's type; ``records`` stays: nobody has that many."""
    return "alter table accounting_monthly " + ", ".join(f"alter column {name} type {kind}" for name in FIGURES)


class Migration(migrations.Migration):
    dependencies = [("accounting", "0002_rows")]

    operations = [migrations.RunSQL(change("numeric"), change("bigint"))]
