"""
What the bill of one provider tells the common reader of bills.

Bills are read in the words of FOCUS, the common columns of the FinOps Foundation. A format says which columns of its file it
needs, and translates a chunk of them, whole columns at a time, into columns by FOCUS's names; everything behind that
is the same for every bill:

    bill_tables   file -> chunks of columns
    <format>      `translate`: its columns -> FOCUS's columns
    bill_rows     texts, times and numbers understood; what counts as use; rows that cannot be read
    bill_records  rows of AI services -> records, one for each key
    bill_reader   the order of all this: every row in one place, summary of what is outside, what the file speaks for

So a new bill is one module with a `BillFormat` (see `focus` for the plainest, `aws_cur2` for one that translates).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_tables import Picker, Table, open_table
from ingestion.sources.private_texts import Rules

CATEGORIES: Final = ("usage", "purchase", "tax", "credit", "adjustment")
"""Charge categories of FOCUS. Only usage has quantities; the others are money."""

REPEATED: Final = "repeated"
"""Charge category for rows that repeat what other rows bill (split cost allocation): they are outside, whatever they name."""


@dataclass(frozen=True)
class BillFormat:
    """
    One provider's bill.

    Args:
        name: prefix of record ids and snapshots; the source's name.
        check: tells from the file's column names what it is ("FOCUS 1.2"); raises UnreadablePayload when columns are
            missing.
        pick: chooses the columns to read among the file's names.
        open: opens a file with that choice, in chunks of so many rows.
        translate: turns a chunk's columns (by the names that `pick` gave them) into columns by FOCUS's names, of the
            same length; those that FOCUS has and the format lacks are left out.
        key: columns whose texts make up the key of the difference import, in order.
        texts: text columns that `translate` gives beyond those of FOCUS that are read (for `key` and `labels`).
        labels: label of a record -> text column that it is copied from.
        fallbacks: column of a record -> text column that fills it where no tag does.
        categories: what ChargeCategory may say, in lower case.
        spelled: FOCUS's column -> the format's own, as faults name it.
        rules: what is private beside what is so everywhere, by a column's name in the file or that which `pick` gave
            it; before the file is kept and before a row goes to quarantine.
        utc: times without an offset are UTC by the format's own word, so they need no flag.
        original: parts of the key that the record corrected by a correction has, where they differ from its own.
        nets_credits: the cost of usage is net of its credits, so that one below zero says nothing of the quantity.
        snapshot: months are restated, so that records carry a snapshot and the file speaks for what it covers.
    """

    name: str
    check: Callable[[Sequence[str]], str]
    pick: Picker
    translate: Callable[[Mapping[str, Column]], Mapping[str, Column]]
    key: tuple[str, ...]
    texts: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] = CATEGORIES
    spelled: Mapping[str, str] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    utc: bool = False
    open: Callable[[BinaryIO, Picker, int], Table] = open_table
    original: Mapping[str, str | None] = field(default_factory=dict)
    nets_credits: bool = False
    snapshot: bool = True
