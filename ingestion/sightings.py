"""What records show beside their sums, gathered while they are staged and kept in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import pandas as pd

from core.ledger.signals import Seen, note_signals
from core.quantification.signals import SIGNAL, SPANS, signals_of, teller_of


@dataclass
class Sightings:
    """
    The signals of services, and the traces of which a call of a model was seen, by batch: held batches show nothing.

    Formats whose records name no signal leave it empty.
    """

    signals: dict[UUID, set[Seen]] = field(default_factory=dict)
    traces: dict[UUID, set[tuple[int, str]]] = field(default_factory=dict)

    def add(self, source_id: int, batch_ids: Sequence[UUID], frame: pd.DataFrame) -> None:
        """Look at the records of a source, with the batch of each."""
        rows = zip(
            batch_ids,
            frame["labels"],
            frame["trace"],
            frame["started_at"].dt.date,
            frame["ended_at"].dt.date,
            strict=True,
        )
        for batch_id, labels, trace, first, latest in rows:
            signals = signals_of(labels)
            if not signals:
                continue
            seen = self.signals.setdefault(batch_id, set())
            for signal in signals:
                seen.update((source_id, teller_of(labels), day, signal) for day in _days(first, latest))
            if labels.get(SIGNAL) == SPANS and isinstance(trace, str):
                self.traces.setdefault(batch_id, set()).add((source_id, trace))

    def keep(self, organization_id: int, left_out: Collection[UUID]) -> None:
        """Note the signals that were seen; call it inside the ledger's transaction."""
        note_signals(
            organization_id,
            (seen for batch_id, of_batch in self.signals.items() if batch_id not in left_out for seen in of_batch),
        )

    def traces_by_source(self, left_out: Collection[UUID]) -> dict[int, set[str]]:
        """Give the traces seen, by source."""
        found: dict[int, set[str]] = {}
        for batch_id, traces in self.traces.items():
            if batch_id not in left_out:
                for source_id, trace in traces:
                    found.setdefault(source_id, set()).add(trace)
        return found


def _days(first: date, latest: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((latest - first).days + 1)]
