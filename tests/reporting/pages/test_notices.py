"""What the overview says above its figures, and what its chart marks."""

import re
from datetime import UTC, date, datetime

import pytest

from core.accounting.models import JobState, RestatementJob
from core.factors.models import FactorSet
from core.ledger.models import Source
from core.organizations import services
from core.organizations.models import Person
from core.organizations.tenancy import organization_scope
from ingestion.models import SourceAlert
from reporting.services.limits import set_limit
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]


@pytest.fixture
def september(client, organization, time_machine):
    """Two records of August, looked at on 20 September by a lead."""
    time_machine.move_to(datetime(2026, 9, 20, 12, tzinfo=UTC))
    deliver(
        organization,
        [
            metered(day, 10.0, started_at=f"2026-08-{day}T09:00:00Z", ended_at=f"2026-08-{day}T10:00:00Z")
            for day in ("11", "12")
        ],
    )
    return sign_in(client, organization, "sustainability_lead")


def sign_in(client, organization, role):
    person = Person.objects.create_user(f"{role}@example.org", "correct horse battery")
    services.add_member(organization_id=organization.id, person=person, role=role)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def shown(client, **query):
    page = client.get("/", query).content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u202f", " ")
    return text, re.findall(r'class="banner[^>]*>.*?<a href="([^"]+)">[^<]*</a></div></div>', page)


def restate(organization, **fields):
    with organization_scope(organization.id):
        RestatementJob.objects.create(
            organization_id=organization.id,
            factor_set=FactorSet.objects.earliest("id"),
            methodology="2026.1",
            from_day=date(2026, 7, 1),
            to_day=date(2026, 9, 30),
            asked_by="Ada",
            **{"apply": True, **fields},
        )


def silence(organization, since, until=None, state="silent"):
    with organization_scope(organization.id):
        SourceAlert.objects.create(
            organization_id=organization.id,
            source_id=Source.objects.get().id,
            state=state,
            latest_arrival=since,
            opened_at=since,
            closed_at=until,
        )


def test_an_open_period_says_how_much_of_it_has_passed(september):
    page, _links = shown(september, period="2026-Q3")

    assert "Q3 2026 is open: day 82 of 92." in page  # July and August have 62 days
    assert "Records begin on 11 Aug 2026." in page
    assert "The latest records are of 12 Aug 2026." in page


def test_a_closed_period_with_all_of_its_records_says_nothing(september):
    page, links = shown(september, **{"from": "2026-08-11", "to": "2026-08-12"})

    assert "is open" not in page
    assert "Incomplete" not in page
    assert "Records begin" not in page
    assert "latest records" not in page
    assert links == []


def test_a_silent_source_is_named_with_the_share_of_days_that_may_lack_records(september, organization):
    silence(organization, datetime(2026, 9, 15, 8, tzinfo=UTC))

    page, links = shown(september, period="2026-09")
    before, _links = shown(september, period="2026-08")

    # 16 to 20 September are 5 of the 20 days up to now
    assert "agent has been silent since 15 Sep 2026. 5 of the 20 days up to now may lack records: 25 % of them." in page
    assert links == ["/sources/"]
    assert "Incomplete" not in before


def test_a_restatement_is_told_while_it_runs_and_for_a_month_after(september, organization, time_machine):
    restate(organization, state=JobState.RUNNING, months_done=3, months=14)
    running, watched = shown(september, period="2026-Q3")
    with organization_scope(organization.id):
        RestatementJob.objects.update(state=JobState.DONE, ended_at=datetime(2026, 9, 20, 11, tzinfo=UTC))
    done, bridged = shown(september, period="2026-Q3")
    time_machine.move_to(datetime(2026, 10, 22, 12, tzinfo=UTC))
    later, links = shown(september, period="2026-Q3")

    assert "Being restated by" in running
    assert "3 of 14 months are." in running
    assert "Restated on 20 Sep 2026 by" in done
    assert len(watched) == len(bridged) == 1
    assert "Restated on" not in later
    assert links == []


def test_a_rehearsal_and_a_failed_restatement_are_no_news(september, organization):
    restate(organization, apply=False, state=JobState.DONE, ended_at=datetime(2026, 9, 20, tzinfo=UTC))
    restate(organization, state=JobState.FAILED, ended_at=datetime(2026, 9, 20, tzinfo=UTC))

    page, _links = shown(september, period="2026-Q3")

    assert "estated" not in page


def test_a_member_is_told_without_a_link_to_pages_that_are_not_theirs(september, client, organization):
    restate(organization, state=JobState.DONE, ended_at=datetime(2026, 9, 20, 11, tzinfo=UTC))
    silence(organization, datetime(2026, 9, 15, 8, tzinfo=UTC))
    team = services.create_team(organization_id=organization.id, name="search", head_count=9)
    deliver(organization, [metered("own", 1.0, team="search")])
    person = Person.objects.create_user("mia@example.org", "correct horse battery")
    services.add_member(organization_id=organization.id, person=person, role="member", team=team)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")

    page, links = shown(client, period="2026-Q3")

    assert "Restated on 20 Sep 2026" in page
    assert "has been silent" in page
    assert links == []


def test_the_chart_marks_what_happened_inside_the_period(september, organization):
    set_limit(organization_id=organization.id, name="half", limit_kg_co2e_per_year=36_500, starts_on=date(2026, 8, 3))
    set_limit(organization_id=organization.id, name="old", limit_kg_co2e_per_year=73_000, starts_on=date(2026, 1, 1))
    restate(organization, state=JobState.DONE, ended_at=datetime(2026, 9, 1, tzinfo=UTC))
    silence(organization, datetime(2026, 8, 20, tzinfo=UTC), datetime(2026, 8, 25, tzinfo=UTC))

    page, _links = shown(september, period="2026-Q3")

    assert "A 3 Aug 2026: target “half” begins: 36.5 t a year" in page
    assert "B 20 Aug 2026: nothing from agent until 25 Aug 2026" in page
    assert "C 1 Sep 2026: restated by" in page
    assert "“old” begins" not in page
    assert "Incomplete" not in page  # it is back
