"""Pages of buying: forms that keep what was typed, an order that weights flip, frozen files, dossiers and questionnaires."""

from __future__ import annotations

import io
import json
import re
import subprocess

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from core.organizations.models import Role
from core.organizations.tenancy import organization_scope
from reporting.models import Evaluation, ProviderEvidence
from reporting.pages.evaluation_forms import EvaluationForm, OfferForm, fits_the_form, initial_of, initial_offer
from reporting.procurement import criteria, offers, workloads
from reporting.services import procurement as services
from tests.deliver import deliver
from tests.people import sign_in

pytestmark = pytest.mark.usefixtures("committed_db")

NORDIC = {
    "name": "Nordic",
    "provider": "aws",
    "region": "eu-north-1",
    "model": "gpt-4o",
    "prices": [{"unit": "requests", "price": 8, "currency": "EUR"}],
}
OREGON = {
    **NORDIC,
    "name": "Oregon",
    "region": "us-west-2",
    "prices": [{"unit": "requests", "price": 6, "currency": "EUR"}],
}
GIVEN = {
    "name": "Assistant",
    "workload": {"kind": "typical", "template": "chat", "year": 2026},
    "criteria": [{"subject": "emissions", "weight": 60}, {"subject": "cost", "weight": 40}],
    "offers": [NORDIC, OREGON],
}


@pytest.fixture
def buyer(client, organization):
    deliver(organization, [])
    return sign_in(client, organization, Role.PROCUREMENT)


@pytest.fixture
def saved(organization):
    deliver(organization, [])
    return services.save_described(organization_id=organization.id, given=GIVEN)


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "workload",
    [
        {"kind": "typical", "template": "rag", "year": 2025, "basis": "market", "amounts": {"requests": 10.0}},
        {"kind": "own", "query": "period=2026-Q3&team=search&provider=aws&provider=gcp", "basis": "location"},
    ],
)
def test_the_form_shows_and_reads_an_evaluation_without_loss(workload):
    chosen = criteria.from_plain(
        [
            {"subject": "emissions", "weight": 60, "at_most": 2000},
            {"subject": "claim:pue", "weight": 12.5, "must_be_known": True},
            {"subject": "rating:support", "weight": 10, "full_at": 10, "at_least": 3},
        ]
    )
    asked = workloads.from_plain(workload)
    initial = {name: each for name, each in initial_of("Tender", "why", asked, chosen).items() if each is not None}

    form = EvaluationForm({"template": "chat", "year": 2026, **initial})

    assert form.is_valid(), form.errors
    assert workloads.as_plain(form.workload) == workloads.as_plain(asked)
    assert form.criteria == chosen
    assert fits_the_form(chosen)


def test_the_form_of_an_offer_keeps_its_price_sheet_unless_another_comes():
    before = offers.from_plain({**NORDIC, "factors": {"pue": 1.1}, "source": "May", "ratings": {"support": 7}})
    initial = {name: each for name, each in initial_offer(before, ["support"]).items() if each is not None}
    sheet = SimpleUploadedFile("p.csv", b"unit,price,currency\noutput_tokens,10,USD\n")

    kept = OfferForm(initial, rated=["support"], before=before)
    replaced = OfferForm(initial, {"prices": sheet}, rated=["support"], before=before)

    assert kept.is_valid(), kept.errors
    assert offers.as_plain(kept.offer) == offers.as_plain(before)
    assert replaced.is_valid(), replaced.errors
    assert [each.unit for each in replaced.offer.prices] == ["output_tokens"]


def test_an_evaluation_is_made_from_nothing(buyer, organization):
    typed = {
        "name": "Tender",
        "kind": "typical",
        "basis": "location",
        "template": "chat",
        "year": "2026",
        "subject_1": "emissions",
        "weight_1": "60",
        "subject_2": "cost",
        "weight_2": "40",
    }
    made = buyer.post("/providers/evaluations/add/", typed)
    here = made["Location"]
    for name, region, price in (("Nordic", "eu-north-1", 8), ("Oregon", "us-west-2", 6)):
        sheet = SimpleUploadedFile("p.csv", f"unit,price,currency\nrequests,{price},EUR\n".encode())
        offer = {"name": name, "provider": "aws", "region": region, "model": "gpt-4o", "prices": sheet}
        assert buyer.post(f"{here}offers/", offer).status_code == 302

    page = text_of(buyer.get(here))

    assert "Nordic leads in" in page
    assert "€8,000" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"weight_1": "0"}, "The weights sum to zero"),
        ({"subject_1": "rating", "points_1": ""}, "is no criterion"),
        ({"name": ""}, "This field is required"),
        ({"amount_requests": "0"}, "The workload holds nothing"),
    ],
)
def test_what_cannot_be_evaluated_is_said_beside_its_field(buyer, typed, said):
    given = {
        "name": "x",
        "kind": "typical",
        "basis": "location",
        "template": "chat",
        "year": "2026",
        "subject_1": "emissions",
        "weight_1": "1",
    }

    answer = buyer.post("/providers/evaluations/add/", given | typed)

    assert answer.status_code == 400
    assert said in text_of(answer)


def test_an_offer_in_an_unknown_region_is_refused_with_the_reason(buyer, saved):
    typed = {"name": "Mars", "provider": "aws", "region": "mars-1", "model": "gpt-4o"}

    answer = buyer.post(f"/providers/evaluations/{saved.id}/offers/", typed)

    assert answer.status_code == 400
    assert "aws has no region" in text_of(answer)


# --- outcome ----------------------------------------------------------------------------------------------------------


def test_weights_of_the_address_flip_the_order_and_are_kept_on_demand(buyer, saved, organization):
    here = f"/providers/evaluations/{saved.id}/"

    kept, tried = text_of(buyer.get(here)), text_of(buyer.get(f"{here}?weight=1&weight=99"))
    zero = text_of(buyer.get(f"{here}?weight=0&weight=0"))
    buyer.post(f"{here}weights/", {"weight": ["1", "99"]})

    assert "Nordic leads in" in kept
    assert "Oregon leads in" in tried
    assert "The weights sum to zero" in zero
    assert "Oregon leads in" in text_of(buyer.get(here))
    with organization_scope(organization.id):
        assert [each["weight"] for each in Evaluation.objects.get(id=saved.id).criteria] == [1.0, 99.0]


def test_offers_that_differ_by_nothing_are_not_distinguishable(buyer, organization):
    twin = {**NORDIC, "name": "Twin"}
    saved = services.save_described(organization_id=organization.id, given={**GIVEN, "offers": [NORDIC, twin]})

    page = text_of(buyer.get(f"/providers/evaluations/{saved.id}/"))

    assert "Not distinguishable: Nordic and Twin" in page


def test_one_offer_and_none_are_said_to_be_so(buyer, organization):
    one = services.save_described(organization_id=organization.id, given={**GIVEN, "name": "One", "offers": [NORDIC]})
    none = services.save_described(organization_id=organization.id, given={**GIVEN, "name": "None", "offers": []})

    assert "One offer: there is nothing to compare it with" in text_of(buyer.get(f"/providers/evaluations/{one.id}/"))
    assert "No offer yet" in text_of(buyer.get(f"/providers/evaluations/{none.id}/"))


def test_a_member_sees_dossiers_but_no_evaluation(client, organization, saved):
    sign_in(client, organization, Role.MEMBER, "search")

    assert client.get(f"/providers/evaluations/{saved.id}/").status_code == 403
    assert client.get("/providers/dossiers/aws/").status_code == 200
    assert "Take the answers in" not in text_of(client.get("/providers/dossiers/aws/"))


# --- frozen -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def frozen(buyer, saved):
    return buyer.post(f"/providers/evaluations/{saved.id}/freeze/")["Location"]


def test_a_frozen_evaluation_stays_as_it_was(buyer, saved, frozen):
    before = {ending: buyer.get(f"{frozen}evaluation.{ending}").content for ending in ("pdf", "xlsx", "json")}
    page = text_of(buyer.get(frozen))

    buyer.post(f"/providers/evaluations/{saved.id}/weights/", {"weight": ["1", "99"]})
    buyer.post(f"/providers/evaluations/{saved.id}/remove/")

    assert {ending: buyer.get(f"{frozen}evaluation.{ending}").content for ending in before} == before
    assert "Nordic leads in" in page
    assert "Nordic leads in" in text_of(buyer.get(frozen))
    assert buyer.get(f"{frozen}evaluation.exe").status_code == 404


def test_page_pdf_and_workbook_of_a_frozen_evaluation_agree(buyer, frozen, tmp_path):
    document = buyer.get(f"{frozen}evaluation.json").json()
    (tmp_path / "e.pdf").write_bytes(buyer.get(f"{frozen}evaluation.pdf").content)
    book = openpyxl.load_workbook(io.BytesIO(buyer.get(f"{frozen}evaluation.xlsx").content))
    printed = subprocess.run(
        ["pdftotext", "-layout", "e.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    page = text_of(buyer.get(frozen))

    emissions = {each["name"]: each["answers"][0]["value"] for each in document["offers"]}
    rows = [[cell.value for cell in row] for row in book["Answers"].iter_rows()]
    head = rows[0]
    written = {row[head.index("offer")]: row[head.index("value")] for row in rows if row[0] == "emissions"}
    assert written == pytest.approx(emissions, rel=1e-15)  # a workbook holds 16 digits
    for value in emissions.values():
        shown = f"{value:.1f}" if value < 100 else f"{value:.0f}"
        assert shown in printed or f"{value:.0f}" in printed
    leader = re.search(r"Nordic leads in \S+ % of cases", page.replace("\u202f", " "))
    assert leader
    assert leader.group() in printed.replace("\u202f", " ")
    factors = {each["source"] for offer in document["offers"] for each in offer["factors"]}
    sources = {row[6].value for row in book["Factors"].iter_rows(min_row=2)}
    assert factors == sources
    assert not any(cell.data_type == "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_the_file_is_printed_in_the_readers_language(buyer, frozen, tmp_path):
    (tmp_path / "e.pdf").write_bytes(buyer.get(f"{frozen}evaluation.pdf", headers={"accept-language": "de"}).content)

    printed = subprocess.run(
        ["pdftotext", "-layout", "e.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout

    assert "Emissionen" in printed


# --- dossiers ---------------------------------------------------------------------------------------------------------


def test_a_dossier_says_what_is_disclosed_and_what_to_ask(buyer):
    page = text_of(buyer.get("/providers/dossiers/aws/"))

    assert "1.14" in page  # AWS sustainability page, fleet PUE of 2025
    assert "Which share of the site's energy is reused as heat" in page.replace("&#x27;", "'")


def test_a_dossier_without_evidence_is_marked(buyer):
    assert "A dossier without evidence" in text_of(buyer.get("/providers/dossiers/hetzner/"))
    assert buyer.get("/providers/dossiers/Google/").status_code == 404


def test_a_claim_is_added_and_checked(buyer):
    typed = {"metric": "renewable_annual_share", "value": "1", "grade": "marketing", "boundary": "fleet"}

    added = buyer.post("/providers/dossiers/hetzner/", typed)
    refused = buyer.post("/providers/dossiers/hetzner/", {"metric": "pue", "value": "0.9", "grade": "published"})

    page = text_of(buyer.get("/providers/dossiers/hetzner/"))
    assert added.status_code == 302
    assert "no volume is given" in page
    assert "no document" in page
    assert refused.status_code == 400
    assert "is no number from 1 to 20" in text_of(refused)


def test_answers_of_a_questionnaire_wait_until_somebody_has_reviewed_them(buyer, organization):
    sent = buyer.get("/providers/dossiers/hetzner/questions.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(sent.content))
    book["Questions"].cell(2, 5, 1.13)
    book["Questions"].cell(2, 6, "site Falkenstein")
    out = io.BytesIO()
    book.save(out)

    back = buyer.post("/providers/dossiers/hetzner/answers/", {"file": SimpleUploadedFile("q.xlsx", out.getvalue())})
    waiting = text_of(buyer.get("/providers/dossiers/hetzner/"))
    with organization_scope(organization.id):
        evidence = ProviderEvidence.objects.get(provider="hetzner")
    buyer.post(f"/providers/evidence/{evidence.id}/", {"decision": "accept"})

    assert back.status_code == 302
    assert "Answers to be reviewed" in waiting
    assert "A dossier without evidence" in waiting
    accepted = text_of(buyer.get("/providers/dossiers/hetzner/"))
    assert "A dossier without evidence" not in accepted
    assert "site Falkenstein" in accepted


def test_another_organizations_claims_are_not_seen(buyer, other_organization):
    from reporting.procurement.claims_given import read_claim

    claim = read_claim({"metric": "pue", "value": 1.99})
    services.add_evidence(organization_id=other_organization.id, provider="hetzner", claims=[claim])

    assert "A dossier without evidence" in text_of(buyer.get("/providers/dossiers/hetzner/"))


def test_the_list_names_what_is_compared(buyer, saved):
    page = text_of(buyer.get("/providers/evaluations/"))

    assert "Typical workload: Chat assistant, one year" in page
    assert json.dumps(GIVEN["name"])[1:-1] in page
