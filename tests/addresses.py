"""Addresses of what an organization decides on and is told, of buying, of targets, and of closing a period."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from core.organizations.policy import Action as A  # noqa: N817  (as in the table that this is part of)
from tests.askers import Address, Call, destination_of, do, evaluation_of, evidence_of, frozen_of, see, target_of

DESTINATION: Final = {"destination_id": destination_of}
BUDGET: Final = {"budget_id": lambda _: 1}  # of nobody
OF_DECISIONS: Final[dict[str, Address]] = {
    "destinations": Address((see(A.MANAGE_DESTINATIONS), do(A.MANAGE_DESTINATIONS, 400))),
    "destination": Address((see(A.MANAGE_DESTINATIONS),), DESTINATION),
    "change_destination": Address((do(A.MANAGE_DESTINATIONS, 302),), DESTINATION),
    "api_destinations": Address((see(A.MANAGE_DESTINATIONS), do(A.MANAGE_DESTINATIONS, 400))),
    "api_destination": Address((Call("DELETE", (A.MANAGE_DESTINATIONS,), 204),), DESTINATION),
    "api_destination_test": Address((do(A.MANAGE_DESTINATIONS, 202),), DESTINATION),
    "api_deliveries": Address((see(A.MANAGE_DESTINATIONS),)),
    "budgets": Address((see(A.SEE_OWN_TEAM),)),
    "budget": Address((see(A.SEE_OWN_TEAM, 404),), BUDGET),
    "budget_statement": Address((see(A.SEE_OWN_TEAM, 404),), BUDGET),
    "budget_set": Address((see(A.EDIT_TEAM_TARGETS), do(A.EDIT_TEAM_TARGETS, 400))),
    "carbon_prices": Address((see(A.EDIT_TARGETS), do(A.EDIT_TARGETS, 400))),
    "api_budgets": Address((see(A.SEE_OWN_TEAM), do(A.EDIT_TEAM_TARGETS, 400))),
    "api_carbon_prices": Address((see(A.SEE_ALL_TEAMS), do(A.EDIT_TARGETS, 400))),
}

EVALUATION: Final = {"evaluation_id": evaluation_of}
SUPPLIER: Final = {"supplier": lambda _: "aws"}
OF_BUYING: Final[dict[str, Address]] = {
    "dossiers": Address((see(A.SEE_PROVIDERS),)),
    "dossier": Address((see(A.SEE_PROVIDERS), do(A.EDIT_PROVIDERS, 400)), SUPPLIER),
    "questionnaire": Address((see(A.SEE_PROVIDERS),), SUPPLIER),
    "questionnaire_back": Address((do(A.EDIT_PROVIDERS, 400),), SUPPLIER),
    "evidence": Address((do(A.EDIT_PROVIDERS, 302),), {"evidence_id": evidence_of}),
    "evaluations": Address((see(A.SEE_ALL_TEAMS),)),
    "evaluation_add": Address((see(A.EDIT_PROVIDERS), do(A.EDIT_PROVIDERS, 400))),
    "evaluation": Address((see(A.SEE_ALL_TEAMS),), EVALUATION),
    "evaluation_change": Address((see(A.EDIT_PROVIDERS), do(A.EDIT_PROVIDERS, 400)), EVALUATION),
    "evaluation_weigh": Address((do(A.EDIT_PROVIDERS, 302),), EVALUATION),
    "evaluation_remove": Address((do(A.EDIT_PROVIDERS, 302),), EVALUATION),
    "evaluation_freeze": Address((do(A.EDIT_PROVIDERS, 302),), EVALUATION),
    "offer_add": Address((see(A.EDIT_PROVIDERS), do(A.EDIT_PROVIDERS, 400)), EVALUATION),
    "offer": Address((see(A.EDIT_PROVIDERS, 404), do(A.EDIT_PROVIDERS, 404)), EVALUATION | {"offer_id": lambda _: 0}),
    "offer_remove": Address((do(A.EDIT_PROVIDERS, 404),), EVALUATION | {"offer_id": lambda _: 0}),
    "frozen_evaluation": Address((see(A.SEE_ALL_TEAMS),), {"frozen_id": frozen_of}),
    "frozen_file": Address((see(A.SEE_ALL_TEAMS),), {"frozen_id": frozen_of, "ending": lambda _: "pdf"}),
    "api_evaluations": Address((see(A.SEE_ALL_TEAMS), do(A.EDIT_PROVIDERS, 400))),
    "api_evaluation": Address((see(A.SEE_ALL_TEAMS), Call("DELETE", (A.EDIT_PROVIDERS,), 204)), EVALUATION),
    "api_evaluation_figures": Address((see(A.SEE_ALL_TEAMS, 400),), EVALUATION),  # without an offer
    "api_frozen_evaluations": Address((see(A.SEE_ALL_TEAMS), do(A.EDIT_PROVIDERS, 400)), EVALUATION),
    "api_dossier": Address((see(A.SEE_PROVIDERS), do(A.EDIT_PROVIDERS, 400)), SUPPLIER),
}

PERIOD: Final = {"period": lambda _: "2026-Q3"}
OF_CLOSING: Final[dict[str, Address]] = {
    "period_prepare": Address((do(A.PREPARE_PERIOD, 404),), PERIOD),  # without a step
    "period_review": Address((do(A.APPROVE_PERIOD, 404),), PERIOD),
    "api_inventories": Address((see(A.SEE_PERIODS),)),
    "api_inventory": Address((see(A.SEE_PERIODS, 404),), {"inventory_id": lambda _: uuid4()}),
    "api_inventory_file": Address(
        (see(A.SEE_PERIODS, 404),), {"inventory_id": lambda _: uuid4(), "name": lambda _: "csv"}
    ),
}

TARGET: Final = {"target_id": target_of}
OF_TARGETS: Final[dict[str, Address]] = {
    "targets": Address((see(A.SEE_OWN_TEAM), do(A.EDIT_TARGETS, 400))),
    "target_add": Address((see(A.EDIT_TEAM_TARGETS), do(A.EDIT_TEAM_TARGETS, 400))),
    "target": Address((see(A.SEE_ALL_TEAMS),), TARGET),
    "target_change": Address((see(A.EDIT_TARGETS), do(A.EDIT_TARGETS, 400)), TARGET),
    "target_decide": Address((do(A.APPROVE_TARGETS, 302),), TARGET),
    "target_base": Address((do(A.EDIT_TARGETS, 400),), TARGET),
    "target_retire": Address((do(A.EDIT_TARGETS, 302),), TARGET),
    "api_targets": Address((see(A.SEE_OWN_TEAM), do(A.EDIT_TEAM_TARGETS, 400))),
    "api_target": Address((see(A.SEE_ALL_TEAMS),), TARGET),
}

ELSEWHERE: Final = {**OF_DECISIONS, **OF_BUYING, **OF_CLOSING, **OF_TARGETS}
"""All of the above, for the table that they are part of."""
