"""
What AWS states for its customers' emissions: the CARBON_EMISSIONS table of Data Exports (CSV or Parquet), and answers of
the Sustainability API saved as JSON (one page, or an array of pages).

Each row gives two records, location- and market-based, with evidence `stated`: every service of the account, classified
like a bill's. A month is stated again with every version of AWS's model. The highest version counts; rows of older ones
stay as history, each a record and the record that takes it back, under a snapshot of their own.

Source: AWS Data Exports User Guide, "Carbon emissions table dictionary" (23 columns; older exports end after the market-based
total and hold scopes 1 and 2 only); the API's service model 2018-05-10, GetEstimatedCarbonEmissions.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final

import numpy as np
import pandas as pd

from core.quantification.records import empty_activity
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import aws_carbon_api, bill_tables, private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload, digest, finish
from ingestion.sources.bill_columns import as_numbers, as_text, as_times
from ingestion.sources.bill_meaning import region_of
from ingestion.sources.service_rules import Rulebook

NAME: Final = "aws_carbon"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Fields that name a person, a credential or content, mail addresses and keys; neither form has one by itself."
)
"""What never reaches the inbox, in words."""

TEXTS: Final = ("payer_account_id", "usage_account_id", "product_code", "region_code", "location", "model_version")
TIMES: Final = ("usage_period_start", "usage_period_end")
FIGURES: Final = (
    *("total_lbm_emissions", "total_mbm_emissions", "total_scope_1_emissions", "total_scope_2_lbm_emissions"),
    *("total_scope_2_mbm_emissions", "total_scope_3_lbm_emissions", "total_scope_3_mbm_emissions"),
)
COLUMNS: Final = (*TEXTS, *TIMES, *(f"{name}_{part}" for name in FIGURES for part in ("value", "unit")))
REQUIRED: Final = (
    *("usage_account_id", "usage_period_start", "usage_period_end", "model_version"),
    *("total_lbm_emissions_value", "total_lbm_emissions_unit"),
)
BASES: Final[Mapping[str, str]] = {"location": "lbm", "market": "mbm"}

KG_PER_UNIT: Final[Mapping[str, float]] = {"mtco2e": 1000.0, "tco2e": 1000.0, "kgco2e": 1.0, "gco2e": 0.001}
"""Units of a figure in lower case; AWS writes MTCO2e, metric tonnes."""

PARTS_TOLERANCE: Final = 0.02
CLOCK_TOLERANCE: Final = timedelta(minutes=10)


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the export by its columns and the API's answer by its fields."""
    if aws_carbon_api.looks_like_it(head):
        return "AWS Sustainability API, JSON"
    if head[:4] == b"PAR1":
        names: Sequence[str] = head.decode("utf-8", "replace").splitlines()[1:]
    else:
        names = bill_tables.column_names(head)
    known = {name.strip().lower() for name in names}
    return "AWS carbon emissions export" if {"total_lbm_emissions_value", "model_version"} <= known else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop fields that name a person, which neither form should have. Raises UnreadablePayload when it is neither."""
    with scrub_file(io.BytesIO(body)) as kept:
        return kept.read()


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size."""
    if aws_carbon_api.is_json(stream):
        return aws_carbon_api.without_people(stream)
    return private_tables.scrubbed(stream)


def survey(stream: BinaryIO, context: Context) -> dict[str, list[str]]:
    """Tell which model versions a file has of each month: snapshot -> versions. The stream stays where it was."""
    start = stream.tell()
    found: dict[str, set[str]] = {}
    for chunk in _open(stream, CHUNK_ROWS).chunks:
        frame = _frame(chunk, context)
        for snapshot, version in frame[["snapshot", "model_version"]].drop_duplicates().itertuples(index=False):
            if isinstance(snapshot, str):
                found.setdefault(snapshot, set()).add(version)
    stream.seek(start)
    return {snapshot: sorted(versions) for snapshot, versions in found.items()}


def parse(stream: BinaryIO, context: Context, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """
    Read an export or an answer in chunks.

    Args:
        stream: seekable, at its start; CSV may be packed with gzip or Zstandard.
        context: settings used: `max_age_days`, `payer_account_id` (of the API's answers, which do not say it),
            `service_rules`. `known` may
            hold, by snapshot, the versions that the delivery's other files and the ledger have of a month.
        chunk_rows: rows of a chunk.

    Raises UnreadablePayload: neither form, truncated or damaged, or a required column is missing.
    """
    newest = {
        snapshot: max([*versions, *_known_versions(context, snapshot)], key=version_order)
        for snapshot, versions in survey(stream, context).items()
    }
    table = _open(stream, chunk_rows)
    accounts: dict[str, set[tuple[str | None, datetime, datetime]]] = {}
    superseded: dict[tuple[str, str], int] = {}
    received = 0
    for chunk in table.chunks:
        parsed = _read(chunk, context, newest, accounts, superseded)
        received += parsed.received
        yield parsed
    log = [f"Read as AWS carbon emissions, {table.form}."]
    log += [
        f"{count} rows of {snapshot.rsplit(':', 1)[-1]} are of model version {version}; {newest[snapshot]} counts."
        for (snapshot, version), count in sorted(superseded.items())
    ]
    oldest = context.received_at - timedelta(days=context.max_age_days)
    cover = [
        Cover(snapshot, {"account": account}, started_at, ended_at)
        for snapshot, those in sorted(accounts.items())
        for account, started_at, ended_at in sorted(those, key=str)
        if started_at >= oldest
    ]
    yield Parsed(empty_activity(), [], 0, log=log, cover=cover)


def version_order(version: str) -> tuple[int, ...]:
    """
    Give what model versions are ordered by: their numbers.

    >>> max(["v3.0.0", "v2.11.0", "v10.0"], key=version_order), version_order("")
    ('v10.0', ())
    """
    return tuple(int(number) for number in re.findall(r"\d{1,9}", version))


def _known_versions(context: Context, snapshot: str) -> list[str]:
    known = context.known.get(snapshot)
    return [version for version in known if isinstance(version, str)] if isinstance(known, list | tuple) else []


# --- reading ----------------------------------------------------------------------------------------------------------


def _open(stream: BinaryIO, chunk_rows: int) -> bill_tables.Table:
    """Open either form as a table of the export's columns."""
    if aws_carbon_api.is_json(stream):
        return aws_carbon_api.open_answer(stream, chunk_rows)
    table = bill_tables.open_table(stream, bill_tables.picker(COLUMNS), chunk_rows)
    known = {name.strip().lower() for name in table.names}
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise UnreadablePayload(
            f"The table looks like no AWS carbon emissions export: these columns are missing: {', '.join(missing)}. "
            "Export the table CARBON_EMISSIONS and send it again."
        )
    return table


def _frame(chunk: bill_tables.Chunk, context: Context) -> pd.DataFrame:
    """Give a chunk's columns as text, UTC times and kg, with the faults found on the way, by row."""
    frame = pd.DataFrame({"row": chunk.rows})
    fault = np.full(len(frame), None, dtype=object)

    def note(mask: np.ndarray, column: str, reason: str, detail: str) -> None:
        for at in np.flatnonzero(mask):
            fault[at] = fault[at] or (column, reason, detail)

    for name in TEXTS:
        texts = as_text(chunk.columns[name]).to_pylist() if name in chunk.columns else [None] * len(frame)
        frame[name] = np.array([*texts, None], dtype=object)[:-1]
    for name in TIMES:
        times = as_times(chunk.columns[name])
        note(times.unreadable | np.isnat(times.values), name, "bad_field", "it is no time like 2026-10-01 00:00:00")
        frame[name] = times.values
    for name in FIGURES:
        frame[name], unreadable, unknown = _kg(chunk, name)
        note(unreadable, f"{name}_value", "bad_field", "it is not a number")
        note(unknown, f"{name}_unit", "unknown_unit", f"AWS states {', '.join(KG_PER_UNIT)}")
    frame["is_export"] = "payer_account_id" in chunk.columns
    payer = context.setting.get("payer_account_id")
    frame["payer_account_id"] = frame["payer_account_id"].fillna(str(payer) if payer else "api")
    frame["model_version"] = frame["model_version"].fillna("")
    month = frame["usage_period_start"].dt.strftime("%Y-%m")
    frame["snapshot"] = (f"{NAME}:" + frame["payer_account_id"] + ":" + month).astype(object)
    _check(frame, context, note)
    frame["fault"] = fault
    return frame


def _kg(chunk: bill_tables.Chunk, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a figure and its unit: kg, where it is no number, where its unit is not known."""
    size = len(chunk.rows)
    if f"{name}_value" not in chunk.columns:
        return np.full(size, np.nan), np.zeros(size, bool), np.zeros(size, bool)
    numbers = as_numbers(chunk.columns[f"{name}_value"])
    units = as_text(chunk.columns[f"{name}_unit"]).to_pylist() if f"{name}_unit" in chunk.columns else [None] * size
    scale = np.array([KG_PER_UNIT.get((unit or "").lower(), np.nan) for unit in units], dtype="float64")
    return numbers.values * scale, numbers.unreadable, ~np.isnan(numbers.values) & np.isnan(scale)


def _check(frame: pd.DataFrame, context: Context, note: Any) -> None:
    """Note rows that cannot become records, once for both of theirs."""
    start, end = frame["usage_period_start"].to_numpy(), frame["usage_period_end"].to_numpy()
    note(end < start, "usage_period_end", "negative_interval", "it lies before usage_period_start")
    received = np.datetime64(context.received_at.replace(tzinfo=None), "us")
    note(end > received + np.timedelta64(CLOCK_TOLERANCE), "usage_period_end", "clock_skew", "the month is not over")
    oldest = received - np.timedelta64(timedelta(days=context.max_age_days))
    note(start < oldest, "usage_period_start", "too_old", "it lies before what this source accepts")
    note(frame["usage_account_id"].isna().to_numpy(), "usage_account_id", "bad_field", "it is missing")
    totals = frame[[f"total_{part}_emissions" for part in BASES.values()]]
    note(totals.isna().all(axis=1).to_numpy(), "total_lbm_emissions_value", "bad_field", "no total is stated")
    negative = (totals < 0).any(axis=1).to_numpy()
    note(negative, "total_lbm_emissions_value", "negative_quantity", "a statement below zero")


def _read(
    chunk: bill_tables.Chunk,
    context: Context,
    newest: Mapping[str, str],
    accounts: dict[str, set[tuple[str | None, datetime, datetime]]],
    superseded: dict[tuple[str, str], int],
) -> Parsed:
    rejected = [
        Rejection(line.row, None, None, "bad_field", f"{line.cells} cells where the header has {line.expected}")
        for line in chunk.broken
    ]
    frame = _frame(chunk, context)
    for at in np.flatnonzero(frame["fault"].notna()):
        column, reason, detail = frame["fault"].iloc[at]
        rejected.append(Rejection(int(frame["row"].iloc[at]), None, column, reason, detail, _payload(chunk, int(at))))
    good = frame[frame["fault"].isna()].copy()
    received = len(chunk.rows) + len(chunk.broken)
    if good.empty:  # its columns have no types
        return finish(empty_activity(), context, received=received, rejected=rejected)
    good["old"] = [
        newest[snapshot] != version for snapshot, version in zip(good["snapshot"], good["model_version"], strict=True)
    ]
    counted = good[~good["old"]]
    places = ["snapshot", "usage_account_id", "usage_period_start", "usage_period_end"]
    for snapshot, account, start, end in counted[places].drop_duplicates().itertuples(index=False):
        accounts.setdefault(snapshot, set()).add((account, _utc(start), _utc(end)))
    for place, count in good[good["old"]].groupby(["snapshot", "model_version"]).size().items():
        superseded[place] = superseded.get(place, 0) + count  # type: ignore[index,call-overload]  # a pair, as grouped by
    records = _records(good, Rulebook.of(context.setting))
    return finish(records, context, received=received, rejected=rejected, fallback={"stage": "inference"})


def _utc(time: pd.Timestamp) -> datetime:
    return time.to_pydatetime().replace(tzinfo=UTC)


def _payload(chunk: bill_tables.Chunk, at: int) -> dict[str, str]:
    texts = {name: as_text(column.slice(at, 1))[0].as_py() for name, column in chunk.columns.items()}
    return {name: text for name, text in texts.items() if text is not None}


# --- records ----------------------------------------------------------------------------------------------------------


def _records(rows: pd.DataFrame, book: Rulebook) -> pd.DataFrame:
    """Give the records of rows: one for each basis, and for rows of an older version the one that takes it back."""
    parts = []
    for basis, part in BASES.items():
        total = rows[f"total_{part}_emissions"]
        here = rows[total.notna()]
        records = _of_basis(here, basis, part, book)
        records["rows"] = 1 if basis == "location" else here["total_lbm_emissions"].isna().astype("int64").to_numpy()
        taken_back = records[here["old"].to_numpy()].copy()
        taken_back["corrects"] = taken_back["record_id"]
        taken_back["record_id"] = taken_back["record_id"] + ":superseded"
        taken_back["reported_kg_co2e"] = -taken_back["reported_kg_co2e"]
        taken_back["rows"] = 0
        parts += [records, taken_back]
    return pd.concat(parts, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)


def _values(column: pd.Series) -> list[Any]:
    """Give a column's values, None where absent."""
    return [None if absent else value for value, absent in zip(column, column.isna(), strict=True)]


def _of_basis(rows: pd.DataFrame, basis: str, part: str, book: Rulebook) -> pd.DataFrame:
    frame = pd.DataFrame({"row": rows["row"].to_numpy()})
    old, versions = rows["old"].to_numpy(), rows["model_version"].to_numpy()
    place = rows["region_code"].fillna(rows["location"])
    key = (rows["payer_account_id"], rows["usage_period_start"], rows["usage_account_id"], place, rows["product_code"])
    parts = zip(*map(_values, key), strict=True)
    history = np.where(old, versions, "")
    frame["record_id"] = [
        f"{NAME}:{digest(*each, basis, version)}" for each, version in zip(parts, history, strict=True)
    ]
    frame["corrects"] = None
    frame["snapshot"] = np.where(old, rows["snapshot"] + ":" + rows["model_version"], rows["snapshot"])
    frame["started_at"] = pd.DatetimeIndex(rows["usage_period_start"], tz="UTC")
    frame["ended_at"] = pd.DatetimeIndex(rows["usage_period_end"], tz="UTC")
    frame["account"], frame["provider"] = rows["usage_account_id"].to_numpy(), "aws"
    services = _values(rows["product_code"])
    places = [region_of(name) for name in _values(place)]
    frame["region"] = [region for region, _ in places]
    rules = [book.classify(provider="aws", service=each or "", meter="", instance="") for each in services]
    frame["hosting"] = [rule.hosting or "cloud" for rule in rules]
    frame["stage"] = [rule.stage or None for rule in rules]
    frame["evidence"] = "stated"
    frame["reported_kg_co2e"] = rows[f"total_{part}_emissions"].to_numpy()
    frame["reported_basis"] = basis
    labels: list[object] = [
        {
            **({"service": code} if code else {}),
            "classification": rule.classification,
            **({"model_version": version} if version else {}),
            **({"scopes": scopes} if scopes else {}),
        }
        for code, rule, version, scopes in zip(services, rules, versions, _scopes(rows, part), strict=True)
    ]
    frame["labels"] = pd.Series(labels, dtype=object)
    stated = rows[[f"total_{scope}_emissions" for scope in _parts(part)]].sum(axis=1, min_count=2)
    missed = (stated - rows[f"total_{part}_emissions"]).abs() > PARTS_TOLERANCE * rows[f"total_{part}_emissions"] + 1e-6
    frame["flags"] = [
        tuple(name for name, set_ in (("global_routing", anywhere), ("parts_mismatch", odd)) if set_)
        for (_, anywhere), odd in zip(places, missed, strict=True)
    ]
    return frame


def _parts(part: str) -> tuple[str, str, str]:
    return "scope_1", f"scope_2_{part}", f"scope_3_{part}"


def _scopes(rows: pd.DataFrame, part: str) -> list[str]:
    """
    Name the scopes that each total holds; "" where that is not said.

    Exports without columns by scope are the older ones and hold scopes 1 and 2.
    """
    one, _, three = (rows[f"total_{scope}_emissions"].notna() for scope in _parts(part))
    scopes: list[str] = np.select([three, one | rows["is_export"]], ["1, 2, 3", "1, 2"], default="").tolist()
    return scopes
