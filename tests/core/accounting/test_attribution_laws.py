"""Attribution commutes with aggregation: rules over cells give what records would that carry the names already."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.accounting.columns import IMPACT_COLUMNS
from core.accounting.derive import DIMENSIONS, Derived, figures
from core.accounting.rules import Rules
from core.factors.pack import load_pack
from core.quantification.activity import MEASURE_COLUMNS, SERIES_TEXT
from core.quantification.attribution_rules import FACTORS_FOLLOW, TARGETS, Condition, Rule, by_rules
from tests.strategies import cells

pytestmark = pytest.mark.slow

PACK = load_pack()
NAMES = st.sampled_from(["a", "b", "c"])
OWNERS = tuple(target for target in TARGETS if target not in FACTORS_FOLLOW)


def rules_setting(targets: tuple[str, ...]) -> st.SearchStrategy[list[Rule]]:
    conditions = st.builds(
        Condition,
        st.sampled_from(["account", "team", "hosting", "label.ns"]),
        st.sampled_from(["is", "is_not"]),
        st.sampled_from([("a",), ("a", "b"), ("owned",), ("api",)]),
    )
    sets = st.dictionaries(st.sampled_from(targets), NAMES, min_size=1, max_size=3)
    return st.lists(st.builds(Rule, st.tuples(conditions), sets, st.booleans()), min_size=1, max_size=4)


@st.composite
def uses(draw: st.DrawFn) -> pd.DataFrame:
    """Draw cells with who is behind them, each a series of its own."""
    frame = draw(cells(max_series=3, max_cells=2)).reset_index(drop=True)
    absent = {name: None for name in SERIES_TEXT if name not in frame}
    frame = frame.assign(**absent, series_id=range(len(frame)), source_id=1, grain="hour", day=20_600, records=1)
    frame[list(MEASURE_COLUMNS)] //= 64  # sums of the largest would leave 64 bits
    for name in ("account", "team"):
        frame[name] = draw(st.lists(st.none() | NAMES, min_size=len(frame), max_size=len(frame)))
    frame["labels"] = draw(st.lists(st.dictionaries(st.just("ns"), NAMES), min_size=len(frame), max_size=len(frame)))
    return frame.astype(dict.fromkeys(SERIES_TEXT, object))


def derive(frame: pd.DataFrame, *rules: Rule) -> Derived:
    rows = frame[["series_id", "day", "records", *MEASURE_COLUMNS]]
    return figures(rows, frame.drop(columns=["day", "records"]), Rules(attribution=rules), PACK, "2026.1")


def by(derived: Derived, dimensions: tuple[str, ...]) -> pd.DataFrame:
    """Add figures up by some dimensions."""
    names = derived.resolved.iloc[derived.rows["resolved"].to_numpy()][list(dimensions)].reset_index(drop=True)
    measured = [name for name in (*MEASURE_COLUMNS, *IMPACT_COLUMNS) if name in derived.rows]
    joined = pd.concat([names, derived.rows[["records", *measured]].reset_index(drop=True)], axis=1)
    return joined.groupby(list(dimensions), dropna=False)[["records", *measured]].sum(min_count=1)


@given(uses(), rules_setting((*OWNERS, "site")), st.booleans())
@settings(max_examples=15, deadline=None)
def test_rules_give_what_records_would_that_carry_the_names_already(frame, rules, moved):
    if moved:
        elsewhere = {"hosting": "owned", "stage": "training"}
        rules.append(Rule((Condition("hosting", "is", ("api", "cloud")),), elsewhere, overwrite=True))
    carried = by_rules(frame, rules)

    by_rule, by_name = derive(frame, *rules), derive(carried)

    pd.testing.assert_frame_equal(by_rule.rows, by_name.rows)
    pd.testing.assert_frame_equal(by_rule.resolved[list(DIMENSIONS)], by_name.resolved[list(DIMENSIONS)])


@given(uses(), rules_setting(OWNERS))
@settings(max_examples=15, deadline=None)
def test_whose_a_use_is_never_changes_a_total(frame, rules):
    before, after = derive(frame), derive(frame, *rules)

    totals = [by(each, ("hosting",)) for each in (before, after)]

    pd.testing.assert_frame_equal(*totals)


@given(uses(), rules_setting(OWNERS))
@settings(max_examples=15, deadline=None)
def test_attribution_commutes_with_aggregation(frame, rules):
    """Series that report the same are one series: attributed apart and added up, or added up and attributed."""
    twice = pd.concat([frame, frame.assign(series_id=frame["series_id"] + len(frame))], ignore_index=True)
    once = frame.assign(records=2, **{name: frame[name] * 2 for name in MEASURE_COLUMNS})

    apart, together = (by(derive(each, *rules), OWNERS) for each in (twice, once))

    measures = ["records", *(name for name in MEASURE_COLUMNS if name in apart)]
    pd.testing.assert_frame_equal(apart[measures], together[measures])
    difference = (apart.astype(float) - together.astype(float)).abs().to_numpy()
    rounded = 1.0 * len(twice)  # each row is rounded to a stored integer of its own
    assert np.nanmax(difference - rounded - 1e-9 * together.astype(float).abs().to_numpy(), initial=-1.0) <= 0.0
