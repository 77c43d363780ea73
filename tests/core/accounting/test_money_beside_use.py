"""Money of a provider's cost report counts only where its usage report says no use of the same project and day."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import explain
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS
from core.quantification.money_beside_use import beside_use
from core.quantification.notes import TEXTS

from .conftest import at, call
from .test_counted_once import JULY, assert_reconciled, total

KG_PER_USD = 0.15


def cost(number: int, usd: float, project: str | None = "search", day: int = 1):
    """A day of a project in a cost report."""
    return {
        "record_id": f"cost-{number}",
        "started_at": at(f"2026-07-{day:02}T00:00:00"),
        "ended_at": at(f"2026-07-{day + 1:02}T00:00:00"),
        "stage": "inference",
        "hosting": "api",
        "provider": "openai",
        "project": project,
        "cost": usd,
        "currency": "USD",
        "snapshot": "costs",
    }


def used(number: int, project: str | None = "search", day: int = 1):
    return call(number, f"2026-07-{day:02}", team=None, project=project, snapshot="usage")


@pytest.fixture
def spend_factor(organization, factor_set):
    services.add_own_factor(
        organization_id=organization.id,
        name="spend_kg_co2e",
        value=KG_PER_USD,
        source="A study of the sector",
        where={"currency": "USD"},
    )


@pytest.mark.parametrize("kind", ["openai_usage", "anthropic_usage"])
def test_money_counts_only_where_the_source_says_no_use(committed_db, organization, spend_factor, write, kind):
    write(used(1), source="calls")
    services.derive_dirty_days(organization.id)
    of_tokens = total(organization)

    write(used(2), cost(1, 20.0), cost(2, 8.0, day=2), cost(3, 4.0, "images"), source="export", kind=kind)
    services.derive_dirty_days(organization.id)

    # the 20 USD of a project and day with tokens are a cross-check; those of another day and another project count
    assert total(organization) == pytest.approx(2 * of_tokens + KG_PER_USD * (8 + 4))
    assert total(organization, role=("cross_check",)) == pytest.approx(KG_PER_USD * 20)
    by_hour = Filter(JULY.from_day, JULY.to_day, role=("cross_check",), grain="hour", include=())
    assert emissions(organization.id, by_hour, bounds=False).rows["total_kg_co2e"].sum() == pytest.approx(3.0)
    assert_reconciled(organization)


def test_explain_says_why_money_does_not_count(committed_db, organization, spend_factor, write):
    write(used(1), cost(1, 20.0), cost(2, 8.0, day=2), source="export", kind="openai_usage")
    services.derive_dirty_days(organization.id)

    beside, counted = (
        explain(organization.id, Filter(JULY.from_day, JULY.to_day, role=(role,), include=()))
        for role in ("cross_check", "counted")
    )

    assert TEXTS["money_beside_use"] in str(beside)
    assert TEXTS["money_beside_use"] not in str(counted)


def test_use_that_comes_late_or_goes_again_decides_anew(committed_db, organization, spend_factor, write):
    write(cost(1, 20.0), source="export", kind="openai_usage")
    services.derive_dirty_days(organization.id)
    assert total(organization) == pytest.approx(3.0)

    write(used(1), source="export", kind="openai_usage")
    services.derive_dirty_days(organization.id)
    assert total(organization, role=("cross_check",)) == pytest.approx(3.0)

    amounts = {name: -value for name, value in used(1).items() if name in ("requests", "input_tokens", "output_tokens")}
    write(used(2) | amounts | {"corrects": "call-1"}, source="export", kind="openai_usage")
    services.derive_dirty_days(organization.id)
    assert total(organization) == pytest.approx(3.0)


def test_money_of_other_sources_counts_beside_their_use(committed_db, organization, spend_factor, write):
    write(used(1), cost(1, 20.0), source="bill", kind="focus")
    services.derive_dirty_days(organization.id)

    assert total(organization, role=("cross_check",)) == 0


@pytest.mark.parametrize(
    ("money", "use", "same_day", "beside"),
    [
        ("search", "search", True, True),
        ("search", "images", True, False),
        ("search", "search", False, False),
        (None, "search", True, True),  # money of all projects
        ("search", None, True, True),  # use of all projects
    ],
)
def test_source_project_and_day_decide(money, use, same_day, beside):
    masks = [1 << MASK_BITS["cost"], 1 << MASK_BITS["output_tokens"]]
    series = pd.DataFrame(
        {
            "series_id": [1, 2],
            "source_id": 7,
            "account": None,
            "project": pd.Series([money, use], dtype=object),
            "mask": masks,
            "labels": [{}, {}],
            "currency": ["USD", None],
            "reported_basis": None,
        }
    )
    cells = pd.DataFrame({"series_id": [1, 2], "hour": [0, 5 if same_day else 29], **dict.fromkeys(MEASURE_COLUMNS, 0)})
    cells["nano_cost"], cells["output_tokens"] = [10, 0], [0, 10]

    assert beside_use(cells, series, frozenset({7})).tolist() == [beside, False]
    assert beside_use(cells, series, frozenset({8})).tolist() == [False, False]


def test_without_a_factor_for_spend_the_money_stays_in_the_sums(committed_db, organization, factor_set, write):
    write(used(1), cost(1, 20.0), source="export", kind="openai_usage")
    services.derive_dirty_days(organization.id)

    asked = Filter(date(2026, 7, 1), date(2026, 7, 31))
    assert emissions(organization.id, asked, measures=("cost",), bounds=False).rows["cost"].sum() == 20.0
