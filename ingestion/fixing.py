"""Rows in quarantine that a setting of their source would let pass: which setting, and what would come of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from core.accounting.selectors import current_view
from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.ledger.identities import standing_ids
from core.ledger.models import Source
from core.quantification.answer import answers
from core.quantification.methods import LATEST
from core.quantification.pack import FactorPack
from ingestion import reading
from ingestion.claims import Claimed
from ingestion.kinds import Setting, settings_of
from ingestion.models import Batch
from ingestion.services.resolve import parts_of
from ingestion.sources.base import UnreadablePayload

FIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "too_old": ("max_age_days",),
    "implausible_power": ("max_power_kw",),
    "implausible_energy": ("max_power_kw",),
    "implausible_hours": ("max_devices", "max_instances"),
    "bad_field": ("stage",),
    "unknown_unit": ("units",),
}
"""Reason -> the settings that may let its rows pass. Other reasons need another payload, or nothing but reading again."""

TRIED_ROWS: Final = 5_000
TRIED_BYTES: Final = 64 * 1024 * 1024
"""Larger payloads are not tried while somebody waits for the page; replaying reads them all the same."""
PARTS: Final = ("location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e")


@dataclass
class Effect:
    """
    What reading rows again under other settings would give, before the organization's own factors and attribution rules.

    Args:
        rows: payload rows tried; `more` are open besides.
        records: payload rows that would become records.
        standing: of ids that stand already, so that they would be duplicates or conflicts.
        still: reason -> rows that stay in quarantine.
        kg_co2e, low_kg_co2e, high_kg_co2e: location-based, with upstream and embodied, of those with a figure.
        energy_kwh: at the facility.
        without_figure: records that would have none.
        refused: why rows cannot be read again, in the words of who reads them -> how many.
    """

    rows: int = 0
    more: int = 0
    records: int = 0
    standing: int = 0
    still: Counter[str] = field(default_factory=Counter)
    kg_co2e: float = 0.0
    low_kg_co2e: float = 0.0
    high_kg_co2e: float = 0.0
    energy_kwh: float = 0.0
    without_figure: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def fixing_settings(kind: str, reason: str, fields: Collection[str | None]) -> list[Setting]:
    """List the settings of a format that may let rows of a reason pass; of wrong fields only where one of them is named."""
    names = FIXES.get(reason, ())
    if reason == "bad_field":
        names = tuple(name for name in names if name in fields)
    return [setting for setting in settings_of(kind) if setting.name in names]


class _Trial(reading.Reader):
    """Reads only some rows of batches, without anything being noted."""

    def __init__(self, organization_id: int, rows: Mapping[UUID, list[tuple[int, int, object]]]) -> None:
        super().__init__(organization_id)
        self.rows = rows

    def _rows_to_replay(self, batch: Claimed) -> dict[int, reading.Again]:
        return reading.by_file(self.rows[batch.id])


def effect_of(organization_id: int, source: Source, reason: str, settings: Mapping[str, Any]) -> Effect:
    """Read the open rows of a group again under these settings, 5,000 at most, and quantify what they give."""
    effect = Effect()
    wanted: dict[UUID, list[tuple[int, int, object]]] = {}
    parts = parts_of(organization_id, source_id=source.id, reason=reason)
    for part in parts:
        for file, row, rows, payload in part.rows.values_list("file", "row", "rows", "payload").iterator():
            if part.refusal:
                effect.refused[part.refusal] += rows
            elif effect.rows >= TRIED_ROWS or part.origin.size_bytes > TRIED_BYTES:
                effect.more += rows
            else:
                wanted.setdefault(part.origin.id, []).append((file, row, payload))
                effect.rows += rows
    pack, methodology = factors_of(organization_id)
    trial = _Trial(organization_id, wanted)
    batches = [part.origin for part in parts if part.origin.id in wanted]
    trial.fetch([_claimed(batch, source, settings) for batch in batches])
    known: set[str] = set()
    for batch in batches:
        try:
            for chunk in trial.chunks(_claimed(batch, source, settings)):
                _add(effect, _new(effect, chunk, batch, known), pack, methodology)
        except UnreadablePayload as error:
            effect.refused[f"Batch {batch.id}: {error}"] += len(wanted[batch.id])
    return effect


def _new(effect: Effect, chunk: reading.Chunk, batch: Batch, known: set[str]) -> reading.Chunk:
    """Leave out the records of ids that stand or were met before; what restates periods is compared whole, not by id."""
    frame = chunk.activity
    if batch.in_order or not len(frame):
        return chunk
    ids = frame["record_id"].tolist()
    standing = standing_ids(batch.organization_id, batch.source_id, ids)
    again = []
    for record_id in ids:
        again.append(record_id in standing or record_id in known)
        known.add(record_id)
    if not any(again):
        return chunk
    kept = frame[[not each for each in again]].reset_index(drop=True)
    repeated = int(frame["rows"][again].sum())
    effect.standing += repeated
    return replace(chunk, activity=kept, duplicate=chunk.duplicate + repeated)


def _add(effect: Effect, chunk: reading.Chunk, pack: FactorPack | None, methodology: str) -> None:
    for rejection in chunk.rejected:
        effect.still[rejection.reason] += rejection.rows
    if not len(chunk.activity):
        return
    effect.records += int(chunk.activity["rows"].sum())
    if pack is None:
        effect.without_figure += len(chunk.activity)
        return
    for answer in answers(chunk.activity, pack, methodology):
        impacts: Any = answer["impacts"]
        parts = [impacts[name] for name in PARTS if impacts[name] is not None]
        if not parts:
            effect.without_figure += 1
        effect.kg_co2e += math.fsum(part["value"] for part in parts)
        effect.low_kg_co2e += math.fsum(part["low"] for part in parts)
        effect.high_kg_co2e += math.fsum(part["high"] for part in parts)
        energy = impacts["energy_facility_kwh"]
        effect.energy_kwh += energy["value"] if energy is not None else 0.0


def factors_of(organization_id: int) -> tuple[FactorPack | None, str]:
    """Take the factors that the organization's figures follow from, else the shipped ones."""
    view = current_view(organization_id)
    if view is not None:
        return pack_of(view.factor_set.content_hash), view.methodology
    try:
        return pack_of(shipped_factor_set().content_hash), LATEST
    except NoFactorSet:
        return None, LATEST


def _claimed(batch: Batch, source: Source, settings: Mapping[str, Any]) -> Claimed:
    """Give a batch as a worker would have it if the source had these settings."""
    return Claimed(
        **{name: getattr(batch, name) for name in _OF_BATCH},
        received_at=datetime.now(UTC),  # as of a batch that reads them again
        settings=dict(settings),
        source_name=source.name,
        replay=True,
        audit_sequence=None,
    )


_OF_BATCH: Final = (
    *("id", "source_id", "kind", "attempts", "announced", "size_bytes", "filename", "team"),
    *("team_only", "project", "stage", "token_id", "confirmed", "in_order", "dry_run", "payload_of"),
)
