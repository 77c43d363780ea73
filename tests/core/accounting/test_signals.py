"""Spans and metrics of one service in the figures: both stand in the ledger, one counts, also when the other comes late."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.signal_tokens import signal_differences
from core.ledger import selectors
from core.ledger.services import ensure_source, update_source
from core.ledger.signals import note_signals
from core.organizations.tenancy import organization_scope

from .conftest import call

SPAN = {"signal": "spans", "service.name": "rag"}
METRIC = {"signal": "metrics", "service.name": "rag", "metric": "gen_ai.client.token.usage", "scope": "openai"}
JULY = Filter(date(2026, 7, 1), date(2026, 7, 31))


@pytest.fixture
def seen(organization: Any) -> Any:
    """Note a signal of the service `rag`: ``seen(source_id, "2026-07-01", "spans")``."""

    def note(source_id: int, day: str, signal: str) -> None:
        with organization_scope(organization.id):
            note_signals(organization.id, [(source_id, "rag", date.fromisoformat(day), signal)])

    return note


def counted(organization: Any) -> dict[str, int]:
    """Derive what is marked, then give the counted input tokens by day."""
    services.derive_dirty_days(organization.id)
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select d.day::text, sum(d.input_tokens) from accounting_daily d join accounting_resolved_series r"
            " on r.id = d.resolved_id where r.role = 'counted' group by d.day order by d.day"
        )
        return {day: int(tokens) for day, tokens in cursor.fetchall()}


def test_metrics_count_until_spans_are_seen_and_only_on_days_that_have_them(
    committed_db, organization, factor_set, write, seen
):
    for day in ("2026-07-01", "2026-07-02"):
        source = write(call(1, day, record_id=f"m-{day}", input_tokens=1000, labels=METRIC))
        seen(source, day, "metrics")
    assert counted(organization) == {"2026-07-01": 1000, "2026-07-02": 1000}

    write(call(2, "2026-07-02", record_id="s", input_tokens=970, labels=SPAN))
    seen(source, "2026-07-02", "spans")

    assert counted(organization) == {"2026-07-01": 1000, "2026-07-02": 970}


def test_setting_decides_for_the_past_as_well(committed_db, organization, factor_set, write, seen):
    source = write(
        call(1, record_id="m", input_tokens=1000, labels=METRIC), call(2, record_id="s", input_tokens=970, labels=SPAN)
    )
    for signal in ("spans", "metrics"):
        seen(source, "2026-07-01", signal)
    assert counted(organization) == {"2026-07-01": 970}

    update_source(organization_id=organization.id, source_id=source, settings={"count": "metrics"})

    assert counted(organization) == {"2026-07-01": 1000}


def test_days_of_the_same_signals_are_one_rule(committed_db, organization, seen):
    source = ensure_source(organization.id, "otlp").id
    for day in ("2026-07-01", "2026-07-02", "2026-07-05"):
        for signal in ("spans", "metrics"):
            seen(source, day, signal)
    seen(source, "2026-07-03", "metrics")

    with organization_scope(organization.id):
        overlaps = rules_of(organization.id).signals

    first = (date(2026, 7, 1) - date(1970, 1, 1)).days
    assert [(each.from_day - first, each.to_day - first) for each in overlaps] == [(0, 2), (4, 5)]


def test_signal_that_was_seen_already_marks_no_day(committed_db, organization, seen):
    source = ensure_source(organization.id, "otlp").id
    for _ in range(2):
        seen(source, "2026-07-01", "spans")

    assert len(selectors.dirty_days(organization.id).days[date(2026, 7, 1)]) == 1


def test_service_whose_spans_are_an_undeclared_sample_is_flagged(committed_db, organization, factor_set, write, seen):
    """Spans hold 800 of the 1,000 tokens that the metrics of the same day hold: a fifth is missing."""
    source = write(
        call(1, record_id="m", input_tokens=5000, output_tokens=1000, labels=METRIC),
        call(2, record_id="s", input_tokens=4000, output_tokens=800, labels=SPAN),
        call(3, "2026-07-02", record_id="alone", output_tokens=9000, labels=SPAN),  # no metrics on that day
    )
    for signal in ("spans", "metrics"):
        seen(source, "2026-07-01", signal)
    seen(source, "2026-07-02", "spans")
    services.derive_dirty_days(organization.id)

    (found,) = signal_differences(organization.id, JULY)

    assert found.as_dict() == {
        "source": "gateway",
        "service": "rag",
        "measure": "output_tokens",
        "spans": 800.0,
        "metrics": 1000.0,
        "difference": pytest.approx(-0.2),
    }


@pytest.mark.parametrize(
    ("spans", "labels", "flagged"),
    [
        (951, {}, False),
        (949, {}, True),
        (1051, {}, True),
        (250, {"sample_share": 0.25}, False),  # a declared share is scaled up
        (125, {"sample_share": 0.25}, True),  # and found out where it is wrong
        (0, {}, True),  # spans without usage
    ],
)
def test_five_percent_of_tokens_decide(committed_db, organization, factor_set, write, seen, spans, labels, flagged):
    source = write(
        call(1, record_id="m", output_tokens=1000, labels=METRIC),
        call(2, record_id="s", output_tokens=spans, labels=SPAN | labels),
    )
    for signal in ("spans", "metrics"):
        seen(source, "2026-07-01", signal)
    services.derive_dirty_days(organization.id)

    assert bool(signal_differences(organization.id, JULY)) == flagged


def test_histogram_beside_its_newer_counters_is_not_added_to_them(committed_db, organization, factor_set, write, seen):
    newer = METRIC | {"metric": "gen_ai.client.inference.usage.output_tokens"}
    source = write(
        call(1, record_id="h", output_tokens=1000, labels=METRIC),
        call(2, record_id="c", output_tokens=1000, labels=newer),
        call(3, record_id="s", output_tokens=1000, labels=SPAN),
    )
    for signal in ("spans", "metrics", "counters of openai"):
        seen(source, "2026-07-01", signal)
    services.derive_dirty_days(organization.id)

    assert signal_differences(organization.id, JULY) == []
