"""Spans and metrics of one service: one of them counts, on each day."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from core.quantification.signals import SignalDays, repeated_by_signal, signals_of, teller_of

SPAN: dict[str, Any] = {"signal": "spans", "service.name": "rag"}
SAMPLED = SPAN | {"sample_share": 0.1}
HISTOGRAM = {"signal": "metrics", "service.name": "rag", "metric": "gen_ai.client.token.usage", "scope": "openai"}
DURATION = HISTOGRAM | {"metric": "gen_ai.client.operation.duration"}
HOST = {"metric": "hw.host.energy", "host.name": "node"}
COUNTER = HISTOGRAM | {"metric": "gen_ai.client.inference.usage.input_tokens"}


def repeated(*labels: dict[str, Any], day: int = 10, **settings: Any) -> list[bool]:
    """Tell which of the series of a service are cross-checks, on a day on which it sent all of them."""
    signals = frozenset(signal for each in labels for signal in signals_of(each))
    subjects = pd.DataFrame({"source_id": 1, "labels": list(labels), "day": day})
    return repeated_by_signal(subjects, [SignalDays(1, "rag", 10, 12, signals)], {1: settings}).tolist()


def test_spans_count_unless_the_source_says_otherwise() -> None:
    assert repeated(SPAN, HISTOGRAM, DURATION) == [False, True, True]
    assert repeated(SPAN, HISTOGRAM, DURATION, count="metrics") == [True, False, False]


def test_metrics_count_where_spans_are_a_sample() -> None:
    assert repeated(SAMPLED, HISTOGRAM, DURATION) == [True, False, False]
    assert repeated(SAMPLED, HISTOGRAM, count="spans") == [False, True]


def test_setting_can_name_services() -> None:
    assert repeated(SPAN, HISTOGRAM, count={"rag": "metrics"}) == [True, False]
    assert repeated(SPAN, HISTOGRAM, count={"other": "metrics"}) == [False, True]


def test_newer_counters_go_before_the_histogram_of_their_scope() -> None:
    other_scope = HISTOGRAM | {"scope": "anthropic"}

    assert repeated(COUNTER, HISTOGRAM, DURATION, other_scope, count="metrics") == [False, True, False, False]


def test_durations_alone_cannot_stand_for_spans() -> None:
    assert repeated(SPAN, DURATION, count="metrics") == [False, True]


@pytest.mark.parametrize("day", [9, 12])
def test_what_is_sent_alone_counts(day: int) -> None:
    assert repeated(SPAN, HISTOGRAM, day=day) == [False, False]


def test_other_services_sources_and_series_are_left_alone() -> None:
    subjects = pd.DataFrame(
        {"source_id": [2, 1, 1], "labels": [HISTOGRAM, HISTOGRAM | {"service.name": "x"}, {"metric": "hw.host.energy"}]}
    ).assign(day=10)

    overlap = SignalDays(1, "rag", 10, 12, frozenset({"spans", "metrics"}))
    assert repeated_by_signal(subjects, [overlap], {}).tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("sent", "counting"),
    [
        ({"host", "gpu", "others"}, ["host"]),
        ({"host", "others"}, ["host"]),
        ({"gpu", "others"}, ["gpu"]),
        ({"others"}, ["cpu", "memory"]),
    ],
)
def test_energy_of_a_host_holds_that_of_its_parts(sent: set[str], counting: list[str]) -> None:
    names = {"host": "host", "gpu": "gpu", "cpu": "others", "memory": "others"}
    labels = {
        name: {"metric": "hw.energy", "hw.type": name, "host.name": "node"} if name != "host" else HOST
        for name, kind in names.items()
        if kind in sent
    }
    days = SignalDays(1, "host node", 10, 12, frozenset(f"energy of {kind}" for kind in sent))
    frame = pd.DataFrame({"source_id": 1, "labels": list(labels.values()), "day": 10})

    repeated = repeated_by_signal(frame, [days], {})

    assert [name for name, again in zip(labels, repeated, strict=True) if not again] == counting
    assert {signal for each in labels.values() for signal in signals_of(each)} == days.signals
    assert {teller_of(each) for each in labels.values()} == {days.service}
