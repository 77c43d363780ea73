"""Rows that cannot become records, and why: the reasons that a sender sees, each with what to do about it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.quantification.private import masked, without_private


@dataclass(frozen=True)
class Reason:
    """Why a row is in quarantine, said to the person who can mend it."""

    sentence: str
    remedy: str


REASONS: Final[Mapping[str, Reason]] = {
    "bad_field": Reason(
        "A field is missing, unknown, of the wrong type, or its value is not allowed.",
        "Correct the field that is named and send the record again under the same id.",
    ),
    "negative_quantity": Reason(
        "A measure is below zero in a record that corrects nothing.",
        "Send zero or more, or name in `corrects` the record that this one corrects.",
    ),
    "negative_interval": Reason(
        "The record ends before it starts.",
        "Check the order of the two times and the time zone of the sender's clock.",
    ),
    "clock_skew": Reason(
        "The record ends more than ten minutes after it was received.",
        "Set the sender's clock (NTP), check its time zone, then replay the row.",
    ),
    "too_old": Reason(
        "The record is older than this source accepts.",
        "If it belongs here, raise the source's `max_age_days` and replay the row.",
    ),
    "other_team": Reason(
        "The record names another team than the one that its token sends for.",
        "Leave the team out or name the token's own; records of other teams need a token of theirs, or an admin's.",
    ),
    "unknown_unit": Reason(
        "The unit of the quantity is not in the table of this format, and a unit is never guessed.",
        "Say in the source's setting `units` what it stands for, or correct it in the export; then replay the row.",
    ),
    "unknown_run": Reason(
        "The run that this measurement belongs to was never announced.",
        "Start the tracker again, so that it announces its run first.",
    ),
    "implausible_power": Reason(
        "The power is higher than one host can draw.",
        "Check the unit the agent reports in (watt or milliwatt); raise `max_power_kw` for large hosts.",
    ),
    "implausible_energy": Reason(
        "The energy is more than can be used in that time (by one host 60 kW, by anything else 50 MW).",
        "Check the unit (kWh, Wh or J) and the two times; if it is right, raise the source's `max_power_kw` and replay.",
    ),
    "implausible_hours": Reason(
        "The hours held are more than 80,000 devices or 10,000 instances can make in that time.",
        "Check the unit (hours or seconds) and the two times; if they are right, raise the source's `max_devices` or"
        " `max_instances` and replay.",
    ),
    "implausible_count": Reason(
        "There are more tokens or requests than one record can hold.",
        "Check that it is a count since the last record, not one since the beginning, then send it again under a new id.",
    ),
    "implausible_quantity": Reason(
        "The quantity is more than one record can hold.",
        "Check the unit of the field that is named; split a quantity that is right over several records.",
    ),
    "access_denied": Reason(
        "The provider leaves this part of its answer out, because whoever asked may not read it.",
        "Give the reader the role that is named (Azure: Carbon Optimization Reader) and import a fresh answer.",
    ),
    "unsupported_version": Reason(
        "The payload is of a version of its format that cannot be read.",
        "Upgrade or downgrade the sender to a version named on the page of this source.",
    ),
    "conflicting_duplicate": Reason(
        "A record with this id stands already with other content; the first one stays.",
        "Give a new id to a new record; to change one that stands, send a record that `corrects` it.",
    ),
    "month_archived": Reason(
        "The month of this record is archived and closed to writing.",
        "Restore the month, then replay the row.",
    ),
}
"""Every reason of the quarantine. The keys are stable: filters, exports and tests of senders rely on them."""


PAYLOAD_TEXT: Final = 2_000
PAYLOAD_ITEMS: Final = 200


@dataclass(frozen=True)
class Rejection:
    """
    One row of a payload that goes to quarantine.

    Args:
        row: number of the row in the payload, from 1.
        record_id: the sender's id, where it could be read.
        field: the field to correct, named as the sender names it; None when the row as a whole is at fault.
        reason: a key of REASONS.
        detail: what was found there, in a few words for the sender.
        payload: the row as read (JSON values), so that it can be corrected and replayed; never holds scrubbed content.
        rows: how many payload rows it stands for (more than 1 where an adapter had summed them).
        part_of: ids of the records that it could be a part of, where the adapter knows them otherwise than by ``record_id``;
            () for what would be no record. None: what ``record_id`` says.
    """

    row: int
    record_id: str | None
    field: str | None
    reason: str
    detail: str = ""
    payload: object = dataclasses.field(default=None, compare=False, repr=False)
    rows: int = 1
    part_of: tuple[str, ...] | None = dataclasses.field(default=None, compare=False)

    @property
    def records(self) -> tuple[str, ...] | None:
        """Name the records that it could be a part of; None where nothing in the row says that."""
        if self.part_of is None and self.record_id is not None:
            return (self.record_id,)
        return self.part_of

    def __post_init__(self) -> None:
        """Refuse a reason that nobody could look up, and make what the sender wrote fit to be stored."""
        if self.reason not in REASONS:
            raise ValueError(f"unknown quarantine reason {self.reason!r}: add it to REASONS with its remedy")
        for name, longest in (("record_id", 200), ("field", 200), ("detail", 400)):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, _storable_text(_public(name, text))[:longest])
        object.__setattr__(self, "payload", _storable(without_private(self.payload)))


def _public(name: str, text: str) -> str:
    """Take mail addresses and keys out of what a sender wrote; an id that holds one is hashed, so that it stays one."""
    clean = masked(text)
    if name != "record_id" or clean == text:
        return clean
    return f"h:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"


def _storable_text(text: str) -> str:
    """Take out what PostgreSQL keeps in no text: U+0000 and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def _storable(value: object) -> object:
    """Make a value fit for a `jsonb` column: no NaN, no U+0000, text and lists of a length that a person would read."""
    if isinstance(value, str):
        return _storable_text(value[:PAYLOAD_TEXT])
    if isinstance(value, Mapping):
        return {_storable_text(str(key)[:200]): _storable(item) for key, item in [*value.items()][:PAYLOAD_ITEMS]}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value[:PAYLOAD_ITEMS]]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:PAYLOAD_TEXT]


@dataclass(frozen=True)
class Cover:
    """
    What a delivery of a snapshot source speaks for: a key that the ledger holds inside it and the delivery lacks is
    corrected away, unless it may be among its rows in quarantine; keys outside are left alone.

    Args:
        snapshot: the value of the column `snapshot` of the records concerned.
        scope: activity columns and the value that they must have (None: an empty column); {} is the whole snapshot.
        started_at: records that start here or later, in UTC; None: no limit.
        ended_at: records that end here or earlier, in UTC; None: no limit.
        told_otherwise: what is inside is told in another way by the delivery, such as a day by its hours, so that it is
            corrected away whatever is in quarantine: standing beside the other it would count twice.
    """

    snapshot: str
    scope: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    told_otherwise: bool = False
