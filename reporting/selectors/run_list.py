"""Training runs and experiments of a period: what each cost, how well it used its devices, and what is said of its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd

from core.accounting.figures import UNATTRIBUTED, Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.ledger.runs import run_extents
from core.ledger.selectors import series_by_id
from reporting.selectors.overview import sum_of

MOST_RUNS: Final = 500
LIVE: Final = timedelta(hours=1)
"""A run whose latest record ended within this time is taken to go on."""
LIVE_STATUS, ENDED_STATUS, FAILED_STATUS = "live", "ended", "failed"
STATUS_LABELS: Final = ("run_status", "status", "state")
"""Labels that senders say the end of a run by, where the source allows them."""
FAILED_WORDS: Final = frozenset(
    {"failed", "failure", "crashed", "killed", "cancelled", "canceled", "aborted", "abandoned", "timeout", "oom"}
)
EXPERIMENT_LABELS: Final = ("experiment", "experiment_id")
NAMES: Final = (
    "team",
    "project",
    "stage",
    "model",
    "hardware",
    "instance_type",
    "provider",
    "region",
    "zone",
    "hosting",
)


@dataclass(frozen=True)
class RunRow:
    """
    One run in a list.

    Args:
        status: live, ended, or failed where its sender says so.
        experiment: what its sender groups it by: label, account or project; "" where nothing is said.
        kg: location-based with upstream and embodied; of the records of the period that count.
        it_kwh, facility_kwh: energy.
        device_hours, utilization: None where none was reported. [h, 0 to 1]
        pue: facility over equipment; grid_g_per_kwh: location-based figure over facility energy.
        names: `NAMES`, the ones that make most of it.
        parts: its figures by `NAMES`.
    """

    name: str
    experiment: str
    status: str
    started_at: datetime
    ended_at: datetime
    records: int
    kg: float | None
    it_kwh: float | None
    facility_kwh: float | None
    location_kg: float | None
    device_hours: float | None
    utilization: float | None
    names: dict[str, str]
    parts: pd.DataFrame

    def ranked(self, name: str) -> list[str]:
        """List what it has of a dimension, the one that makes most of it first."""
        sums = self.parts.groupby(name)["total_kg_co2e"].sum().sort_values(ascending=False, kind="stable")
        return [str(value) for value in sums.index]

    @property
    def seconds(self) -> float:
        """How long it took, from its first record to the end of its last. [s]"""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def pue(self) -> float | None:
        """Energy at the facility over that of the equipment."""
        return ratio(self.facility_kwh, self.it_kwh)

    @property
    def grid_g_per_kwh(self) -> float | None:
        """Mean intensity of its electricity, location-based. [g CO2e/kWh]"""
        kg_per_kwh = ratio(self.location_kg, self.facility_kwh)
        return None if kg_per_kwh is None else kg_per_kwh * 1000


def runs_of(
    organization_id: int,
    view: View | None,
    filtered: Filter,
    *,
    now: datetime,
    names: tuple[str, ...] | None = None,
) -> list[RunRow]:
    """
    List the runs of a period with their figures, the heaviest first.

    Args:
        filtered: with what narrows the asker; its grouping is not looked at.
        now: UTC.
        names: only these runs.
    """
    extents = run_extents(organization_id, filtered.starts_at, filtered.ends_at, names=names, limit=MOST_RUNS * 4)
    found = list(dict.fromkeys(extents["run"]))[:MOST_RUNS]
    if not found or view is None:
        return []
    asked = replace(filtered, grain="total", dims={**filtered.dims, "run": tuple(found)})
    parts = emissions(organization_id, replace(asked, by=("run", *NAMES)), bounds=False, view=view).rows
    labels = series_by_id(organization_id, extents["series_id"].unique().tolist())
    by_run = dict(iter(extents.groupby("run")))
    most = names_of(parts)
    rows = [
        row_of(str(name), own, by_run[str(name)], most[str(name)], labels, now) for name, own in parts.groupby("run")
    ]
    return sorted(rows, key=lambda row: (-(row.kg or 0.0), row.name))


def row_of(
    name: str, figures: pd.DataFrame, own: pd.DataFrame, names: dict[str, str], series: pd.DataFrame, now: datetime
) -> RunRow:
    """Put one run together from its figures, its extent in the ledger and what its series say."""
    of_series = series.loc[own["series_id"]]
    ended_at = own["ended_at"].max().to_pydatetime()
    known = sum_of(own["known_hours"])
    return RunRow(
        name=name,
        experiment=experiment_of(of_series) or names.get("project", UNATTRIBUTED).removeprefix(UNATTRIBUTED),
        status=status_of(of_series["labels"].tolist(), ended_at, now),
        started_at=own["started_at"].min().to_pydatetime(),
        ended_at=ended_at,
        records=int(figures["records"].sum()),
        kg=sum_of(figures["total_kg_co2e"]),
        it_kwh=sum_of(figures["energy_it_kwh"]),
        facility_kwh=sum_of(figures["energy_facility_kwh"]),
        location_kg=sum_of(figures["location_kg_co2e"]),
        device_hours=sum_of(own["device_hours"]),
        utilization=ratio(sum_of(own["used_hours"]), known),
        names=names,
        parts=figures,
    )


def names_of(parts: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Name each run by what makes most of it: by kg, else by records."""
    if parts.empty:
        return {}
    order = parts.assign(kg=parts["total_kg_co2e"].fillna(-1.0)).sort_values(["kg", "records"], kind="stable")
    return {
        str(row["run"]): {name: str(row[name]) for name in NAMES if isinstance(row[name], str)}
        for row in order.to_dict("records")
    }


def experiment_of(series: pd.DataFrame) -> str:
    """Tell what senders group a run by: a label, or the account that experiment trackers report under (``exp:12``)."""
    for labels in series["labels"]:
        for name in EXPERIMENT_LABELS:
            if labels.get(name):
                return str(labels[name])
    return next((str(account) for account in series["account"] if str(account).startswith("exp:")), "")


def status_of(labels: list[Mapping[str, Any]], ended_at: datetime, now: datetime) -> str:
    """
    Tell how a run stands: failed where a label says so, else by when its latest record ended.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    >>> status_of([{"status": "KILLED"}], noon, noon), status_of([{}], noon, noon), status_of([], noon, noon + 2 * LIVE)
    ('failed', 'live', 'ended')
    """
    said = {str(each[name]).lower() for each in labels for name in STATUS_LABELS if each.get(name)}
    if said & FAILED_WORDS:
        return FAILED_STATUS
    return LIVE_STATUS if now - ended_at < LIVE else ENDED_STATUS


def ratio(above: float | None, below: float | None) -> float | None:
    """Divide where both are known and there is something to divide by."""
    return None if above is None or not below else above / below


def totals(rows: list[RunRow]) -> dict[str, float]:
    """Add runs up: kg, kWh, device-hours; what is not known is left out."""
    return {
        "kg": sum(row.kg or 0.0 for row in rows),
        "facility_kwh": sum(row.facility_kwh or 0.0 for row in rows),
        "device_hours": sum(row.device_hours or 0.0 for row in rows),
    }
