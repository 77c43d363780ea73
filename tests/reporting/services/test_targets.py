"""A target's life on real records: proposed, approved by another, missed, re-based, retired, and refused where it cannot be."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from core.organizations import services as organizations
from core.organizations.models import AuditEvent, Person, Role
from core.organizations.tenancy import organization_scope
from reporting.models import Target, TargetVersion
from reporting.selectors.target_figures import progress_of
from reporting.selectors.targets import in_state, path_of, shown_version, target_of
from reporting.services import targets as services
from reporting.services.denominators import enter_figures
from reporting.targets.definition import TargetError, from_plain
from tests.deliver import deliver, metered

TODAY = date(2026, 11, 15)
KG_PER_KWH = 0.329 + 0.0346  # location and upstream: `tests.deliver.metered`, `tests.journeys.conftest.records`
BASE = {"base_from": "2026-01-01", "base_to": "2026-03-31", "target_year": 2027, "reduction": 0.5}


def records() -> list[dict[str, object]]:
    """100 kWh a month of search from January to October, 40 of them summaries of 1,000 requests; 50 of support from June."""

    def use(month: int, team: str, kwh: float, **fields: object) -> dict[str, object]:
        day = f"2026-{month:02d}-10T10"
        return metered(
            f"{team}{month}{kwh}", kwh, started_at=f"{day}:00:00Z", ended_at=f"{day}:30:00Z", team=team, **fields
        )

    summaries = {"application": "assistant", "task": "summary", "requests": 1000, "output_tokens": 50_000}
    edges = [
        use(1, "Search", 0.0)
        | {"record_id": "first", "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T01:00:00Z"},
        use(11, "Search", 0.0)
        | {"record_id": "last", "started_at": "2026-11-14T00:00:00Z", "ended_at": "2026-11-14T01:00:00Z"},
    ]
    return [
        *edges,
        *(use(month, "Search", 60.0) for month in range(1, 11)),
        *(use(month, "Search", 40.0, **summaries) for month in range(1, 11)),
        *(use(month, "Support", 50.0) for month in range(6, 11)),
    ]


@pytest.fixture
def filled(committed_db, organization):
    delivered = deliver(organization, records())
    assert delivered.counts["written"] == 27, delivered.counts
    return organization


@pytest.fixture
def people(organization) -> tuple[Person, Person]:
    """Ada proposes, Bea approves."""
    both = tuple(Person.objects.create_user(f"{name}@example.org", "x", name=name) for name in ("Ada", "Bea"))
    for each in both:
        organizations.add_member(organization_id=organization.id, person=each, role=Role.SUSTAINABILITY_LEAD)
    return both


def propose(organization, people, name="Half", **given):
    return services.propose_target(
        organization_id=organization.id,
        name=name,
        definition=from_plain(BASE | given if given.get("path") != "ceiling" else given),
        today=TODAY,
        created_by_id=people[0].id,
        owner_id=people[1].id,
    )


def approve(organization, people, version):
    return services.decide_version(
        organization_id=organization.id, version_id=version.id, approve=True, person_id=people[1].id
    )


def test_a_target_is_missed_rebased_and_approved(filled, people):
    """
    Base: 3 x 100 kWh in 90 days; April to October came to 7 x 100 + 5 x 50 = 950 kWh.

    Then support is insourced, which used 90 kWh in the base period: 30 % more base, significant at 5 %.
    """
    first = approve(filled, people, propose(filled, people))
    assert first.base["value"] == pytest.approx(300 * KG_PER_KWH, rel=1e-9)
    before = progress_of(filled.id, path_of(first), today=TODAY)
    assert before.window == (date(2026, 4, 1), date(2026, 10, 31))
    assert before.actual.value == pytest.approx(950 * KG_PER_KWH, rel=1e-9)
    assert before.status.word == "off_path"
    assert (before.forecast, before.read) == (None, 10)  # ten months tell nothing yet

    rebased = services.change_base_year(
        organization_id=filled.id,
        target_id=first.target_id,
        kind="insourcing",
        base_year_kg=90 * KG_PER_KWH,
        note="support runs here now",
        recorded_by_id=people[0].id,
    )
    assert rebased.found.significance == pytest.approx(0.30, rel=1e-9)
    approve(filled, people, rebased.version)

    with organization_scope(filled.id):
        target = target_of(filled.id, first.target_id)
        now = shown_version(target)
        assert (now.number, now.kind, now.base["value"]) == (2, "rebased", pytest.approx(390 * KG_PER_KWH, rel=1e-9))
        assert [each.state for each in target.versions.all()] == ["approved", "superseded"]
        actions = list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True))
    assert actions[-4:] == ["propose_target", "approve_target", "change_base_year", "approve_target"]
    after = progress_of(filled.id, path_of(now), today=TODAY)
    assert after.allowed == pytest.approx(before.allowed * 1.3, rel=1e-9)


def test_a_small_change_of_the_base_waits_for_others(filled, people):
    version = approve(filled, people, propose(filled, people))

    def change(kwh: float) -> services.Rebased:
        return services.change_base_year(
            organization_id=filled.id,
            target_id=version.target_id,
            kind="error",
            base_year_kg=kwh * KG_PER_KWH,
            note="meter",
        )

    small, due = change(9.0), change(-27.0)

    assert (small.version, small.found.significance) == (None, pytest.approx(0.03, rel=1e-9))
    assert due.found.significance == pytest.approx(0.06, rel=1e-9)
    assert due.version.base["value"] == pytest.approx(282 * KG_PER_KWH, rel=1e-9)


def test_changes_of_a_rejected_version_wait_again(filled, people):
    version = approve(filled, people, propose(filled, people))
    change = {"organization_id": filled.id, "target_id": version.target_id, "kind": "error", "note": "meter"}
    due = services.change_base_year(base_year_kg=30 * KG_PER_KWH, **change)
    services.decide_version(
        organization_id=filled.id,
        version_id=due.version.id,
        approve=False,
        person_id=people[1].id,
        note="show the bill",
    )

    again = services.change_base_year(base_year_kg=3 * KG_PER_KWH, **change)

    assert again.found.significance == pytest.approx(0.11, rel=1e-9)


def test_nobody_approves_their_own(filled, people):
    version = propose(filled, people)

    with pytest.raises(TargetError, match="ask another person"):
        services.decide_version(organization_id=filled.id, version_id=version.id, approve=True, person_id=people[0].id)
    with organization_scope(filled.id), pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        TargetVersion.objects.filter(id=version.id).update(
            state="approved", decided_by_id=people[0].id, decided_at="2026-11-15T00:00:00Z"
        )


def test_an_organization_of_one_reviewer_approves_its_own_and_says_so(filled, people):
    filled.single_reviewer = True
    filled.save()
    version = propose(filled, people)

    found = services.decide_version(
        organization_id=filled.id, version_id=version.id, approve=True, person_id=people[0].id
    )

    assert found.single_reviewer


def test_a_task_is_held_to_its_grams(filled, people):
    """40 kWh for 1,000 summaries: 40 x 329 / 1000 = 13.16 g each, location-based, nothing embodied known."""
    about = {"path": "ceiling", "per": "request", "starts_on": "2026-01-01"}
    dims = {"filter": {"application": ["assistant"], "task": ["summary"]}}

    kept = progress_of(filled.id, path_of(propose(filled, people, "14 g", ceiling=0.014, **about, **dims)), today=TODAY)
    with pytest.raises(TargetError, match="14 g is about the same figures"):
        propose(filled, people, "10 g", ceiling=0.010, **about, **dims)

    assert kept.actual.value == pytest.approx(0.01316, rel=1e-9)
    assert kept.actual.units == 10_000
    assert kept.status.word == "on_path"


def test_an_accepted_task_divides_by_entered_figures(filled, people):
    """100 kWh x 0.329 over 470 accepted tasks in each month of the base: 70 g a task."""
    rows = [
        {"series": "accepted_tasks", "period": f"2026-{month:02d}", "value": "470", "team": "Search"}
        for month in range(1, 11)
    ]
    enter_figures(organization_id=filled.id, rows=rows)

    version = propose(filled, people, per="accepted_task", filter={"team": ["Search"]})

    assert version.base["value"] == pytest.approx(100 * 0.329 / 470, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        (
            {"base_from": "2025-01-01", "base_to": "2025-12-31"},
            "base_from",
            "days without data: records reach from 2026-01-01",
        ),
        ({"base_from": "2026-10-01", "base_to": "2026-11-30"}, "base_to", "not over yet"),
        ({"filter": {"team": ["Nobody"]}}, "base_from", "holds nothing"),
        ({"filter": {"team": ["Support"]}}, "base_from", "holds nothing"),
        ({"per": "wishes"}, "per", "no functional unit"),
        ({"per": "accepted_task"}, "base_from", "holds nothing"),
    ],
)
def test_a_base_without_data_is_refused(filled, people, given, field, said):
    with pytest.raises(TargetError, match=said) as refused:
        propose(filled, people, **given)

    assert refused.value.field == field
    with organization_scope(filled.id):
        assert not Target.objects.exists()


def test_a_target_that_contradicts_another_is_refused(filled, people):
    first = propose(filled, people)

    with pytest.raises(TargetError, match="Half is about the same figures and asks for something else"):
        propose(filled, people, "Third", reduction=0.33)
    with pytest.raises(TargetError, match="allows less before"):
        propose(filled, people, "Slow", reduction=0.2, target_year=2035)
    propose(filled, people, "Long term", reduction=0.9, target_year=2035)
    services.retire_target(organization_id=filled.id, target_id=first.target_id, reason="too weak")

    assert propose(filled, people, "Half", reduction=0.6).number == 1


def test_a_version_waits_for_the_one_before(filled, people):
    version = propose(filled, people)
    change = {
        "organization_id": filled.id,
        "target_id": version.target_id,
        "definition": from_plain(BASE | {"reduction": 0.6}),
        "today": TODAY,
    }
    with pytest.raises(TargetError, match="waits for a decision"):
        services.propose_version(reason="more", **change)
    approve(filled, people, version)
    with pytest.raises(TargetError, match="Say why"):
        services.propose_version(reason=" ", **change)
    second = services.propose_version(reason="more", **change)

    with organization_scope(filled.id):
        target = target_of(filled.id, version.target_id)
        assert in_state(target, "approved").number == 1  # until the other is approved
    assert second.base == version.base


def test_a_base_read_anew_is_rebased_only_where_that_is_significant(filled, people):
    version = approve(filled, people, propose(filled, people))
    about = {"organization_id": filled.id, "target_id": version.target_id, "reason": "late bill", "today": TODAY}
    same = services.read_base_anew(**about)
    late = metered("late", 60.0, started_at="2026-02-20T10:00:00Z", ended_at="2026-02-20T11:00:00Z", team="Search")
    deliver(filled, [late], source="late")

    other = services.read_base_anew(**about)

    assert (same.version, same.found.significance) == (None, 0.0)
    assert other.found.significance == pytest.approx(0.2, rel=1e-9)
    assert other.version.base["months"] == pytest.approx([100 * KG_PER_KWH, 160 * KG_PER_KWH, 100 * KG_PER_KWH])


def test_an_owner_is_of_the_organization(filled, people):
    stranger = Person.objects.create_user("eve@example.org", "x")

    with pytest.raises(TargetError, match="not of this organization"):
        services.propose_target(
            organization_id=filled.id, name="x", definition=from_plain(BASE), today=TODAY, owner_id=stranger.id
        )


def test_another_organization_has_no_such_target(filled, people, other_organization):
    version = propose(filled, people)

    with organization_scope(other_organization.id):
        assert target_of(other_organization.id, version.target_id) is None
    with pytest.raises(TargetVersion.DoesNotExist):
        services.decide_version(
            organization_id=other_organization.id, version_id=version.id, approve=True, person_id=people[1].id
        )
