"""Rules of attribution: what they match, which of them decides, and what they cannot do."""

from __future__ import annotations

import time
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.activity import SERIES_TEXT
from core.quantification.attribute import day_number
from core.quantification.attribution_effect import effect_of, periods
from core.quantification.attribution_rules import (
    FIELDS,
    LONGEST,
    OPERATORS,
    TARGETS,
    WITHOUT_VALUE,
    Condition,
    Rule,
    RuleError,
    _matching,
    by_rules,
    check_pattern,
    check_rule,
)
from core.quantification.attribution_text import (
    FaultyFile,
    parse_condition,
    read_file,
    write_condition,
    write_file,
)

JULY = day_number(date(2026, 7, 1))


def subjects(*rows: dict[str, object]) -> pd.DataFrame:
    """Series as derive reads them; what is not said was not reported."""
    absent: dict[str, object] = dict.fromkeys(SERIES_TEXT) | {"source_id": 1, "labels": {}, "day": JULY}
    frame = pd.DataFrame([absent | row for row in rows], dtype=object)
    return frame.assign(series_id=range(1, len(rows) + 1))


def rule(*conditions: str, overwrite: bool = False, first: date | None = None, to: date | None = None, **sets: str):
    return Rule(tuple(parse_condition(each) for each in conditions), sets, overwrite, first, to)


def teams(frame: pd.DataFrame, *rules: Rule) -> list[str | None]:
    return by_rules(frame, rules)["team"].tolist()


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ("account is prod-eu", True),
        ("account is PROD-EU", True),
        ("account is prod, prod-eu", True),
        ("account is_not prod-us", True),
        ("account is_not prod-eu", False),
        ("account starts_with prod-", True),
        ("account contains od-e", True),
        ("account matches prod-(eu|us)", True),
        ("account matches prod", False),
        ("account is_set", True),
        ("account is_empty", False),
        ("project is_empty", True),
        ("project is x", False),
        ("project is_not x", True),
        ("label.namespace is search", True),
        ("label.gpus is 8", True),
        ("label.spot is true", True),
        ("label.share is 0.5", True),
        ("label.nothing is_empty", True),
        ("source is 1", True),
        ("source is 11", False),
    ],
)
def test_a_condition_looks_at_what_was_reported(condition, fits):
    labels = {"namespace": "Search", "gpus": 8, "spot": True, "share": 0.5}
    frame = subjects({"account": "prod-eu", "labels": labels})

    assert teams(frame, rule(condition, team="Search")) == (["Search"] if fits else [None])


def test_every_condition_must_be_met():
    frame = subjects({"account": "a", "provider": "aws"}, {"account": "a", "provider": "gcp"})

    assert teams(frame, rule("account is a", "provider is aws", team="X")) == ["X", None]


def test_the_first_rule_that_may_set_a_dimension_decides_it():
    frame = subjects({"account": "a"})
    first, second = rule("account is a", team="First"), rule("account is a", team="Second", project="P")

    both = by_rules(frame, [first, second])
    turned = by_rules(frame, [second, first])

    assert both[["team", "project"]].to_numpy().tolist() == [["First", "P"]]
    assert turned[["team", "project"]].to_numpy().tolist() == [["Second", "P"]]


def test_what_was_reported_stays_unless_the_rule_overwrites():
    frame = subjects({"team": "Reported"})
    mild, strong = rule("source is 1", team="Mild"), rule("source is 1", team="Strong", overwrite=True)

    assert teams(frame, mild) == ["Reported"]
    assert teams(frame, mild, strong) == ["Strong"]


def test_a_later_rule_that_overwrites_does_not_change_what_an_earlier_one_set():
    frame = subjects({"account": "a"})

    assert teams(frame, rule("account is a", team="A"), rule("account is a", team="B", overwrite=True)) == ["A"]


def test_conditions_do_not_see_what_other_rules_set():
    frame = subjects({"account": "a"})

    by = by_rules(frame, [rule("account is a", team="A"), rule("team is A", project="P")])

    assert by["project"].tolist() == [None]


def test_a_dated_rule_holds_from_its_first_day_until_the_day_before_its_end():
    frame = subjects(*({"account": "a", "day": JULY + number} for number in (-1, 0, 1, 2)))
    dated = rule("account is a", team="A", first=date(2026, 7, 1), to=date(2026, 7, 3))

    assert teams(frame, dated) == [None, "A", "A", None]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"conditions": ()}, "conditions", "needs a condition"),
        ({"sets": {}}, "sets", "Say what the rule sets"),
        ({"sets": {"stage": "cooking"}}, "sets", "none of data_preparation"),
        ({"sets": {"model": "x"}}, "sets", "none of team"),
        ({"valid_from": date(2026, 7, 1), "valid_to": date(2026, 7, 1)}, "valid_to", "end after it starts"),
        ({"conditions": (Condition("user", "is", ("x",)),)}, "conditions", "none of source"),
        ({"conditions": (Condition("account", "like", ("x",)),)}, "conditions", "none of is"),
        ({"conditions": (Condition("account", "is"),)}, "conditions", "needs a value"),
        ({"conditions": (Condition("account", "is_set", ("x",)),)}, "conditions", "takes no value"),
        ({"conditions": (Condition("source", "contains", ("x",)),)}, "conditions", "use is or is_not"),
        ({"conditions": (Condition("account", "matches", ("a)|(b",)),)}, "conditions", "unexpected )"),
        ({"conditions": (Condition("account", "matches", (r"\Qa",)),)}, "conditions", "no regular expression"),
        ({"conditions": (Condition("account", "matches", (r"(a)\1",)),)}, "conditions", "invalid escape"),
        ({"conditions": (Condition("account", "matches", ("(a{9}){9}",)),)}, "conditions", "counts a group"),
        ({"conditions": (Condition("account", "matches", ("a{65}",)),)}, "conditions", "further than"),
        ({"conditions": (Condition("account", "matches", ("a" * (LONGEST + 1),)),)}, "conditions", "characters"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_to_mend(change, field, says):
    good = {"conditions": (Condition("account", "is", ("a",)),), "sets": {"team": "A"}}

    with pytest.raises(RuleError, match=says.replace("(", r"\(").replace(")", r"\)")) as refused:
        check_rule(Rule(**good | change))

    assert refused.value.field == field


@pytest.mark.parametrize("pattern", [r"(a|a?)+b*(a|b)*c", r"(((((.*)*)*)*)*)*x", r".*a.{64}", ".*" * 90 + "x"])
def test_no_pattern_keeps_derive_waiting(pattern):
    """A backtracking engine needs 2^200 steps for these; here a thousand names of the longest kind take a moment."""
    check_pattern(pattern)
    rng = np.random.default_rng(5)
    names = ["".join(row) for row in rng.choice(["a", "b"], (1_000, 200))]
    begun = time.monotonic()

    _matching(pattern, names)

    assert time.monotonic() - begun < 20.0  # of a machine that does much else besides; alone it takes 0.3 s


# --- laws -------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "A-1", "prod, eu", 'said "so"', "x y"])
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(["account", "team", "provider", "label.ns", "label.cost center"]),
    st.sampled_from(["is", "is_not"]),
    st.lists(NAMES, min_size=1, max_size=3).map(tuple),
) | st.builds(Condition, st.sampled_from(["account", "label.ns"]), st.sampled_from(WITHOUT_VALUE))
DAYS = st.none() | st.dates(date(2026, 6, 28), date(2026, 7, 4))
RULES = st.lists(
    st.builds(
        Rule,
        st.lists(CONDITIONS, min_size=1, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from(["team", "project", "task"]), NAMES, min_size=1, max_size=3),
        st.booleans(),
        DAYS,
        st.none(),
    ),
    max_size=5,
)
SERIES = st.lists(
    st.fixed_dictionaries(
        {
            "account": st.none() | NAMES,
            "team": st.none() | NAMES,
            "project": st.none() | NAMES,
            "provider": st.none() | NAMES,
            "labels": st.dictionaries(st.sampled_from(["ns", "cost center"]), NAMES),
            "day": st.integers(JULY - 3, JULY + 3),
        }
    ),
    min_size=1,
    max_size=12,
)


def by_hand(row, rules):
    """The rules as the documentation has them, one series at a time."""
    result = {target: row[target] for target in TARGETS}
    for target in TARGETS:
        for one in rules:
            holds = (one.valid_from is None or day_number(one.valid_from) <= row["day"]) and (
                one.valid_to is None or row["day"] < day_number(one.valid_to)
            )
            if holds and target in one.sets and (one.overwrite or row[target] is None):
                met = []
                for condition in one.conditions:
                    key = condition.field.removeprefix("label.")
                    value = row["labels"].get(key) if condition.field.startswith("label.") else row[condition.field]
                    listed = [each.lower() for each in condition.values]
                    met.append(
                        {
                            "is": value is not None and value.lower() in listed,
                            "is_not": value is None or value.lower() not in listed,
                            "is_set": value is not None,
                            "is_empty": value is None,
                        }[condition.operator]
                    )
                if all(met):
                    result[target] = one.sets[target]
                    break
    return result


@pytest.mark.slow
@given(SERIES, RULES)
@settings(max_examples=60, deadline=None)
def test_rules_do_to_many_series_what_they_do_to_each(rows, rules):
    frame = subjects(*rows)

    done = by_rules(frame, rules)

    expected = [by_hand(row, rules) for row in frame.to_dict("records")]
    assert done[list(TARGETS)].astype(object).where(done[list(TARGETS)].notna(), None).to_dict("records") == expected


@pytest.mark.slow
@given(SERIES, RULES, RULES, st.data())
@settings(max_examples=60, deadline=None)
def test_what_moves_is_taken_from_somebody_and_given_to_somebody(rows, before, after, data):
    frame = subjects(*rows)
    numbers = st.lists(st.integers(0, 2**62), min_size=len(rows), max_size=len(rows))
    sums = pd.DataFrame({"records": data.draw(numbers), "nkg": data.draw(numbers)})

    effect = effect_of(frame, sums, before, after, {})

    old, new = (by_rules(frame, rules)["team"].astype(object) for rules in (before, after))
    expected = {
        team: (
            sum(n for n, own in zip(sums["nkg"], old, strict=True) if own == team),
            sum(n for n, own in zip(sums["nkg"], new, strict=True) if own == team),
        )
        for team, _, _ in effect.teams
    }
    assert {team: (kg, later) for team, kg, later in effect.teams} == expected
    assert sum(kg for _, kg, _ in effect.teams) == sum(later for _, _, later in effect.teams)
    gained = {team: later - kg for team, kg, later in effect.teams}
    assert gained == {
        team: sum(amount.nkg for _, to, amount in effect.flows.get("team", ()) if to == team)
        - sum(amount.nkg for of, _, amount in effect.flows.get("team", ()) if of == team)
        for team in gained
    }


@pytest.mark.slow
@given(st.lists(CONDITIONS, min_size=1), RULES)
@settings(max_examples=60, deadline=None)
def test_conditions_and_files_are_read_back_as_they_were_written(conditions, rules):
    assert [parse_condition(write_condition(each)) for each in conditions] == conditions
    with_reasons = [(each, "=because") for each in rules]

    assert read_file(write_file(with_reasons).encode()) == with_reasons


def test_a_file_is_refused_with_all_its_faults():
    text = "conditions,team,first_day\naccount is a,A,2026-13-01\nnonsense,A,\naccount is a,,\n"

    with pytest.raises(FaultyFile) as refused:
        read_file(text.encode())

    assert [(fault.row, fault.field) for fault in refused.value.faults] == [
        (1, "first_day"),
        (2, "conditions"),
        (3, "sets"),
    ]


def test_cells_that_a_spreadsheet_would_run_are_quoted():
    text = write_file([(Rule((Condition("account", "is", ("a",)),), {"team": "=HYPERLINK(1)"}), "")])

    assert "'=HYPERLINK" in text


def test_all_time_is_cut_at_the_days_on_which_rules_change():
    assert periods([]) == [(None, None)]
    assert periods([date(2026, 7, 1), date(2026, 8, 1)]) == [
        (None, date(2026, 7, 1)),
        (date(2026, 7, 1), date(2026, 8, 1)),
        (date(2026, 8, 1), None),
    ]


def test_every_series_dimension_can_be_looked_at():
    assert set(FIELDS) == {"source", *SERIES_TEXT}
    assert set(WITHOUT_VALUE) < set(OPERATORS)
