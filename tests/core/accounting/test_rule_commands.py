"""The commands `coverage` and `alias`: rules set from a terminal take effect in the figures."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.accounting import services
from core.ledger.services import ensure_source

from .conftest import call, metered
from .test_derive import daily


def run(command: str, action: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, action, *arguments, "--organization", "northwind", stdout=out)
    return out.getvalue()


@pytest.fixture
def two_sources(committed_db, organization, factor_set, write):
    """An agent and a bill of one cluster."""
    write(metered(1, 10.0, account="cluster-a"), source="agent")
    write(metered(2, 12.0, account="cluster-a"), source="bill")
    services.derive_dirty_days(organization.id)


def test_overlaps_are_listed_until_the_sources_are_linked(organization, two_sources):
    before = json.loads(run("coverage", "list", "--format", "json"))
    run("coverage", "unit", "Cluster A", "--counts", "agent", "--reason", "metered")
    run("coverage", "link", "agent", "--unit", "Cluster A")
    run("coverage", "link", "activity/bill", "--unit", "Cluster A", "--account", "cluster-a")
    services.derive_dirty_days(organization.id)

    after = json.loads(run("coverage", "list", "--format", "json"))

    assert [(each["source"], each["accounts"]) for each in before["overlaps"]] == [
        ("bill", ["cluster-a"]),
        ("agent", ["cluster-a"]),
    ]
    assert (before["units"], after["overlaps"]) == ([], [])
    (unit,) = after["units"]
    assert (unit["name"], unit["counts"], unit["precedence"], unit["reason"]) == ("Cluster A", "agent", [], "metered")
    assert [(link["source"], link["account"], link["unit"]) for link in after["links"]] == [
        ("agent", None, "Cluster A"),
        ("bill", "cluster-a", "Cluster A"),
    ]
    assert daily(organization).set_index("energy_pkwh")["role"].to_dict() == {
        10 * 10**12: "counted",
        12 * 10**12: "cross_check",
    }


def test_an_independent_source_warns_no_more_until_it_is_taken_back(organization, two_sources):
    said = run("coverage", "independent", "bill")
    listed = run("coverage", "list")
    run("coverage", "remove", said.split()[1].strip(":"))

    assert "units: none" in listed
    assert listed.splitlines()[-1].startswith("agent")
    assert [each["source"] for each in json.loads(run("coverage", "list", "--format", "json"))["overlaps"]] == [
        "bill",
        "agent",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["link", "meter", "--unit", "Cluster A"], "'meter' is no source; there are activity/agent, activity/bill"),
        (["link", "agent", "--unit", "Cluster A"], "no coverage unit 'Cluster A'"),
        (["remove", "77"], "no link of that id"),
    ],
)
def test_what_is_not_there_ends_with_1(organization, two_sources, arguments, message):
    with pytest.raises(CommandError, match=message) as refused:
        run("coverage", *arguments)

    assert refused.value.returncode == 1


def test_a_name_of_two_sources_is_asked_for_by_kind(organization, two_sources):
    ensure_source(organization.id, "focus", "bill")

    with pytest.raises(CommandError, match="several sources"):
        run("coverage", "independent", "bill")
    assert "focus/bill is independent" in run("coverage", "independent", "focus/bill")


def test_an_alias_is_set_listed_and_taken_back(committed_db, organization, factor_set, write):
    write(call(1, model="house-model"), call(2, day="2026-07-03", model="house-model"))
    services.derive_dirty_days(organization.id)

    said = run("alias", "set", "model", "House-Model", "gpt-4o", "--from", "2026-07-01", "--to", "2026-07-02")
    services.derive_dirty_days(organization.id)
    (listed,) = json.loads(run("alias", "list", "--format", "json"))
    known = daily(organization)["location_nkg"].notna().tolist()
    run("alias", "remove", said.split()[1].strip(":"))

    assert known == [True, False]
    assert (listed["reported"], listed["name"], listed["from"], listed["to"]) == (
        "House-Model",
        "gpt-4o",
        "2026-07-01",
        "2026-07-02",
    )
    assert "no own aliases" in run("alias", "list")


def test_an_alias_of_an_unknown_kind_ends_with_1(committed_db, organization):
    with pytest.raises(CommandError, match="use one of model, hardware"):
        run("alias", "set", "colour", "blue", "azure")
