"""Bills that restate their months, through the upload door: what is covered is replaced, everything else stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from ingestion import services
from tests.ingestion.sources.bills import STORAGE, TOKENS, bill

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]

Deliver = Callable[..., dict[str, Any]]


def day(number: int, tokens: str = "1", **changes: str) -> dict[str, str]:
    """A row of one day of October 2026, 1,000 input tokens unless said otherwise."""
    period = {
        "ChargePeriodStart": f"2026-10-{number:02}T00:00:00Z",
        "ChargePeriodEnd": f"2026-10-{number + 1:02}T00:00:00Z",
    }
    return {**TOKENS, **period, "ConsumedQuantity": tokens, **changes}


@pytest.fixture
def deliver(token: str, drained: Callable[[str], dict[str, Any]]) -> Deliver:
    """Upload one file or several as one delivery, import it, and give the batch."""

    def deliver(*files: list[Mapping[str, str]], **settings: str) -> dict[str, Any]:
        uploads = [SimpleUploadedFile(f"part-{number}.csv", bill(*rows).read()) for number, rows in enumerate(files)]
        form = {"file": uploads, "source": "focus", **settings}
        answer = Client().post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202, answer.content
        return drained(answer.json()["batch"])

    return deliver


def tokens_by_day(organization: Organization) -> dict[int, int]:
    """Input tokens of the cells by day; days that sum to nothing are left out."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select extract(day from hour)::int, sum(input_tokens)::bigint from ledger_cell"
            " where organization_id = %s group by 1 having sum(input_tokens) <> 0 order by 1",
            [organization.id],
        )
        return dict(cursor.fetchall())


def test_halves_of_a_month_add_up_and_their_overlap_counts_once(organization: Organization, deliver: Deliver) -> None:
    deliver([day(1), day(2), day(3)])
    deliver([day(3, "5"), day(4)])

    assert tokens_by_day(organization) == {1: 1000, 2: 1000, 3: 5000, 4: 1000}


def test_a_vanished_row_is_corrected_away_inside_the_cover_only(organization: Organization, deliver: Deliver) -> None:
    deliver([day(1), day(2), day(3), day(5)])
    batch = deliver([day(1), day(3)])

    assert tokens_by_day(organization) == {1: 1000, 3: 1000, 5: 1000}
    assert any("no longer in the delivery" in line for line in batch["log"])


def test_rows_that_become_no_record_count_for_the_cover(organization: Organization, deliver: Deliver) -> None:
    deliver([day(1), day(2), day(3)])
    period = {name: day(3)[name] for name in ("ChargePeriodStart", "ChargePeriodEnd")}
    deliver([day(1), day(2), {**STORAGE, **period}])

    assert tokens_by_day(organization) == {1: 1000, 2: 1000}


def test_sub_accounts_may_come_apart(organization: Organization, deliver: Deliver) -> None:
    deliver([day(1), day(2)])
    deliver([day(1, SubAccountId="2"), day(2, "3", SubAccountId="2")])

    assert tokens_by_day(organization) == {1: 2000, 2: 4000}


def test_files_of_one_upload_are_one_delivery(organization: Organization, deliver: Deliver) -> None:
    batch = deliver([day(1), day(2)], [day(2, "0.5"), day(3)])

    assert batch["counts"]["received"] == batch["counts"]["written"] == 4
    assert tokens_by_day(organization) == {1: 1000, 2: 1500, 3: 1000}
    again = deliver([day(2, "0.5"), day(3)], [day(1), day(2)])
    assert (again["counts"]["written"], again["counts"]["duplicate"]) == (0, 4)


def test_a_correction_in_the_bill_lowers_the_day(organization: Organization, deliver: Deliver) -> None:
    deliver([day(1, "5"), day(1, "-2", ChargeClass="Correction", EffectiveCost="-0.2")])

    assert tokens_by_day(organization) == {1: 3000}


def test_every_row_of_a_bill_is_in_one_place(deliver: Deliver) -> None:
    bad = [day(1, "x"), day(2, ConsumedUnit="Barrels")]
    counts = deliver([day(1), STORAGE, *bad, day(1)])["counts"]

    assert counts == {"received": 5, "written": 2, "duplicate": 0, "quarantined": 2, "outside": 1}


def test_an_older_held_delivery_does_not_overwrite_a_newer_one(
    organization: Organization, deliver: Deliver, batch_of: Any
) -> None:
    deliver([day(number) for number in range(1, 6)])
    held = deliver([day(1, "7"), day(5)])
    assert batch_of(held["id"]).held
    deliver([day(number, "2") for number in range(1, 6)])

    with pytest.raises(services.ResolveError, match="later delivery of this source stands"):
        services.confirm_held(organization.id, held["id"])

    services.drain_inbox(organization.id)
    assert tokens_by_day(organization) == dict.fromkeys(range(1, 6), 2000)


def test_an_older_dry_run_does_not_overwrite_a_newer_delivery(
    organization: Organization, deliver: Deliver, token: str
) -> None:
    dry = deliver([day(1)], dry_run="true")
    deliver([day(1, "2")])

    with pytest.raises(services.ResolveError, match="later delivery of this source stands"):
        services.read_again(organization.id, dry["id"])

    assert tokens_by_day(organization) == {1: 2000}


def test_a_dry_run_is_not_the_answer_to_an_import_of_the_same_key(token: str) -> None:
    def send(**form: str) -> Any:
        file = SimpleUploadedFile("bill.csv", bill(day(1)).read())
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"}
        return Client().post("/api/v1/imports", {"file": file, "source": "focus", **form}, headers=headers)

    first, real, again = send(dry_run="true"), send(), send(dry_run="true")

    assert (first.status_code, real.status_code) == (202, 422)
    assert again.json()["batch"] == first.json()["batch"]
