"""
Azure's and Google Cloud's bills through the upload door: restated, late, overlapping and out of order, the ledger is that
of the tidy order.
"""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.identifiers import uuid7
from core.ledger.services import ensure_source, update_source
from core.organizations import services as organizations
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services
from tests.ingestion.sources.samples import PAYLOADS
from tests.ingestion.sources.test_azure_cost import MACHINE, STORAGE, TOKENS

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]

GOOGLE = [json.loads(line) for line in (PAYLOADS / "gcp" / "billing-export-resource.jsonl").read_text().splitlines()]
MEASURES = ("input_tokens", "cached_input_tokens", "output_tokens", "instance_hours", "device_hours", "cost")

Rows = list[dict[str, Any]]

FEW = settings(
    deadline=None,
    max_examples=4,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would deliver hundreds of files
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def azure_file(rows: Rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(TOKENS))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def google_file(rows: Rows) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


class Sender:
    """Delivers files to one organization, and tells what its ledger holds."""

    def __init__(self, organization: Organization, kind: str, write: Callable[[Rows], bytes]) -> None:
        self.organization, self.kind, self.write = organization, kind, write
        _, self.token = organizations.issue_token(organization_id=organization.id, name="bill", scopes=["ingest"])

    def deliver(self, *files: Rows) -> dict[str, int]:
        """Send one delivery; give its counts."""
        uploads = [SimpleUploadedFile(f"part-{at}", self.write(rows)) for at, rows in enumerate(files)]
        form = {"file": uploads, "source": self.kind}
        answer = Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {self.token}"})
        assert answer.status_code == 202, answer.content
        services.drain_inbox(self.organization.id)
        batch = self.batch(answer.json()["batch"])
        if batch.held:  # suspiciously few rows
            services.confirm_held(self.organization.id, batch.id, why="a test")
            services.drain_inbox(self.organization.id)
            batch = self.batch(batch.id)
        assert batch.state == "done", batch.log
        return dict(batch.counts)

    def batch(self, batch_id: Any) -> Any:
        """Read a batch."""
        with organization_scope(self.organization.id):
            return selectors.batches(self.organization.id).get(id=batch_id)

    def ledger(self) -> dict[tuple[Any, ...], tuple[float, ...]]:
        """Sum the cells by what a reader would ask for, without what sums to nothing."""
        columns = ", ".join(f"round(sum(coalesce(r.{name}, 0))::numeric, 6)" for name in MEASURES)
        query = (
            "select s.account, s.team, s.region, s.model, s.instance_type, s.currency, r.started_at::date::text, "
            f"{columns} from ledger_record r join ledger_series s on s.organization_id = r.organization_id"
            " and s.id = r.series_id where r.organization_id = %s group by 1, 2, 3, 4, 5, 6, 7"
        )
        with organization_scope(self.organization.id), connection.cursor() as cursor:
            cursor.execute(query, [self.organization.id])
            rows = [(row[:7], tuple(map(float, row[7:]))) for row in cursor.fetchall()]
        return {key: sums for key, sums in rows if any(sums)}


def sender(kind: str, write: Callable[[Rows], bytes]) -> Sender:
    """Make a sender to an organization of its own."""
    slug = f"o{uuid7().hex}"
    organization = organizations.create_organization(slug=slug, name=slug)
    ensure_source(organization.id, kind)
    return Sender(organization, kind, write)


# --- Azure ------------------------------------------------------------------------------------------------------------

AZURE_ROWS = st.lists(
    st.tuples(
        st.sampled_from([TOKENS, MACHINE, STORAGE]),
        st.integers(1, 28),
        st.integers(-20, 100),
        st.integers(-5, 50),
        st.sampled_from(["Usage", "Refund"]),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        {
            **row,
            "Date": f"10/{day:02}/2026",
            "Quantity": f"{quantity / 10}",
            "Cost": f"{cost / 100}",
            "ChargeType": kind,
        }
        for row, day, quantity, cost, kind in rows
    ]
)
FRAME = [{**STORAGE, "Date": day} for day in ("10/01/2026", "10/31/2026")]
"""Rows outside, so that every version of the month speaks for all of it."""


@FEW
@given(st.lists(AZURE_ROWS, min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_month_restated_three_times_is_its_last_version(versions: list[Rows], random: Any) -> None:
    tidy, untidy = (sender("azure_cost", azure_file) for _ in range(2))
    last = [*versions[-1], *FRAME]

    tidy.deliver(last)
    for version in [*versions, versions[-1]]:
        rows = [*version, *FRAME]
        random.shuffle(rows)
        at = random.randint(0, len(rows))
        files = [part for part in (rows[:at], rows[at:]) if part]
        random.shuffle(files)
        counts = untidy.deliver(*files)
        assert counts["received"] == len(rows) == sum(counts.values()) - counts["received"]

    assert untidy.ledger() == tidy.ledger()


def test_month_to_date_grows_and_a_row_that_left_goes() -> None:
    azure = sender("azure_cost", azure_file)
    days = [{**TOKENS, "Date": f"10/0{day}/2026", "Quantity": "1"} for day in range(1, 6)]

    azure.deliver(days[:3])
    azure.deliver(days)
    azure.deliver([*days[:1], {**days[1], "Quantity": "7"}, *days[3:]])

    tokens = {key[6]: sums[0] for key, sums in azure.ledger().items()}
    assert tokens == {"2026-10-01": 1000, "2026-10-02": 7000, "2026-10-04": 1000, "2026-10-05": 1000}


def test_same_details_twice_change_nothing() -> None:
    azure = sender("azure_cost", azure_file)

    first, again = azure.deliver([TOKENS, MACHINE, STORAGE]), azure.deliver([STORAGE, MACHINE, TOKENS])

    assert (first["written"], first["outside"]) == (2, 1)
    assert (again["written"], again["duplicate"], again["outside"]) == (0, 2, 1)


def test_every_row_and_token_of_details_is_in_one_place() -> None:
    azure = sender("azure_cost", azure_file)
    rows = [TOKENS, {**TOKENS, "Quantity": "x"}, {**MACHINE, "UnitOfMeasure": "1 Barrel"}, STORAGE, TOKENS]

    counts = azure.deliver(rows)

    assert counts == {"received": 5, "written": 2, "duplicate": 0, "quarantined": 2, "outside": 1}
    assert [sums[0] for sums in azure.ledger().values()] == [13_000]


BREAKS = st.lists(
    st.sampled_from(
        [None, ("Quantity", "x"), ("Cost", "x"), ("UnitOfMeasure", "1 Barrel"), ("Date", "x"), ("BillingCurrency", "")]
    ),
    min_size=6,
    max_size=6,
)


def broken(rows: Rows, breaks: list[tuple[str, str] | None]) -> Rows:
    """
    Spoil a cell of some rows, so that they are refused.

    A refund's unit is not read, as it is cost alone: with another one it is another row, not one that is refused.
    """

    def is_read(row: dict[str, str], cell: tuple[str, str]) -> bool:
        return cell[0] != "UnitOfMeasure" or row["ChargeType"] == "Usage"

    return [
        row | dict([cell]) if cell is not None and is_read(row, cell) else row
        for row, cell in zip(rows, breaks, strict=False)
    ]


@FEW
@given(AZURE_ROWS, BREAKS)
def test_rows_refused_this_time_leave_the_ledger_as_it_stood(rows: Rows, breaks: list[tuple[str, str] | None]) -> None:
    azure = sender("azure_cost", azure_file)
    azure.deliver([*rows, *FRAME])
    stood = azure.ledger()

    counts = azure.deliver([*broken(rows, breaks), *FRAME])

    assert azure.ledger() == stood
    assert counts["received"] == len(rows) + len(FRAME) == sum(counts.values()) - counts["received"]


@FEW
@given(
    st.lists(AZURE_ROWS, min_size=3, max_size=3),
    st.lists(BREAKS, min_size=3, max_size=3),
    st.sampled_from(["2026", "2022"]),
    st.randoms(use_true_random=False),
)
def test_restated_with_refused_rows_and_late_by_years_is_the_tidy_ledger_once_mended(
    versions: list[Rows], breaks: list[list[tuple[str, str] | None]], year: str, random: Any
) -> None:
    def late(rows: Rows) -> Rows:
        dates = ("Date", "BillingPeriodStartDate", "BillingPeriodEndDate")
        return [row | {name: row[name].replace("2026", year) for name in dates} for row in rows]

    tidy, untidy = (sender("azure_cost", azure_file) for _ in range(2))
    settings = {"max_age_days": 36_500}
    set_up(tidy, settings)
    tidy.deliver(late([*versions[-1], *FRAME]))

    for at, version in enumerate(versions):  # the first comes as it is: rows of 2022 are older than the source accepts
        if at:
            set_up(untidy, settings)
        rows = late([*broken(version, breaks[at]), *FRAME])
        untidy.deliver(random.sample(rows, len(rows)))
    untidy.deliver(late([*versions[-1], *FRAME]))

    assert untidy.ledger() == tidy.ledger()


def test_a_refused_row_is_mended_by_a_setting_and_replayed() -> None:
    azure = sender("azure_cost", azure_file)
    days = [{**TOKENS, "Date": f"10/0{day}/2026", "Quantity": "1"} for day in range(1, 5)]
    azure.deliver([*days, *FRAME])

    azure.deliver([{**days[0], "UnitOfMeasure": "Ktok", "Quantity": "2"}, *days[1:3], *FRAME])
    # What the first row was of its unit does not say, so nothing vanishes: the fourth day stands too.
    assert {key[6]: sums[0] for key, sums in azure.ledger().items()} == {f"2026-10-0{day}": 1000 for day in range(1, 5)}

    set_up(azure, {"units": {"Ktok": "1K"}})
    services.replay_quarantine(azure.organization.id)
    services.drain_inbox(azure.organization.id)

    tokens = {key[6]: sums[0] for key, sums in azure.ledger().items()}
    assert tokens == {"2026-10-01": 2000, "2026-10-02": 1000, "2026-10-03": 1000}


def set_up(to: Sender, settings: dict[str, Any]) -> None:
    """Change the settings of a sender's source."""
    source = ensure_source(to.organization.id, to.kind)
    update_source(organization_id=to.organization.id, source_id=source.id, settings=settings)


# --- Google Cloud -----------------------------------------------------------------------------------------------------


def piece(of: int, hour: int, amount: int, cost: float) -> dict[str, Any]:
    row = copy.deepcopy(GOOGLE[of])
    row["export_time"] = f"2026-10-05 {hour:02}:00:00 UTC"
    row["usage"]["amount"], row["cost"] = amount, cost
    return row


GOOGLE_ROWS = st.lists(
    st.tuples(st.sampled_from([0, 1, 3, 4, 6]), st.integers(0, 3), st.integers(-50, 500), st.integers(0, 50)),
    min_size=1,
    max_size=8,
).map(lambda rows: [piece(of, hour, amount, cost / 100) for of, hour, amount, cost in rows])


@FEW
@given(GOOGLE_ROWS, st.randoms(use_true_random=False))
def test_exports_in_any_order_of_rows_files_and_deliveries_are_one_ledger(rows: Rows, random: Any) -> None:
    tidy, untidy = (sender("gcp_billing", google_file) for _ in range(2))
    by_export: dict[str, Rows] = {}
    for row in rows:
        by_export.setdefault(row["export_time"], []).append(row)

    tidy.deliver(rows)
    exports = [*by_export.values()] * 3  # each is exported three times
    random.shuffle(exports)
    for export in exports:
        shuffled = random.sample(export, len(export))
        at = random.randint(0, len(shuffled))
        counts = untidy.deliver(*[part for part in (shuffled[:at], shuffled[at:]) if part])
        assert counts["quarantined"] == 0
        assert counts["received"] == sum(counts.values()) - counts["received"]

    assert untidy.ledger() == tidy.ledger()


def test_late_piece_of_a_known_key_adds_once() -> None:
    google = sender("gcp_billing", google_file)

    google.deliver([piece(0, 1, 100, 1.0)])
    google.deliver([piece(0, 1, 100, 1.0), piece(0, 2, 25, 0.25)])
    again = google.deliver([piece(0, 2, 25, 0.25)])

    assert [sums[0] for sums in google.ledger().values()] == [125]
    assert (again["written"], again["duplicate"]) == (0, 1)


def test_rows_of_one_key_and_export_add_up_over_the_files_of_a_delivery() -> None:
    google = sender("gcp_billing", google_file)

    counts = google.deliver([piece(0, 1, 100, 1.0), piece(0, 1, 10, 0.5)], [piece(0, 1, 1, 0.25)])
    again = google.deliver([piece(0, 1, 1, 0.25), piece(0, 1, 100, 1.0)], [piece(0, 1, 10, 0.5)])

    assert [(sums[0], sums[-1]) for sums in google.ledger().values()] == [(111, 1.75)]
    assert (counts["received"], counts["written"], again["duplicate"]) == (3, 3, 3)


def test_part_of_an_export_alone_is_no_new_piece() -> None:
    google = sender("gcp_billing", google_file)

    google.deliver([piece(0, 1, 100, 1.0), piece(0, 1, 10, 0.5)])
    part = google.deliver([piece(0, 1, 10, 0.5)])

    assert [sums[0] for sums in google.ledger().values()] == [110]
    assert part["quarantined"] == 1
