"""
Azure's carbon optimization reports: the answers of its API (2025-04-01), saved as JSON.

Item details become one record for each item, monthly and overall summaries one for each month. The answer says neither
whether it is location- or market-based (setting `reported_basis`, without which nothing is read) nor, for item details,
which month it is of: the request beside it does, or the setting `month`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification import activity, records
from core.quantification.private import without_private
from core.quantification.prose import brief
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import carbon_statements, json_stream
from ingestion.sources.base import (
    LABEL_TEXT,
    Context,
    Parsed,
    UnreadablePayload,
    digest,
    finish,
    limit_labels,
)
from ingestion.sources.bill_meaning import region_of
from ingestion.sources.byte_streams import from_pieces, open_maybe_compressed
from ingestion.sources.carbon_statements import Month, month_of
from ingestion.sources.service_rules import Rulebook

NAME: Final = "azure_carbon"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Fields that name a person, a credential or content, mail addresses and keys; a report has none by itself."
)
"""What never reaches the inbox, in words for the privacy page."""

WHAT: Final = "Azure's carbon optimization API"

ITEMS: Final = ("ItemDetailsData", "ResourceItemDetailsData", "ResourceGroupItemDetailsData")
SUMMARIES: Final = ("MonthlySummaryData", "OverallSummaryData")
TOP_ITEMS: Final = re.compile(r"TopItems")
"""The few largest items: what they leave out nobody knows, so they are no statement of their own."""

SERVICES: Final[Mapping[str, str]] = {
    "microsoft.cognitiveservices": "Cognitive Services",
    "microsoft.machinelearningservices": "Machine Learning",
    "microsoft.search": "Azure AI Search",
    "microsoft.compute/virtualmachines": "Virtual Machines",
    "microsoft.compute/virtualmachinescalesets": "Virtual Machines",
}
"""Resource type or its namespace -> the service as bills name it; other types keep their own name."""


class _Decision(msgspec.Struct, rename="camel"):
    subscription_id: str
    decision: str
    denial_reason: str | None = None


class _DateRange(msgspec.Struct, rename="camel"):
    start: str | None = None
    end: str | None = None


class _Request(msgspec.Struct, rename="camel"):
    """What was asked for, where the sender keeps it beside the answer."""

    date_range: _DateRange | None = None
    subscription_list: list[str] | None = None
    carbon_scope_list: list[str] | None = None
    location_list: list[str] | None = None
    resource_type_list: list[str] | None = None
    resource_group_url_list: list[str] | None = None


class _Answer(msgspec.Struct, rename="camel"):
    value: list[dict[str, Any]]
    skip_token: str | None = None
    subscription_access_decision_list: list[_Decision] | None = None
    request: _Request | None = None

    @property
    def whole(self) -> bool:
        """Tell whether it holds all of its subscriptions and months: unfiltered, and no page follows."""
        asked = self.request
        return not self.skip_token and not (
            asked and (asked.location_list or asked.resource_type_list or asked.resource_group_url_list)
        )


@dataclass
class _Reading:
    """One file on its way: what was read of it since the last chunk, and what its last chunk says of the whole."""

    context: Context
    basis: str
    rules: Rulebook
    read: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    outside: int = 0
    row: int = 0
    log: list[str] = field(default_factory=list)
    covered: dict[tuple[str, str], Cover] = field(default_factory=dict)

    def chunk(self, *, last: bool) -> Parsed:
        """Give what was read since the last chunk."""
        read, rejected, outside = self.read, self.rejected, self.outside
        self.read, self.rejected, self.outside = [], [], 0
        return finish(
            records.to_activity(read),
            self.context,
            received=len(read) + sum(each.rows for each in rejected) + outside,
            rejected=rejected,
            outside=outside,
            log=self.log if last else [],
            cover=carbon_statements.spoken_for(self.covered.values(), self.context) if last else [],
            fallback=carbon_statements.FALLBACK,
        )


class _Bad(Exception):
    """A row cannot be read: the field and what is wrong with it."""

    def __init__(self, field: str, detail: str, reason: str = "bad_field") -> None:
        super().__init__(detail)
        self.field, self.detail, self.reason = field, detail, reason


def detect(head: bytes, filename: str) -> str | None:
    """Recognize an answer by its field of emissions beside a data type."""
    if b'"latestMonthEmissions"' in head or b'"subscriptionAccessDecisionList"' in head:
        return "Azure carbon optimization report"
    return None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop what is private, which no report of Azure has. Raises UnreadablePayload when it is no answer."""
    return b"".join(_scrubbed(io.BytesIO(body)))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size, an answer at a time."""
    return from_pieces(_scrubbed(stream))


def _scrubbed(stream: BinaryIO) -> Iterator[bytes]:
    """Give answers as JSON lines; of none there is an empty array."""
    found = False
    for answer in _answers(stream):
        found = True
        yield msgspec.json.encode(brief(without_private(msgspec.to_builtins(answer)))) + b"\n"
    if not found:
        yield b"[]"


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read one answer, a JSON array of them, or one a line; pages of one report belong into one delivery.

    Settings used: `reported_basis` (`location` or `market`, needed), `month` (`2026-10`, where no request stands beside the
    answer), `account` (for sums over several subscriptions), `max_age_days`, `service_rules`.

    Raises UnreadablePayload: no answer, or `reported_basis` is not set.
    """
    reading = _Reading(context, reported_basis(context), Rulebook.of(context.setting))
    for answer in _answers(stream):
        _read_answer(answer, reading)
        if len(reading.read) + len(reading.rejected) >= json_stream.CHUNK_ITEMS:
            yield reading.chunk(last=False)
    yield reading.chunk(last=True)


def reported_basis(context: Context) -> str:
    """Give the basis that the source's setting names. Raises UnreadablePayload without one."""
    basis = context.setting.get("reported_basis")
    if isinstance(basis, str) and basis in activity.REPORTED_BASES:
        return basis
    raise UnreadablePayload(
        "Azure's answer does not say whether its emissions are location- or market-based. Set `reported_basis` of this"
        f" source to {' or '.join(activity.REPORTED_BASES)} and read the file again."
    )


def _read_answer(answer: _Answer, reading: _Reading) -> None:
    decisions = answer.subscription_access_decision_list or []
    if answer.skip_token:
        reading.log.append("The answer has a skip_token: import its further pages together with it, in one delivery.")
    for item in answer.value:
        reading.row += 1
        if TOP_ITEMS.search(str(item.get("dataType"))):
            reading.outside += 1
            continue
        try:
            reading.read.append(_record(item, answer, reading))
        except _Bad as bad:
            reading.rejected.append(Rejection(reading.row, None, bad.field, bad.reason, bad.detail, _public(item)))
    for decision in decisions:
        if decision.decision.lower() != "allowed":
            reading.row += 1
            reading.rejected.append(_denied(decision, reading))


def _denied(decision: _Decision, reading: _Reading) -> Rejection:
    """Raise a subscription that the answer leaves out without saying so in its sums."""
    told = f"{decision.subscription_id}: {decision.decision}"
    reading.log.append(
        f"The emissions of subscription {decision.subscription_id} are missing: access {decision.decision}."
    )
    detail = f"{told}, {decision.denial_reason}" if decision.denial_reason else told
    return Rejection(
        reading.row,
        None,
        "subscriptionAccessDecisionList",
        "access_denied",
        detail,
        {"subscriptionId": decision.subscription_id, "decision": decision.decision},
    )


def _record(item: dict[str, Any], answer: _Answer, reading: _Reading) -> dict[str, Any]:
    kind = item.get("dataType")
    if kind not in (*ITEMS, *SUMMARIES):
        raise _Bad("dataType", f"{str(kind)[:60]!r} is not known", "unsupported_version")
    emissions_kg = _emissions(item)
    month = _month(item, answer, reading.context)
    account = _account(item, answer, reading.context)
    scopes = _scopes(answer)
    resource_type = _text(item, "resourceType")
    service_name = _service_name(resource_type)
    service = carbon_statements.service_of(reading.rules, "azure", service_name) if service_name else None
    snapshot = f"azure_carbon:{account}:{month}"[: records.ID_LENGTH]
    if answer.whole:
        reading.covered[snapshot, account] = Cover(snapshot, {"account": account}, month.started_at, month.ended_at)
    return {
        "record_id": f"azure_carbon:{digest(month, account, *_identity(item), scopes, reading.basis)}",
        "row": reading.row,
        "snapshot": snapshot,
        "started_at": month.started_at,
        "ended_at": month.ended_at,
        "account": account,
        "evidence": "stated",
        "provider": "azure",
        "region": region_of(_text(item, "location"))[0],
        "hosting": service.hosting if service else "cloud",
        "stage": service.stage if service else None,
        "reported_kg_co2e": emissions_kg,
        "reported_basis": reading.basis,
        "labels": limit_labels(
            {
                "report": str(kind).removesuffix("Data"),
                "category": _text(item, "categoryType"),
                "scopes": scopes,
                "service": service_name,
                "classification": service.classification if service else None,
                "resource": _text(item, "itemName") if kind in ITEMS else None,
                "resource_group": _text(item, "resourceGroup"),
            }
        ),
    }


def _emissions(item: Mapping[str, Any]) -> float:
    value = item.get("latestMonthEmissions")
    if value is None:
        raise _Bad("latestMonthEmissions", "it is missing")
    number = carbon_statements.number_of(value)
    if number is None:
        raise _Bad("latestMonthEmissions", f"{str(value)[:40]!r} is not a number")
    return number


def _month(item: Mapping[str, Any], answer: _Answer, context: Context) -> Month:
    """Find the month of a row: its own date, the request's, then the source's setting."""
    if "date" in item:
        month = month_of(item["date"])
        if month is None:
            raise _Bad("date", f"{str(item['date'])[:40]!r} is not a date like 2026-10-01")
        return month
    asked = answer.request.date_range if answer.request else None
    if asked is not None and asked.start is not None:
        first, last = month_of(asked.start), month_of(asked.end or asked.start)
        if first is None or first != last:
            raise _Bad("dateRange", f"{asked.start} to {asked.end} is not one month: ask for each month alone")
        return first
    month = month_of(context.setting.get("month"))
    if month is None:
        raise _Bad(
            "dateRange", "the answer does not say its month: keep the request beside it, or set `month` of the source"
        )
    return month


def _account(item: Mapping[str, Any], answer: _Answer, context: Context) -> str:
    """Find the subscription of a row: its own, else the only one that was asked for, else the setting `account`."""
    if own := _text(item, "subscriptionId"):
        return own.lower()
    if item.get("categoryType") == "Subscription" and (name := _text(item, "itemName")):
        return name.lower()
    if answer.subscription_access_decision_list:
        decisions = answer.subscription_access_decision_list
        behind = [each.subscription_id for each in decisions if each.decision.lower() == "allowed"]
    else:
        behind = (answer.request.subscription_list if answer.request else None) or []
    if len(set(behind)) == 1:
        return behind[0].lower()
    account = context.setting.get("account")
    if isinstance(account, str) and account:
        return account
    raise _Bad(
        "subscriptionAccessDecisionList",
        f"the sum is over {len(set(behind))} subscriptions: ask for each alone, or set `account` of the source",
    )


def _identity(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Give what names an item inside its month and subscription; Azure's ids do not tell cases apart."""
    names = (_text(item, name) for name in ("categoryType", "resourceId", "resourceGroupUrl", "itemName"))
    category, resource, group, name = ((each or "").lower() for each in names)
    kind = "item" if item["dataType"] in ITEMS else "summary"
    return kind, category, resource or group or name


def _scopes(answer: _Answer) -> str | None:
    asked = answer.request.carbon_scope_list if answer.request else None
    return "+".join(sorted({scope.lower() for scope in asked})) if asked else None


def _service_name(resource_type: str | None) -> str | None:
    if resource_type is None:
        return None
    lower = resource_type.lower()
    return SERVICES.get(lower) or SERVICES.get(lower.split("/", 1)[0]) or lower


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value.strip()[:LABEL_TEXT] or None if isinstance(value, str) else None


def _public(item: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = without_private(item)
    return kept


def _answers(stream: BinaryIO) -> Iterator[_Answer]:
    """Give the answers of a file, each held by itself. Raises UnreadablePayload at what is none."""
    for _, value in json_stream.shares(open_maybe_compressed(stream), WHAT, None):
        try:
            yield msgspec.convert(value, _Answer)
        except msgspec.ValidationError as error:
            where, detail = records.explain(str(error))
            raise UnreadablePayload(
                f"This is no answer of {WHAT} ({where}: {detail}). Save the answer as it is."
            ) from error
