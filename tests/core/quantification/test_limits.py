"""Measures beyond belief are held back; the largest that are believed fit the integers of every impact."""

from __future__ import annotations

from typing import Any

import pytest

from core.factors.pack import load_pack
from core.quantification import cells, limits, records
from core.quantification.answer import measures_as_delivered
from core.quantification.limits import Limits
from core.quantification.quantify import BOUNDS, INTEGERS, quantify
from core.quantification.use import USE_TEXT

HOUR = {"started_at": "2026-10-01T09:00:00Z", "ended_at": "2026-10-01T10:00:00Z"}
DAY = {"started_at": "2026-10-01T00:00:00Z", "ended_at": "2026-10-02T00:00:00Z"}
INSTANT = {"started_at": "2026-10-01T09:00:00Z", "ended_at": "2026-10-01T09:00:00Z"}
RECORD = {"record_id": "r", "stage": "training", "hosting": "owned", "evidence": "measured"}


def faults(given: Limits | None = None, **fields: Any) -> list[tuple[str | None, str]]:
    needed = {"energy_boundary": "it"} if "energy_kwh" in fields else {}
    needed |= {"reported_basis": "location"} if "reported_kg_co2e" in fields else {}
    frame, unread = records.from_wire([(1, {**RECORD, **needed, **fields})])
    assert unread == []
    _, rejected = records.check_activity(frame, limits=given or Limits())
    return [(found.field, found.reason) for found in rejected]


@pytest.mark.parametrize(
    ("times", "field", "believed", "beyond", "reason"),
    [
        (HOUR, "energy_kwh", 50_000.0, 1e6, "implausible_energy"),
        (INSTANT, "energy_kwh", 50_000.0, 50_001.0, "implausible_energy"),
        (DAY, "device_hours", 80_000.0 * 24, 2e7, "implausible_hours"),
        (DAY, "instance_hours", 10_000.0 * 24, 240_001.0, "implausible_hours"),
        (HOUR, "input_tokens", 10**13, 9 * 10**18, "implausible_count"),
        (HOUR, "output_tokens", 10**13, 10**13 + 10**6, "implausible_count"),
        (HOUR, "requests", 10**12, 10**15, "implausible_count"),
        (HOUR, "flops", 1e23, 1e24, "implausible_quantity"),
        (HOUR, "water_l", 1e9, 2e9, "implausible_quantity"),
        (HOUR, "reported_kg_co2e", 1e9, 2e9, "implausible_quantity"),
        (HOUR, "seat_months", 1e7, 2e7, "implausible_quantity"),
    ],
)
def test_what_no_record_can_hold_is_held_back(
    times: dict[str, str], field: str, believed: float, beyond: float, reason: str
) -> None:
    assert faults(**times, **{field: believed}) == []
    assert faults(**times, **{field: beyond}) == [(field, reason)]


def test_a_correction_is_held_to_the_same() -> None:
    assert faults(**HOUR, corrects="q", energy_kwh=-1e6) == [("energy_kwh", "implausible_energy")]


def test_a_source_may_allow_more() -> None:
    assert faults(Limits(power_kw=2e6), **HOUR, energy_kwh=1e6) == []
    assert faults(Limits(devices=1e6), **DAY, device_hours=2e7) == []


def test_the_detail_says_how_much_in_how_long() -> None:
    frame, _ = records.from_wire([(1, {**RECORD, **HOUR, "energy_boundary": "it", "energy_kwh": 1e6})])

    _, [found] = records.check_activity(frame, limits=Limits())

    assert found.detail == "1e+06 kWh in 1 h is more than 50000 kW"


@pytest.mark.slow
def test_impacts_of_what_is_believed_fit_their_integers() -> None:
    """A whole day in one row, as bills are kept, with every hardware and instance of the factor tables."""
    pack = load_pack()
    day = {"energy_kwh": limits.SITE_POWER_KW * 24, "energy_boundary": "device"}
    used = [{"hosting": "owned", **day}]
    for row in pack.rows("hardware"):
        used.append({"hosting": "owned", "hardware": row["hardware_id"], "device_hours": limits.DEVICES * 24})
        used[-1]["device_utilization"] = 1.0
        used.append({"hosting": "owned", "hardware": row["hardware_id"], "flops": limits.FLOPS_PER_HOUR})
    for row in pack.rows("cloud_instances"):
        cloud = {"hosting": "cloud", "provider": row["provider"].lower(), "instance_type": row["instance_type"]}
        used.append({**cloud, "instance_hours": limits.INSTANCES * 24, "instance_utilization": 1.0})
    wire = [{**RECORD, "evidence": "modelled", **HOUR, **each, "record_id": str(at)} for at, each in enumerate(used)]

    frame, unread = records.from_wire(list(enumerate(wire, 1)))
    activity = measures_as_delivered(frame)
    activity[[*USE_TEXT]] = frame[[*USE_TEXT]]
    activity["techniques"], activity["started_at"] = frame["techniques"], frame["started_at"]
    activity["mask"] = cells.presence_mask(frame)
    impacts = quantify(activity, pack).impacts

    assert unread == []
    assert len(impacts) > 1_000
    for impact, (_, per_unit) in INTEGERS.items():
        largest = impacts[[f"{impact}{bound}" for bound in BOUNDS]].abs().max(axis=None)
        assert largest * per_unit < 2.0**63, impact
