"""Attribution rules on the real database: what they move is what derive then writes, and nothing else is derived again."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from core.accounting import selectors, services
from core.accounting.selectors.attribution import (
    decided,
    preview,
    rules_in_order,
    try_rules,
    unattributed,
)
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification.attribution_effect import Effect
from core.quantification.attribution_rules import Rule, RuleError
from core.quantification.attribution_text import parse_condition, read_file

from .conftest import call
from .test_derive import daily, table

FIRST, LAST = date(2026, 7, 1), date(2026, 7, 31)


def rule(*conditions: str, overwrite: bool = False, first: date | None = None, to: date | None = None, **sets: str):
    return Rule(tuple(parse_condition(each) for each in conditions), sets, overwrite, first, to)


@pytest.fixture
def derived(committed_db, organization, factor_set, write):
    """Three days of calls: two namespaces of one gateway without a team, one with, and another gateway."""
    write(
        call(1, team=None, account="prod", labels={"namespace": "search"}),
        call(2, team=None, account="prod", labels={"namespace": "chat"}, output_tokens=900),
        call(3, "2026-07-02", team=None, account="prod", labels={"namespace": "search"}),
        call(4, "2026-07-02", team="vision", account="prod", labels={"namespace": "search"}),
        call(5, "2026-07-03", team=None, account="dev"),
    )
    write(call(6, "2026-07-03", team=None, account="dev"), source="other gateway")
    services.derive_dirty_days(organization.id)
    return organization


def by_team(organization) -> dict[str | None, int]:
    rows = daily(organization)
    teams = rows["team"].astype(object).where(rows["team"].notna(), None)
    kg = rows[["location_nkg", "upstream_nkg", "embodied_nkg"]].fillna(0).astype("int64").sum(axis=1)
    return {team: int(kg[[each == team for each in teams]].sum()) for team in set(teams)}


def marked(organization) -> list[date]:
    return sorted(table(organization, "select distinct day from ledger_dirty_day")["day"].tolist())


def moved(effect: Effect) -> dict[tuple[str | None, str | None], int]:
    return {(old, new): amount.nkg for old, new, amount in effect.flows.get("team", ())}


def test_a_rule_moves_what_it_said_it_would_and_marks_its_days_alone(derived):
    before = by_team(derived)
    new = rule("account is prod", "label.namespace is search", team="search")
    with organization_scope(derived.id):
        said = preview(derived.id, [new], asked=[new], from_day=FIRST, to_day=LAST)

    change = services.add_rule(organization_id=derived.id, rule=new, reason="owns the namespace")
    days = marked(derived)
    services.derive_dirty_days(derived.id)

    after = by_team(derived)
    assert days == [date(2026, 7, 1), date(2026, 7, 2)]
    assert sum(after.values()) == sum(before.values())
    assert moved(change.effect) == moved(said.effect) == {(None, "search"): after["search"]}
    assert after[None] == before[None] - after["search"]
    assert after["vision"] == before["vision"]
    assert said.effect.teams == [(None, before[None], after[None]), ("search", 0, after["search"])]
    assert (said.effect.matched.series, said.effect.matched.records) == (2, 3)
    assert (said.effect.moved.series, said.effect.moved.records) == (1, 2)


def test_what_was_reported_moves_only_by_a_rule_that_overwrites(derived):
    services.add_rule(organization_id=derived.id, rule=rule("label.namespace is search", team="search", overwrite=True))
    services.derive_dirty_days(derived.id)

    assert set(by_team(derived)) == {None, "search"}


def test_a_dated_rule_marks_and_moves_the_days_on_which_it_holds(derived):
    change = services.add_rule(
        organization_id=derived.id, rule=rule("label.namespace is search", team="search", first=date(2026, 7, 2))
    )
    days = marked(derived)
    services.derive_dirty_days(derived.id)

    found = daily(derived)
    assert days == [date(2026, 7, 2)]
    assert change.effect.moved.records == 1
    assert found[found["team"] == "search"]["day"].tolist() == [date(2026, 7, 2)]


def test_the_first_rule_decides_and_another_order_moves_back_and_forth(derived):
    first = services.add_rule(organization_id=derived.id, rule=rule("account is prod", team="platform")).rule
    services.add_rule(organization_id=derived.id, rule=rule("label.namespace is search", team="search"))
    services.derive_dirty_days(derived.id)
    platform_first = by_team(derived)

    change = services.move_rule(organization_id=derived.id, rule_id=first.id, places=1)
    services.derive_dirty_days(derived.id)

    assert "search" not in platform_first
    assert moved(change.effect) == {("platform", "search"): by_team(derived)["search"]}
    with organization_scope(derived.id):
        assert [each.sets["team"] for each in rules_in_order(derived.id)] == ["search", "platform"]


def test_an_edit_that_changes_no_attribution_marks_nothing(derived):
    made = services.add_rule(organization_id=derived.id, rule=rule("label.namespace is search", team="search")).rule
    services.derive_dirty_days(derived.id)

    change = services.change_rule(
        organization_id=derived.id, rule_id=made.id, rule=rule("label.namespace is search, find", team="search")
    )

    assert (change.days, marked(derived), change.effect.moved.series) == (0, [], 0)


def test_a_rule_ends_or_is_taken_back_and_its_uses_belong_to_nobody_again(derived):
    before = by_team(derived)
    made = services.add_rule(organization_id=derived.id, rule=rule("label.namespace is search", team="search")).rule
    services.derive_dirty_days(derived.id)
    services.end_rule(organization_id=derived.id, rule_id=made.id, valid_to=date(2026, 7, 2))
    ended = marked(derived)
    services.derive_dirty_days(derived.id)

    services.remove_rule(organization_id=derived.id, rule_id=made.id, reason="of another company")
    days = marked(derived)
    services.derive_dirty_days(derived.id)

    assert ended == [date(2026, 7, 2)]
    assert days == [date(2026, 7, 1)]
    assert by_team(derived) == before
    with organization_scope(derived.id):
        events = AuditEvent.objects.filter(organization_id=derived.id, object_type="attribution_rule")
        assert [(event.action, event.reason) for event in events.order_by("sequence")] == [
            ("add_attribution_rule", ""),
            ("end_attribution_rule", ""),
            ("remove_attribution_rule", "of another company"),
        ]


def test_rules_go_before_the_defaults_of_a_source(derived):
    from core.ledger.services import update_source

    source_id = int(daily(derived)["source_id"].min())
    update_source(organization_id=derived.id, source_id=source_id, settings={"team": "gateway"})
    services.rederive_source(organization_id=derived.id, source_id=source_id)
    services.add_rule(organization_id=derived.id, rule=rule("label.namespace is search", team="search"))
    services.derive_dirty_days(derived.id)

    assert set(by_team(derived)) == {"search", "gateway", "vision", None}


def test_sources_are_named_and_a_name_that_is_none_is_refused(derived):
    services.add_rule(organization_id=derived.id, rule=rule("source is other gateway", team="partners"))
    services.derive_dirty_days(derived.id)

    with pytest.raises(RuleError, match=r"'meter' is no source; there are gateway, other gateway"):
        services.add_rule(organization_id=derived.id, rule=rule("source is meter", team="x"))
    assert "partners" in by_team(derived)


def test_a_file_is_taken_once_and_can_replace_the_list(derived):
    old = services.add_rule(organization_id=derived.id, rule=rule("account is dev", team="old")).rule
    text = "conditions,team\nlabel.namespace is search,search\naccount is prod,platform\n"
    given = read_file(text.encode())

    first = services.import_rules(organization_id=derived.id, given=given)
    again = services.import_rules(organization_id=derived.id, given=given)
    with organization_scope(derived.id):
        added = [each.sets["team"] for each in rules_in_order(derived.id)]
    services.import_rules(organization_id=derived.id, given=given, replace_all=True)

    assert (first.written, again.written) == (2, 0)
    assert added == ["old", "search", "platform"]
    with organization_scope(derived.id):
        assert [each.sets["team"] for each in rules_in_order(derived.id)] == ["search", "platform"]
        assert old.id not in [each.id for each in rules_in_order(derived.id)]


def test_nothing_of_a_file_is_taken_when_one_rule_cannot_be(derived):
    given = read_file(b"conditions,team\naccount is prod,platform\nsource is nowhere,x\n")

    with pytest.raises(RuleError, match="Row 2: 'nowhere' is no source"):
        services.import_rules(organization_id=derived.id, given=given)

    with organization_scope(derived.id):
        assert rules_in_order(derived.id) == ()


def test_what_nobody_owns_is_listed_by_its_kilograms_with_conditions_to_start_from(derived):
    found = unattributed(derived.id, FIRST, LAST)

    kg = by_team(derived)
    assert found.nkg == kg[None]
    assert found.whole_nkg == sum(kg.values())
    assert [each.nkg for each in found.contributors] == sorted((each.nkg for each in found.contributors), reverse=True)
    assert sum(each.nkg for each in found.contributors) == found.nkg
    search = next(each for each in found.contributors if each.labels == {"namespace": "search"})
    assert search.conditions == tuple(
        parse_condition(text)
        for text in ("source is gateway", "account is prod", "provider is openai", "label.namespace is search")
    )

    for each in found.contributors:
        services.add_rule(organization_id=derived.id, rule=Rule(each.conditions, {"team": "somebody"}))
    services.derive_dirty_days(derived.id)

    assert unattributed(derived.id, FIRST, LAST).contributors == []


def test_each_rule_says_what_it_decided(derived):
    first = services.add_rule(organization_id=derived.id, rule=rule("label.namespace is search", team="search")).rule
    second = services.add_rule(organization_id=derived.id, rule=rule("account is prod", team="platform")).rule
    idle = services.add_rule(organization_id=derived.id, rule=rule("account is nowhere", team="x")).rule
    services.derive_dirty_days(derived.id)

    kg = by_team(derived)
    assert decided(derived.id, FIRST, LAST) == {
        first.id: (2, kg["search"]),
        second.id: (1, kg["platform"]),
        idle.id: (0, 0),
    }


def test_one_use_can_be_tried(derived):
    made = services.add_rule(
        organization_id=derived.id,
        rule=rule("source is gateway", "label.namespace starts_with search", team="search", first=date(2026, 7, 2)),
    ).rule
    reported = {"source": "gateway", "label.namespace": "search-eu", "project": "p"}

    on = try_rules(derived.id, reported, date(2026, 7, 2))
    before = try_rules(derived.id, reported, date(2026, 7, 1))

    assert (on.names["team"], on.rules["team"]) == ("search", made.id)
    assert (on.names["project"], on.rules["project"]) == ("p", 0)
    assert (before.names["team"], before.rules["team"]) == (None, 0)


def test_a_change_raises_the_revision_of_the_rules(derived):
    with organization_scope(derived.id):
        before = selectors.current_view(derived.id).rules_revision
    services.add_rule(organization_id=derived.id, rule=rule("account is nowhere", team="x"))

    with organization_scope(derived.id):
        assert selectors.current_view(derived.id).rules_revision == before + 1


def test_another_organization_neither_sees_nor_changes_the_rules(derived, other_organization):
    made = services.add_rule(organization_id=derived.id, rule=rule("account is prod", team="x")).rule

    with organization_scope(other_organization.id), connection.cursor() as cursor:
        cursor.execute("select count(*) from accounting_attributionrule")
        assert cursor.fetchone() == (0,)
    with pytest.raises(RuleError, match="no rule of that id"):
        services.remove_rule(organization_id=other_organization.id, rule_id=made.id, reason="mine")
