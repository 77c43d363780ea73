"""Addresses of what an organization decides on and is told: destinations of messages, budgets, policies, labels."""

from __future__ import annotations

from typing import Final

from core.organizations.policy import Action as A  # noqa: N817  (as in the table that this is part of)
from tests.askers import Address, Call, destination_of, do, see

DESTINATION: Final = {"destination_id": destination_of}
OF_DECISIONS: Final[dict[str, Address]] = {
    "destinations": Address((see(A.MANAGE_DESTINATIONS), do(A.MANAGE_DESTINATIONS, 400))),
    "destination": Address((see(A.MANAGE_DESTINATIONS),), DESTINATION),
    "change_destination": Address((do(A.MANAGE_DESTINATIONS, 302),), DESTINATION),
    "api_destinations": Address((see(A.MANAGE_DESTINATIONS), do(A.MANAGE_DESTINATIONS, 400))),
    "api_destination": Address((Call("DELETE", (A.MANAGE_DESTINATIONS,), 204),), DESTINATION),
    "api_destination_test": Address((do(A.MANAGE_DESTINATIONS, 202),), DESTINATION),
    "api_deliveries": Address((see(A.MANAGE_DESTINATIONS),)),
}
