"""Typing in a month: worked out before it is saved, a record of its source after, replaced when it is typed in again."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.services import derive_dirty_days
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations import services as organizations
from core.organizations.identity import Actor, Identity
from core.organizations.models import Role
from ingestion import services, typing_in
from ingestion.pages.months import CountField

pytestmark = pytest.mark.usefixtures("committed_db", "woken")
MONTH = "2026-09"
FORM = {
    "month": MONTH,
    "models-lines": "2",
    "models-0-vendor": "openai",
    "models-0-model": "gpt-4o-mini",
    "models-0-requests": "12,000",
    "models-0-input_tokens": "9.6M",
    "models-0-output_tokens": "2 400 000",
    "computers-lines": "1",
    "computers-0-hardware": "Apple M3",
    "computers-0-hours": "160",
    "computers-0-country": "DE",
    "seats-lines": "1",
    "seats-0-vendor": "github",
    "seats-0-product": "Copilot Business",
    "seats-0-seats": "20",
    "spends-lines": "1",
}


@pytest.fixture
def signed_in(client: Client, organization: Any, person: Any) -> Client:
    load_factor_set(load_pack())
    organizations.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    return client


def saved(client: Client, organization: Any, **changes: str) -> None:
    answer = client.post("/sources/months/", {**FORM, "save": "1", **changes})
    assert answer.status_code == 302, answer.content.decode()
    services.drain_inbox(organization.id)
    derive_dirty_days(organization.id)


def test_lines_are_worked_out_before_they_are_saved(signed_in: Client, organization: Any) -> None:
    page = signed_in.post("/sources/months/", FORM)
    worked = page.context["worked"]
    by_what = {each.what: each for each in worked.lines}
    seats = by_what["github Copilot Business"]

    assert page.status_code == 200
    assert by_what["openai gpt-4o-mini"].method == "tokens"
    assert by_what["Apple M3"].method == "device"
    assert (seats.kg, seats.lacking != "") == (None, True)
    assert worked.total[1] < worked.total[0] < worked.total[2]
    assert worked.widest.what == "Apple M3"
    assert typing_in.lines_of(organization.id, MONTH) == []


def test_a_saved_month_has_the_figure_that_was_shown_and_is_filled_in_again(
    signed_in: Client, organization: Any
) -> None:
    shown = signed_in.post("/sources/months/", FORM).context["worked"].total[0]
    saved(signed_in, organization)
    total = emissions(organization.id, Filter(date(2026, 9, 1), date(2026, 9, 30))).rows["total_kg_co2e"].sum()

    rounding = 3 * 3 * 30 * 0.5e-9  # 3 parts of 3 lines on 30 days, each rounded to 1e-9 kg
    assert total == pytest.approx(shown, rel=0, abs=rounding)
    assert typing_in.lines_of(organization.id, MONTH) == [
        {"stage": "experimentation", "hardware": "Apple M3", "country": "DE", "hours": 160},
        {"vendor": "github", "stage": "inference", "product": "Copilot Business", "seats": 20},
        {
            "vendor": "openai",
            "stage": "inference",
            "model": "gpt-4o-mini",
            "requests": 12_000,
            "input_tokens": 9_600_000,
            "output_tokens": 2_400_000,
        },
    ]
    page = signed_in.get(f"/sources/months/?month={MONTH}").content.decode()
    assert 'value="gpt-4o-mini"' in page
    assert 'value="9600000"' in page


def test_a_month_typed_in_again_replaces_what_stood_there(signed_in: Client, organization: Any) -> None:
    saved(signed_in, organization)
    saved(
        signed_in,
        organization,
        **{"computers-0-hours": "80", "seats-0-seats": ""},
        **{"seats-0-product": ""} | {"seats-0-vendor": ""},
    )
    lines = {tuple(sorted(line)): line for line in typing_in.lines_of(organization.id, MONTH)}

    assert [line["hours"] for line in lines.values() if "hours" in line] == [80]
    assert not [line for line in lines.values() if "seats" in line]
    assert [line["requests"] for line in lines.values() if "requests" in line] == [12_000]


def test_what_an_imported_line_says_besides_is_kept(signed_in: Client, organization: Any) -> None:
    line = {"project": "Atlas", "stage": "training", "hardware": "Apple M3", "hours": 5}
    typing_in.save(Identity(organization.id, Actor("system", name="test")), MONTH, [line])
    services.drain_inbox(organization.id)
    form = signed_in.get(f"/sources/months/?month={MONTH}").context["sections"][1]["forms"][0]
    sent = {f"computers-0-{name}": str(form[name].value() or "") for name in form.fields}
    answer = signed_in.post("/sources/months/", {"month": MONTH, "save": "1", "computers-lines": "1", **sent})
    services.drain_inbox(organization.id)

    assert answer.status_code == 302
    assert typing_in.lines_of(organization.id, MONTH) == [line]


def test_what_cannot_be_read_keeps_the_input_and_says_where(signed_in: Client, organization: Any) -> None:
    page = signed_in.post("/sources/months/", {**FORM, "save": "1", "models-0-output_tokens": "lots"})
    text = page.content.decode()

    assert page.status_code == 400
    assert 'value="lots"' in text
    assert "Write a whole number" in text
    assert typing_in.lines_of(organization.id, MONTH) == []


def test_a_line_that_cannot_be_taken_stops_the_month(signed_in: Client) -> None:
    page = signed_in.post("/sources/months/", {"month": MONTH, "save": "1", "spends-lines": "1", "spends-0-spend": "5"})

    assert page.status_code == 400
    assert [each.fault for each in page.context["worked"].faults] == ["currency: spend is given without it"]


@pytest.mark.parametrize("month", ["2026-13", "1999-01", "x", "2999-01"])
def test_a_month_that_is_not_offered_falls_back_with_a_notice(signed_in: Client, month: str) -> None:
    page = signed_in.get("/sources/months/", {"month": month})

    assert page.status_code == 200
    assert page.context["unknown_month"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("", None), ("1200000", 1_200_000), ("1,200,000", 1_200_000), ("1.2M", 1_200_000), ("3k", 3_000)],
)
def test_counts_are_read_as_people_write_them(text: str, count: int | None) -> None:
    assert CountField(required=False).clean(text) == count
