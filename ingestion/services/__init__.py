"""Writes of ingestion: take payloads in, bring them to the ledger, keep the house."""

from ingestion.services.accept import Accepted, KeyReusedError, accept_payload, wait_until_done
from ingestion.services.drain import Drained, drain_inbox
from ingestion.services.house import beat, keep_house, organizations_with_waiting_batches

__all__ = [
    "Accepted",
    "Drained",
    "KeyReusedError",
    "accept_payload",
    "beat",
    "drain_inbox",
    "keep_house",
    "organizations_with_waiting_batches",
    "wait_until_done",
]
