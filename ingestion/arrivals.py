"""Whether a source's data is arriving: the rule, and what a card of a source shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

DAYS_SHOWN: Final = 30

# A push source is expected daily; a bill restates its month daily at best and comes once a month at worst.
PUSH_LATE, PUSH_SILENT = timedelta(days=1), timedelta(days=7)
BILL_LATE, BILL_SILENT = timedelta(days=35), timedelta(days=70)

TONES: Final = {"new": "accent", "live": "good", "late": "warn", "silent": "bad", "failing": "bad", "paused": "warn"}


def state_of(
    *, paused: bool, latest_arrival: datetime | None, latest_failed: bool, restates: bool, now: datetime
) -> str:
    """
    Tell a source's state: paused, new (nothing arrived yet), failing (the latest batch failed), live, late or silent.

    Args:
        paused: its batches wait.
        latest_arrival: when the latest payload was received.
        latest_failed: no row of it could be read.
        restates: it delivers whole periods (bills), so it comes less often.
        now: the present time.
    """
    if paused:
        return "paused"
    if latest_arrival is None:
        return "new"
    if latest_failed:
        return "failing"
    late, silent = (BILL_LATE, BILL_SILENT) if restates else (PUSH_LATE, PUSH_SILENT)
    age = now - latest_arrival
    return "live" if age <= late else "late" if age <= silent else "silent"


@dataclass(frozen=True)
class SourceCard:
    """
    A source connection and the last 30 days of it.

    Args:
        id, kind, name: of the connection.
        state: see `state_of`.
        latest_arrival: of its latest payload; None when none came.
        received, written, quarantined: payload rows of the last 30 days.
        open_rows: rows of any age that wait in quarantine.
        days: payload rows received on each of the last 30 days, oldest first.
    """

    id: int
    kind: str
    name: str
    state: str
    latest_arrival: datetime | None
    received: int
    written: int
    quarantined: int
    open_rows: int
    days: list[tuple[date, int]]

    @property
    def tone(self) -> str:
        """Give the badge that goes with the state."""
        return TONES[self.state]

    @property
    def rejected_share(self) -> float | None:
        """Give the share of rows that went to quarantine; None when nothing came."""
        return self.quarantined / self.received if self.received else None

    @property
    def bars(self) -> list[dict[str, float]]:
        """Draw the days as bars 3 wide in a box of 120 by 24; a day without data has none."""
        most = max((rows for _, rows in self.days), default=0)
        step = 120 / max(len(self.days), 1)
        return [
            {"x": round(at * step, 2), "y": round(24 - height, 2), "height": round(height, 2)}
            for at, (_, rows) in enumerate(self.days)
            if rows
            for height in [max(1.5, 24 * rows / most)]
        ]
