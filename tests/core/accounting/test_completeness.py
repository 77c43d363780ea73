"""What should report and did not: gaps as they are, estimates beside them."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command

from core.accounting import services
from core.accounting.selectors.completeness import completeness

from .conftest import metered
from .test_counted_once import total

WEEK = (date(2026, 7, 1), date(2026, 7, 7))


@pytest.fixture
def agent(committed_db, organization, factor_set, write):
    days = ("2026-07-01", "2026-07-02", "2026-07-06")
    found = write(
        *(metered(n, 10.0, day, account="a", energy_boundary="facility") for n, day in enumerate(days)), source="agent"
    )
    services.derive_dirty_days(organization.id)
    return found


def test_missing_days_are_stated_and_an_estimate_is_kept_apart(organization, agent):
    before = total(organization)
    services.expect(organization_id=organization.id, source_id=agent, kind="cluster", since=WEEK[0], account="a")

    ((entry,), seen) = completeness(organization.id, *WEEK)

    assert (entry.expected_days, entry.reported_days, entry.missing_days) == (7, 3, 4)
    assert entry.missing == ((date(2026, 7, 3), date(2026, 7, 5)), (date(2026, 7, 7), date(2026, 7, 7)))
    assert entry.estimate_kg == pytest.approx(4 * 10 * 0.329)  # four days at 10 kWh of 329.0 g (methodology 3.1)
    assert seen == []
    assert total(organization) == before


def test_what_reported_unexpected_is_proposed(organization, agent):
    entries, (seen,) = completeness(organization.id, *WEEK)

    assert entries == []
    assert (seen.source, seen.account, seen.first_day, seen.last_day) == (
        "agent",
        "a",
        date(2026, 7, 1),
        date(2026, 7, 6),
    )


def test_nothing_is_expected_before_its_first_and_after_its_last_day(organization, agent):
    services.expect(
        organization_id=organization.id, source_id=agent, kind="agent", since=date(2026, 7, 2), until=date(2026, 7, 3)
    )

    ((entry,), _) = completeness(organization.id, *WEEK)

    assert (entry.expected_days, entry.missing_days) == (2, 1)
    with pytest.raises(services.CoverageError, match="before the first"):
        services.expect(organization_id=organization.id, source_id=agent, kind="agent", since=WEEK[1], until=WEEK[0])
    with pytest.raises(services.CoverageError, match="none of"):
        services.expect(organization_id=organization.id, source_id=agent, kind="ghost", since=WEEK[1])


def test_the_command_enters_and_lists(organization, agent):
    arguments = ["--organization", organization.slug]
    call_command("coverage", "expect", "agent", "--since", "2026-07-01", *arguments, stdout=StringIO())
    out, sheet = StringIO(), StringIO()
    week = ["--from", "2026-07-01", "--to", "2026-07-07", "--format", "json"]

    call_command("coverage", "completeness", *week, *arguments, stdout=out)
    call_command("coverage", "completeness", "--period", "2026-07", "--format", "csv", *arguments, stdout=sheet)

    (entry,) = json.loads(out.getvalue())["expected"]
    assert (entry["missing_days"], entry["missing"]) == (4, "2026-07-03 to 2026-07-05, 2026-07-07")
    assert sheet.getvalue().splitlines()[0].startswith("kind,source,account,since")
