"""Published cases as records that the engine quantifies: with overrides, and with a factor pack of a case's own rows."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
from collections.abc import Mapping
from typing import Any

from core.factors.pack import load_pack
from core.quantification import units
from core.quantification.methods import Methodology
from core.quantification.pack import FILE, FactorPack, pack_from_tables
from tests.one_record import One, quantify_record

Row = Mapping[str, object]


@functools.cache
def shipped_pack() -> FactorPack:
    return load_pack()


def published_methodology(**settings: Any) -> Methodology:
    """Make the settings of published figures: watts hold the whole node, prompts cost nothing."""
    given = {"host_factor": (1.0, 1.0, 1.0), "prefill": False, **settings}
    return dataclasses.replace(Methodology(), version="published", **given)


_PLAIN = published_methodology()


def quantified(
    record: Mapping[str, Any],
    *,
    factors: Mapping[str, object] | None = None,
    pack: FactorPack | None = None,
    methodology: Methodology = _PLAIN,
) -> One:
    """Quantify one record as published figures are meant."""
    return quantify_record(record, pack or shipped_pack(), methodology=methodology, factors=factors)


def case_pack(**tables: list[Row]) -> FactorPack:
    """Make a pack of a case's own rows; columns are those of the shipped tables, empty where a case says nothing."""
    written = {}
    for table, rows in tables.items():
        columns = [name for name in shipped_pack().rows(table)[0] if name != FILE]
        known = {"preferred": "True", "source": "the case", "source_year": "2026", "verification": "verified"}
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore", restval="")
        writer.writeheader()
        for row in rows:
            unknown = set(row) - {*columns, FILE}
            assert not unknown, f"{table} has no {unknown}"
            writer.writerow(known | row)
        written[f"{table}--case"] = stream.getvalue().encode("utf-8")
    return pack_from_tables("a published case", written)


def site_factors(inputs: Mapping[str, Any], *, pue: float | None = None) -> dict[str, object]:
    """Translate PUE and intensities of a case into overrides; net figures are of the market type."""
    factors: dict[str, object] = {"pue": inputs.get("pue", 1) if pue is None else pue}
    names = {"intensity_kg_per_kwh": "grid_g_co2e_per_kwh", "net_intensity_kg_per_kwh": "market_g_co2e_per_kwh"}
    for name, override in names.items():
        if inputs.get(name) is not None:
            factors[override] = inputs[name] * units.G_PER_KG
    return factors


def emissions(inputs: Mapping[str, Any], one: One) -> dict[str, float]:
    """Return the emissions that a case asks for."""
    names = {"intensity_kg_per_kwh": "emissions_kg", "net_intensity_kg_per_kwh": "net_emissions_kg"}
    impacts = {"emissions_kg": "location_kg_co2e", "net_emissions_kg": "market_kg_co2e"}
    return {out: one[impacts[out]] for name, out in names.items() if inputs.get(name) is not None}
