"""The factors of a set as people read them: value, interval, source, licence, and what of the period rests on each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from core.accounting.selectors import FactorUse
from core.factors.sources import Source, sources_of
from core.quantification.bounds import gsd_interval
from core.quantification.factor_checks import SOURCES
from core.quantification.factor_tables import TABLES, licence_kind, row_id
from core.quantification.methods import Methodology, methodology_of
from core.quantification.pack import FILE, UNVERIFIED, FactorPack, Row


@dataclass(frozen=True)
class Shown:
    """
    Which columns of a table a list shows.

    Attributes:
        subject: what a row is about, the first first.
        value, low, high: columns; ``value`` may be words, such as the zone of a region.
        unit: where the row's own unit is about several columns.
        year: of the fact.
    """

    subject: tuple[str, ...]
    value: str
    low: str = ""
    high: str = ""
    unit: str = ""
    year: str = "source_year"


SHOWN: Final[Mapping[str, Shown]] = {
    "grid_intensity_annual": Shown(("zone_name", "zone_id", "boundary"), "g_per_kwh", year="year"),
    "grid_intensity_electricitymaps_odbl": Shown(("zone_name", "zone_id", "boundary"), "g_per_kwh", year="year"),
    "grid_residual_mix": Shown(("zone_name", "zone_id"), "g_per_kwh", year="year"),
    "grid_water_resources": Shown(("zone_id",), "water_l_per_kwh", unit="L/kWh"),
    "cloud_regions": Shown(("region_code", "region_name", "provider"), "grid_zone_id", unit="grid zone"),
    "cloud_region_metrics": Shown(("region_code", "metric", "provider"), "value", year="year"),
    "cloud_instances": Shown(("instance_type", "provider"), "watts_50", "watts_idle", "watts_100", "W at half load"),
    "cloud_cpu_coefficients": Shown(("microarchitecture", "provider"), "max_watts_per_vcpu", "min_watts_per_vcpu"),
    "hardware": Shown(("name", "hardware_id"), "tdp_w", unit="W"),
    "hardware_embodied": Shown(("hardware_id",), "embodied_kgco2e"),
    "cpu_tdp": Shown(("cpu_name",), "tdp_w"),
    "models": Shown(
        ("model_name", "provider"),
        "params_active_b_max",
        "params_active_b_min",
        "params_active_b_max",
        "billion active parameters",
    ),
    "model_aliases": Shown(("alias",), "model_name", unit="model"),
    "provider_disclosures": Shown(("metric", "provider"), "value", year="reporting_year"),
    "calc_defaults": Shown(("key",), "value", "low", "high"),
}

FILTER_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "zone": ("zone_id", "em_zone", "grid_zone_id", "country_alpha2"),
    "year": ("year", "reporting_year", "source_year"),
    "provider": ("provider",),
    "region": ("region_code",),
    "model": ("model_name", "alias"),
    "hardware": ("hardware_id", "cpu_name", "accelerator_name"),
    "instance_type": ("instance_type",),
}
"""Filter to the columns that it looks in; of years the first that a table has."""

_LOOSE: Final = frozenset({"model", "hardware", "instance_type"})
"""Filters that a part of the name satisfies."""

_GRID_GSD: Final = {
    "grid_intensity_annual": "grid_exact",
    "grid_intensity_electricitymaps_odbl": "grid_exact",
    "grid_residual_mix": "market",
    "grid_water_resources": "grid_water",
}
_METRIC_GSD: Final = {"pue": "pue_provider", "wue": "wue", "market_based_intensity": "market"}


@dataclass(frozen=True)
class FactorRow:
    """
    One row of a set.

    Attributes:
        position: in the set; a set never changes, so it is a cursor.
        id: of the row, as factors and `explain` name it; rows that are no factors have one too, of file and subject.
        value: a number where ``is_number``, else words.
        low, high: 95 % interval: the row's own, else that of the methodology for a use of this very row.
        used: whether figures may use it: verified, and preferred where a choice has several rows.
    """

    position: int
    table: str
    edition: str
    id: str
    subject: tuple[str, ...]
    value: float | str | None
    low: float | None
    high: float | None
    unit: str
    year: str
    source: str
    source_year: str
    source_url: str
    licence: str
    licence_kind: str
    verification: str
    used: bool
    use: FactorUse | None
    cells: Row

    @property
    def is_number(self) -> bool:
        """Say whether the value is a number."""
        return isinstance(self.value, float)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, units and full precision, for JSON and CSV."""
        names = ("id", "table", "edition")
        return {
            **{name: getattr(self, name) for name in names},
            "subject": " ".join(self.subject),
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
            "year": self.year,
            "source": self.source,
            "source_year": self.source_year,
            "source_url": self.source_url or None,
            "licence": self.licence,
            "licence_kind": self.licence_kind,
            "verification": self.verification,
            "used_by_figures": self.used,
            "used_as": ", ".join(self.use.names) if self.use else None,
            "kg_co2e": self.use.kg_co2e if self.use else None,
            "energy_facility_kwh": self.use.energy_kwh if self.use else None,
            "records": self.use.records if self.use else 0,
        }


@dataclass(frozen=True)
class Asked:
    """
    Which rows are wanted.

    Attributes:
        table, edition: all, where empty.
        text: somewhere in the row, without regard to case.
        filters: of ``FILTER_COLUMNS``.
        in_use: only rows that something of the period rests on.
    """

    table: str = ""
    edition: str = ""
    text: str = ""
    filters: Mapping[str, str] | None = None
    in_use: bool = False


def factor_rows(
    pack: FactorPack, asked: Asked, uses: Mapping[str, FactorUse], methodology: str, *, heaviest_first: bool = False
) -> list[FactorRow]:
    """
    List rows of a set.

    Args:
        uses: what rests on each factor, by id.
        methodology: whose intervals are shown.
        heaviest_first: by the kg that rest on a row, then in the order of the set; else in the order of the set.
    """
    wanted = _wanted(asked)
    rows = [each for each in _all_rows(pack, methodology) if wanted(each)]
    found = [replace(row, use=uses[row.id]) if row.id in uses and row.used else row for row in rows]
    if asked.in_use:
        found = [row for row in found if row.use is not None]
    if heaviest_first:
        found.sort(key=lambda row: (-_weight(row), row.position))
    return found


def _weight(row: FactorRow) -> float:
    """Order by kg; rows in use without kg (water) stand before those that nothing uses."""
    return -1.0 if row.use is None else row.use.kg_co2e or 0.0


def row_of(pack: FactorPack, row_key: str, uses: Mapping[str, FactorUse], methodology: str) -> FactorRow | None:
    """Find a row by its id; of several (rows that differ in a boundary alone) the one that figures use."""
    rows = [row for row in _all_rows(pack, methodology) if row.id == row_key]
    if not rows:
        return None
    row = next((each for each in rows if each.used), rows[0])
    return replace(row, use=uses.get(row.id) if row.used else None)


def siblings_of(pack: FactorPack, row: FactorRow, methodology: str) -> list[FactorRow]:
    """List the rows about the same subject: other years and other editions, the newest first."""
    same = [
        each
        for each in _all_rows(pack, methodology)
        if each.table == row.table and each.subject == row.subject and each.position != row.position
    ]
    return sorted(same, key=lambda each: (each.year, each.used, each.position), reverse=True)


def tables_of(pack: FactorPack) -> list[tuple[str, str, int]]:
    """List the tables of a set: name, what they are about, rows."""
    return [(table, TABLES[table].about, len(pack.every_row(table))) for table in pack.tables if table in TABLES]


def editions_of(pack: FactorPack) -> list[dict[str, Any]]:
    """List the editions of a set with their sources."""
    sources = sources_of(pack)
    found = []
    for table in pack.tables:
        if table == SOURCES:
            continue
        for edition in sorted({row[FILE] for row in pack.every_row(table)}):
            rows = [row for row in pack.every_row(table) if row[FILE] == edition]
            source = sources.get(edition.partition("--")[2])
            first = rows[0]
            found.append(
                {
                    "name": edition,
                    "rows": len(rows),
                    "title": source.title if source else first.get("source", ""),
                    "publisher": source.publisher if source else "",
                    "version": source.version if source else "",
                    "url": source.url if source else "",
                    "redistribution": source.redistribution if source else "",
                    "year": first.get("source_year", ""),
                    "licence": first.get("licence", ""),
                    "licence_kind": licence_kind(first.get("licence", "")),
                }
            )
    return found


# --- one row ---


@lru_cache(maxsize=4)
def _all_rows(pack: FactorPack, methodology: str) -> tuple[FactorRow, ...]:
    return tuple(_shown_rows(pack, methodology_of(methodology)))


def _shown_rows(pack: FactorPack, method: Methodology) -> Iterator[FactorRow]:
    sources = sources_of(pack)
    position = 0
    for table in pack.tables:
        shown = SHOWN.get(table)
        if shown is None:
            continue
        for row in pack.every_row(table):
            position += 1
            yield _shown(table, shown, row, position, sources.get(row["dataset"]), method)


def _shown(table: str, shown: Shown, row: Row, position: int, source: Source | None, method: Methodology) -> FactorRow:
    value = _number(row.get(shown.value, ""))
    low, high = _interval(table, shown, row, value, method)
    subject = tuple(dict.fromkeys(row[column] for column in shown.subject if row.get(column)))
    verification = row.get("verification", "")
    return FactorRow(
        position=position,
        table=table,
        edition=row[FILE],
        id=row_id(row) or ":".join((row[FILE], *subject)),
        subject=subject,
        value=value if value is not None else row.get(shown.value) or None,
        low=low,
        high=high,
        unit=shown.unit or row["unit"].replace("gCO2", "g CO2").replace("ratio", "").replace("n/a", ""),
        year=row.get(shown.year) or row["source_year"],
        source=row["source"],
        source_year=row["source_year"],
        source_url=row.get("source_url") or (source.url if source else ""),
        licence=row["licence"],
        licence_kind=licence_kind(row["licence"]),
        verification=verification,
        used=verification != UNVERIFIED and row.get("preferred", "True") == "True",
        use=None,
        cells=row,
    )


def _interval(
    table: str, shown: Shown, row: Row, value: float | None, method: Methodology
) -> tuple[float | None, float | None]:
    low, high = _number(row.get(shown.low, "")), _number(row.get(shown.high, ""))
    if low is not None and high is not None:
        return low, high
    name = _GRID_GSD.get(table) or (_METRIC_GSD.get(row["metric"]) if table == "cloud_region_metrics" else None)
    if value is None or name is None:
        return None, None
    return gsd_interval(value, method.gsd[name])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# --- filters ---


def _wanted(asked: Asked) -> Callable[[FactorRow], bool]:
    text = asked.text.strip().casefold()
    filters = {name: value.strip().casefold() for name, value in (asked.filters or {}).items() if value.strip()}

    def wanted(row: FactorRow) -> bool:
        if asked.table and row.table != asked.table:
            return False
        if asked.edition and row.edition != asked.edition:
            return False
        if not all(_fits(row, name, value) for name, value in filters.items()):
            return False
        return not text or any(text in value.casefold() for key, value in row.cells.items() if key != FILE)

    return wanted


def _fits(row: FactorRow, name: str, value: str) -> bool:
    columns = [column for column in FILTER_COLUMNS[name] if column in row.cells]
    if name == "year":
        columns = columns[:1]
    held = [row.cells[column].casefold() for column in columns]
    return any(value in each for each in held) if name in _LOOSE else value in held
