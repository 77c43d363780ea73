"""Evaluations and dossiers as they are kept: checked, told to the audit log, frozen for good."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime

import pytest
from django.db import Error, connection

from core.accounting.figures import Filter, FilterError
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from reporting.models import Evaluation, FrozenEvaluation
from reporting.procurement import criteria, offers, workloads
from reporting.procurement.answers import ProcurementError
from reporting.procurement.claims_given import read_claim
from reporting.selectors.procurement import asked_of, assessed, evaluation_of, suppliers
from reporting.services import procurement as services
from tests.deliver import deliver

pytestmark = pytest.mark.usefixtures("committed_db")

QUARTER = Filter(date(2026, 7, 1), date(2026, 9, 30))
DAY = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CHAT = {"kind": "typical", "template": "chat", "year": 2026}
CRITERIA = [{"subject": "emissions", "weight": 60}, {"subject": "cost", "weight": 40}]
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
PARIS = {"name": "Paris", "provider": "mistral", "zone": "FR", "model": "mistral-large-latest"}


def evaluation(organization, *given, workload=None, weights=None, name="Assistant"):
    saved = services.save_evaluation(
        organization_id=organization.id,
        name=name,
        workload=workloads.from_plain(workload or CHAT),
        criteria=criteria.from_plain(weights or CRITERIA),
    )
    for each in given:
        services.save_offer(organization_id=organization.id, evaluation_id=saved.id, offer=offers.from_plain(each))
    return saved


def assess(organization, saved, filtered=QUARTER):
    with organization_scope(organization.id):
        asked = asked_of(evaluation_of(organization.id, saved.id))
    return assessed(organization.id, asked, filtered, DAY)


def by_name(document):
    return {each["name"]: each for each in document["offers"]}


@pytest.fixture
def ready(organization):
    """The factor set is loaded by the first delivery."""
    deliver(organization, [])
    return organization


def test_a_typical_workload_is_compared_on_the_first_day(ready):
    document = assess(ready, evaluation(ready, NORDIC, OREGON))

    found = by_name(document)
    nordic, oregon = (found[name]["answers"][0] for name in ("Nordic", "Oregon"))
    assert 0 < nordic["value"] < oregon["value"]
    assert nordic["low"] < nordic["value"] < nordic["high"]
    assert document["emissions"]["verdict"] == "leader"  # the model's error is shared, the grids are not
    # 1e6 requests at 8 and 6 EUR a thousand
    assert [found[name]["answers"][1]["value"] for name in ("Nordic", "Oregon")] == [8000.0, 6000.0]
    share = nordic["value"] / oregon["value"]
    assert found["Oregon"]["scores"] == pytest.approx([share, 1.0])
    assert found["Nordic"]["total"] == pytest.approx(0.6 + 0.4 * 6 / 8)
    assert document["verdict"] == "leader"
    assert document["left_out"] == ["upstream"]  # no upstream factor is known for the grid of Oregon
    figures = found["Nordic"]["figures"]
    assert nordic["value"] == pytest.approx(figures["location_kg_co2e"] + figures["embodied_kg_co2e"])
    assert {each["name"] for each in found["Nordic"]["factors"]} >= {"grid_location", "token_energy"}


def test_changed_weights_flip_the_order(ready):
    first = assess(ready, evaluation(ready, NORDIC, OREGON))
    cheap = [{"subject": "emissions", "weight": 1}, {"subject": "cost", "weight": 99}]
    second = assess(ready, evaluation(ready, NORDIC, OREGON, weights=cheap, name="Cheap"))

    assert (first["offers"][0]["name"], second["offers"][0]["name"]) == ("Nordic", "Oregon")
    turn = next(each for each in first["turns"] if each["criterion"] == "cost")
    assert 0.4 < turn["share"] < 0.99


def test_what_offers_do_not_say_is_said_by_cell(ready):
    weights = [*CRITERIA, {"subject": "claim:pue", "weight": 10}, {"subject": "rating:support", "weight": 10}]
    silent = {"name": "Silent", "supplier": "nobody", "zone": "DE"}

    document = assess(ready, evaluation(ready, NORDIC, silent, {**OREGON, "prices": []}, weights=weights))

    answers = {
        name: [(one["state"], one["why"]) for one in each["answers"]] for name, each in by_name(document).items()
    }
    assert answers["Silent"] == [
        ("not_known", "no_model"),
        ("not_known", "no_prices"),
        ("not_disclosed", "no_evidence"),
        ("not_known", "no_points"),
    ]
    assert answers["Oregon"][1] == ("not_known", "no_prices")
    assert by_name(document)["Silent"]["without_evidence"] is True
    assert by_name(document)["Nordic"]["without_evidence"] is False


def test_own_records_are_the_workload_of_a_period(organization):
    deliver(organization, [call("a"), call("b", output_tokens=900)])
    own = {"kind": "own", "query": "period=2026-Q3"}

    document = assess(organization, evaluation(organization, NORDIC, OREGON, {"name": "As it is"}, workload=own))

    assert document["workload"]["amounts_held"]["output_tokens"] == 1100
    assert by_name(document)["As it is"]["answers"][0]["state"] == "known"
    # 2 requests at 8 EUR a thousand
    assert by_name(document)["Nordic"]["answers"][1]["value"] == pytest.approx(0.016)
    with pytest.raises(FilterError, match="Nothing was recorded"):
        assess(
            organization,
            evaluation(organization, NORDIC, workload=own, name="Earlier"),
            Filter(date(2025, 1, 1), date(2025, 3, 31)),
        )


def call(number, **fields):
    return {
        "record_id": f"call-{number}",
        "evidence": "modelled",
        "started_at": "2026-07-01T10:00:00Z",
        "ended_at": "2026-07-01T10:00:05Z",
        "stage": "inference",
        "hosting": "api",
        "provider": "openai",
        "model": "gpt-4o",
        "requests": 1,
        "input_tokens": 1000,
        "output_tokens": 200,
        **fields,
    }


@pytest.mark.parametrize(
    ("offer", "field", "said"),
    [
        ({**NORDIC, "region": "atlantis-1"}, "region", "no region 'atlantis-1'"),
        ({**NORDIC, "model": "no-such-model-9"}, "model", "no model"),
        ({**NORDIC, "provider": "hetzner"}, "provider", "No provider"),
        ({"name": "x", "provider": "hetzner", "zone": "Atlantis"}, "zone", "no grid factor"),
        ({**OREGON, "name": "Nordic"}, "name", "already"),
    ],
)
def test_offers_that_cannot_be_are_refused_with_the_reason(ready, offer, field, said):
    saved = evaluation(ready, NORDIC)

    with pytest.raises(ProcurementError, match=said) as refused:
        services.save_offer(organization_id=ready.id, evaluation_id=saved.id, offer=offers.from_plain(offer))

    assert refused.value.field == field


def test_a_name_is_given_once(ready):
    evaluation(ready)

    with pytest.raises(ProcurementError, match="already"):
        evaluation(ready)


def test_another_organizations_evaluation_is_not_there(ready, other_organization):
    saved = evaluation(ready, NORDIC)

    with pytest.raises(Evaluation.DoesNotExist):
        services.save_offer(
            organization_id=other_organization.id, evaluation_id=saved.id, offer=offers.from_plain(OREGON)
        )
    assert not services.remove_evaluation(organization_id=other_organization.id, evaluation_id=saved.id)
    with organization_scope(other_organization.id):
        assert evaluation_of(ready.id, saved.id) is None


def test_a_frozen_evaluation_is_hashed_and_nobody_can_change_it(ready):
    saved = evaluation(ready, NORDIC, OREGON)
    document = assess(ready, saved)

    frozen = services.freeze_evaluation(organization_id=ready.id, evaluation_id=saved.id, document=document, now=NOW)
    services.remove_evaluation(organization_id=ready.id, evaluation_id=saved.id)

    assert frozen.sha256 == hashlib.sha256(frozen.content.encode()).hexdigest()
    content = json.loads(frozen.content)
    assert content["frozen_at"] == "2026-11-01T12:00:00Z"
    assert content["offers"] == json.loads(json.dumps(document["offers"]))
    assert (frozen.factor_set, frozen.methodology) == (document["factor_set"], document["methodology"])
    with organization_scope(ready.id):
        assert FrozenEvaluation.objects.filter(organization_id=ready.id).count() == 1
        for statement in ("update reporting_frozenevaluation set name = 'x'", "delete from reporting_frozenevaluation"):
            with pytest.raises(Error, match=r"append|never"), connection.cursor() as cursor:
                cursor.execute(f"savepoint tried; {statement}")
            connection.cursor().execute("rollback to savepoint tried")


def test_the_same_evaluation_is_the_same_document(ready):
    saved = evaluation(ready, NORDIC, OREGON, PARIS)

    first, second = assess(ready, saved), assess(ready, saved)

    drop = {"as_of": None}
    assert {**first, **drop} == {**second, **drop}


def test_evidence_counts_once_it_is_accepted(ready):
    weights = [{"subject": "emissions", "weight": 1}, {"subject": "claim:heat_reuse_share", "weight": 1}]
    saved = evaluation(ready, NORDIC, OREGON, weights=weights)
    claim = read_claim(
        {
            "metric": "heat_reuse_share",
            "value": 0.2,
            "boundary": "fleet",
            "document": "letter",
            "document_date": "2026-05-01",
        }
    )

    (row,) = services.add_evidence(organization_id=ready.id, provider="aws", claims=[claim], proposed=True)
    before = by_name(assess(ready, saved))["Nordic"]["answers"][1]
    services.decide_evidence(organization_id=ready.id, evidence_id=row.id, accept=True)
    after = by_name(assess(ready, saved))["Nordic"]

    assert before["state"] == "not_disclosed"
    assert (after["answers"][1]["value"], after["answers"][1]["source"]) == (0.2, "letter, 2026-05-01")
    assert [each["id"] for each in after["evidence"]] == [f"own:{row.id}"]


def test_a_dossier_without_evidence_is_marked(ready):
    evaluation(ready, {"name": "Local", "provider": "hetzner", "zone": "DE", "model": "gpt-4o"})

    with organization_scope(ready.id):
        found = {each.supplier: each for each in suppliers(ready.id, DAY)}

    assert found["hetzner"].is_empty
    assert not found["aws"].is_empty


def test_everything_leaves_a_trace(ready):
    saved = evaluation(ready, NORDIC)
    document = assess(ready, saved)
    services.freeze_evaluation(organization_id=ready.id, evaluation_id=saved.id, document=document, now=NOW)
    services.remove_evaluation(organization_id=ready.id, evaluation_id=saved.id)

    with organization_scope(ready.id):
        events = list(
            AuditEvent.objects.filter(organization_id=ready.id).order_by("id").values_list("action", flat=True)
        )
    assert [each for each in events if "evaluation" in each or "offer" in each] == [
        "save_evaluation",
        "save_offer",
        "freeze_evaluation",
        "remove_evaluation",
    ]
