"""Restatements as a page: a rehearsal is asked for, watched, read as a bridge and, on purpose, applied."""

from __future__ import annotations

import csv
import io
import re

import pytest

from core.accounting import services as accounting
from core.accounting.models import JobState, RestatementJob
from core.accounting.services import restatement_jobs as jobs
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope
from tests.core.accounting.conftest import factor_set, metered, write
from tests.core.accounting.test_restate import without_water

__all__ = ["factor_set", "without_water", "write"]

ASKED = {"factor_set": "", "methodology": "2026.1", "settings": "host_factor=2.7", "period": "2026-Q3"}


@pytest.fixture
def figures(committed_db, organization, write):
    """10 kWh of accelerators in July."""
    name = load_factor_set(load_pack()).factor_set.name
    write(metered(1, 10.0, energy_boundary="device"))
    accounting.derive_dirty_days(organization.id)
    return {**ASKED, "factor_set": name}


@pytest.fixture
def sign_in(client, organization):
    def enter(role):
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role)
        client.force_login(who)
        return client

    return enter


def latest(organization):
    with organization_scope(organization.id):
        return RestatementJob.objects.filter(organization_id=organization.id).latest("id")


def test_a_rehearsal_is_asked_watched_and_read(sign_in, organization, figures):
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    waiting = client.post("/factors/restatements/", figures, follow=True)
    watched = client.get(waiting.request["PATH_INFO"], HTTP_HX_REQUEST="true")
    jobs.run_restatement(organization.id)
    page = client.get(waiting.request["PATH_INFO"]).content.decode()
    ended = client.get(waiting.request["PATH_INFO"], HTTP_HX_REQUEST="true")

    assert "Waiting for a worker" in watched.content.decode()
    assert "HX-Refresh" not in watched.headers
    assert ended.headers["HX-Refresh"] == "true"
    row = re.search(r"<tr><th scope=\"row\">IT energy</th>.*?</tr>", page, re.DOTALL).group()
    # 10 kWh of accelerators are 13.5 kWh of nodes by the published host factor, 27 by 2.7 (methodology 1.2)
    assert re.findall(r"<td[^>]*>([^<]*)</td>", row) == ["kWh", "13.5", "0", "0", "0", "+13.5", "0", "27.0"]
    assert "Restate all figures" in page


def test_the_bridge_is_drawn_and_its_file_arrives(sign_in, organization, figures):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/restatements/", figures)
    job = jobs.run_restatement(organization.id)

    page = client.get(f"/factors/restatements/{job.id}/").content.decode()
    file = client.get(f"/factors/restatements/{job.id}/?format=csv").content.decode()

    assert 'data-chart="bridge"' in page
    rows = list(csv.DictReader(io.StringIO(file)))
    before, *steps, after = [float(row["value [kg CO2e]"]) for row in rows]
    assert after == pytest.approx(before + sum(steps), abs=1e-8)
    assert after == pytest.approx(2 * before)  # the host factor doubles the energy, 1.35 to 2.7


def test_a_figure_that_is_known_on_one_side_only_is_no_step_to_nothing(
    committed_db, sign_in, organization, without_water
):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/restatements/", {**ASKED, "settings": "", "factor_set": without_water.name})
    job = jobs.run_restatement(organization.id)

    page = client.get(f"/factors/restatements/{job.id}/").content.decode()

    row = re.search(r"<tr><th scope=\"row\">Water</th>.*?</tr>", page, re.DOTALL).group()
    _unit, _before, *steps, after = re.findall(r"<td[^>]*>([^<]*)</td>", row)
    assert (steps, after) == (["0", "0", "0", "0", "not known after"], "-")


def test_it_is_applied_with_a_reason_only(sign_in, organization, figures):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/restatements/", figures)
    job = jobs.run_restatement(organization.id)
    address = f"/factors/restatements/{job.id}/decide/"

    refused = client.post(address, {"reason": " "}, follow=True).content.decode()
    client.post(address, {"reason": "hosts were measured"})
    applied = jobs.run_restatement(organization.id)
    page = client.get(f"/factors/restatements/{applied.id}/").content.decode()

    assert "Say why" in refused
    assert (applied.apply, applied.state) == (True, JobState.DONE)
    assert "every day of them" in page
    assert "hosts were measured" in page


def test_a_waiting_one_is_cancelled(sign_in, organization, figures):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/restatements/", figures)

    watched = client.get(f"/factors/restatements/{latest(organization).id}/").content.decode()
    address = f"/factors/restatements/{latest(organization).id}/decide/"
    page = client.post(address, {"cancel": "1"}, follow=True).content.decode()

    assert 'name="cancel"' in watched
    assert "It is cancelled" in page
    assert latest(organization).state == JobState.CANCELLED


def test_a_cancel_that_comes_too_late_says_so_and_shows_what_was_done(sign_in, organization, figures):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/restatements/", figures)
    job = jobs.run_restatement(organization.id)

    page = client.post(f"/factors/restatements/{job.id}/decide/", {"cancel": "1"}, follow=True).content.decode()

    assert "Too late to cancel it" in page
    assert "nothing was changed." not in page.split("<h2>")[0]
    assert "Bridge" in page
    assert latest(organization).state == JobState.DONE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"settings": "kindness=3"}, "no setting"),
        ({"settings": ""}, "already"),
        ({"period": "soon"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_asked_is_said_in_the_form(sign_in, organization, figures, change, says):
    answer = sign_in(Role.SUSTAINABILITY_LEAD).post("/factors/restatements/", {**figures, **change})

    assert answer.status_code == 400
    assert says in answer.content.decode()


def test_who_may_not_manage_factors_reads_bridges(sign_in, organization, figures):
    client = sign_in(Role.AUDITOR)
    accounting.ensure_current_view(organization.id)

    page = client.get("/factors/restatements/").content.decode()

    assert "Nothing rehearsed yet" in page
    assert 'name="settings"' not in page
    assert client.post("/factors/restatements/", figures).status_code == 403
