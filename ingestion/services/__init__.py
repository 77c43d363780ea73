"""Writes of ingestion: take payloads in, bring them to the ledger, keep the house."""

from ingestion.services.accept import (
    Accepted,
    KeyReusedError,
    WrongSourceError,
    accept_payload,
    source_of,
    wait_until_done,
)
from ingestion.services.agents import organizations_with_due_agents, settle_agents
from ingestion.services.alerts import watch_sources
from ingestion.services.conflicts import take_back, take_newer
from ingestion.services.drain import Drained, drain_inbox
from ingestion.services.files import accept_files
from ingestion.services.house import (
    beat,
    keep_house,
    organizations_with_deletions,
    organizations_with_waiting_batches,
    work_on_deletions,
)
from ingestion.services.resolve import (
    Replay,
    ResolveError,
    confirm_held,
    discard_quarantine,
    read_again,
    reject_held,
    replay_quarantine,
)
from ingestion.services.runs import ExperimentError, announce_run, create_experiment
from ingestion.services.service_rules import read_rules, set_service_rules

__all__ = [
    "Accepted",
    "Drained",
    "ExperimentError",
    "KeyReusedError",
    "Replay",
    "ResolveError",
    "WrongSourceError",
    "accept_files",
    "accept_payload",
    "announce_run",
    "beat",
    "confirm_held",
    "create_experiment",
    "discard_quarantine",
    "drain_inbox",
    "keep_house",
    "organizations_with_deletions",
    "organizations_with_due_agents",
    "organizations_with_waiting_batches",
    "read_again",
    "read_rules",
    "reject_held",
    "replay_quarantine",
    "set_service_rules",
    "settle_agents",
    "source_of",
    "take_back",
    "take_newer",
    "wait_until_done",
    "watch_sources",
    "work_on_deletions",
]
