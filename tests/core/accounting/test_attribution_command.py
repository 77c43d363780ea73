"""The command `attribution`: rules set, tried and taken back from a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.accounting import services
from core.organizations.services import set_head_count

from .conftest import call
from .test_derive import daily


def run(action: str, *arguments: str) -> str:
    out = StringIO()
    call_command("attribution", action, *arguments, "--organization", "northwind", stdout=out)
    return out.getvalue()


@pytest.fixture
def derived(committed_db, organization, factor_set, write):
    """Two calls of today that name no team."""
    today = datetime.now(UTC).date().isoformat()
    write(
        call(1, today, team=None, labels={"namespace": "search"}),
        call(2, today, team=None, labels={"namespace": "chat"}),
    )
    services.derive_dirty_days(organization.id)
    return organization


def teams(organization) -> list[str]:
    services.derive_dirty_days(organization.id)
    return sorted(daily(organization)["team"].fillna("nobody"))


def test_a_rule_is_tried_added_listed_and_taken_back(derived):
    wanted = ["--when", "label.namespace is search", "--set", "team=Search", "--set", "project=Index"]
    said = json.loads(run("preview", *wanted, "--format", "json"))
    nothing_changed = teams(derived)

    added = run("add", *wanted, "--reason", "owns the namespace")
    after = teams(derived)
    (listed,) = json.loads(run("list", "--format", "json"))
    table = run("list")
    run("remove", str(listed["id"]), "--reason", "wrong team")

    assert (said["matched"]["series"], said["moved"]["records"]) == (1, 1)
    assert [(flow["dimension"], flow["from"], flow["to"]) for flow in said["flows"]] == [
        ("team", "unattributed", "Search"),
        ("project", "unattributed", "Index"),
    ]
    assert nothing_changed == ["nobody", "nobody"]
    assert after == ["Search", "nobody"]
    assert f"Rule {listed['id']} is added." in added
    assert (listed["conditions"], listed["sets"]) == (
        ["label.namespace is search"],
        {"team": "Search", "project": "Index"},
    )
    assert "label.namespace is search" in table
    assert teams(derived) == ["nobody", "nobody"]
    assert "no attribution rules" in run("list")


def test_what_nobody_owns_is_listed_with_conditions_that_a_rule_can_start_from(derived):
    found = json.loads(run("unattributed", "--format", "json"))

    assert found["share"] == 1.0
    assert sum(each["kg_co2e"] for each in found["contributors"]) == pytest.approx(found["kg_co2e"])
    for each in found["contributors"]:
        run("add", *(part for text in each["conditions"] for part in ("--when", text)), "--set", "team=Found")
    assert teams(derived) == ["Found", "Found"]
    assert "0 kg CO2e of 0 records have no team" in run("unattributed")


def test_rules_are_moved_ended_exported_and_imported(derived, tmp_path):
    run("add", "--when", "provider is openai", "--set", "team=Platform", "--name", "everything")
    run("add", "--when", "label.namespace is search", "--set", "team=Search")
    first, second = (each["id"] for each in json.loads(run("list", "--format", "json")))
    run("move", str(second), "1")
    order = [each["id"] for each in json.loads(run("list", "--format", "json"))]
    run("end", str(first), "--to", "2026-01-31")
    kept = run("export")
    file = tmp_path / "rules.csv"
    file.write_text(kept)

    said = run("import", str(file), "--replace")

    assert order == [second, first]
    assert "2026-01-31" in kept
    assert "0 rules are new" in said
    assert run("export") == kept


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "--set", "team=X"], "needs a condition"),
        (["add", "--when", "account is a", "--set", "team"], "not DIM=NAME"),
        (["preview", "--when", "account matches (", "--set", "team=X"], "no regular expression"),
        (["remove", "77", "--reason", "gone"], "no rule of that id"),
        (["move", "77", "1"], "no rule of that id"),
        (["import", "/nowhere/rules.csv"], "No such file"),
    ],
)
def test_what_cannot_be_ends_with_1_and_says_why(organization, arguments, says):
    with pytest.raises(CommandError, match=says) as refused:
        run(*arguments)

    assert refused.value.returncode == 1


def test_a_faulty_file_is_named_row_by_row(organization, tmp_path):
    file = tmp_path / "rules.csv"
    file.write_text("conditions,team\nnonsense,X\naccount is a,\n")

    with pytest.raises(CommandError, match="row 1, conditions") as refused:
        run("import", str(file))

    assert "row 2, sets" in str(refused.value)


def test_no_kilograms_are_shown_of_a_team_too_small(derived):
    for name, head_count in (("Search", 2), ("Chat", 3)):
        set_head_count(organization_id=derived.id, name=name, head_count=head_count)

    said = run("preview", "--when", "label.namespace is search", "--set", "team=Search")

    assert "Moves: 1 series, records 1." in said
    assert "no kg are shown" in said
    assert " kg CO2e" not in said
