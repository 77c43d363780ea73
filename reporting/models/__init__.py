"""What reporting stores, one file a subject."""

from reporting.models.budgets import Budget, CarbonPrice
from reporting.models.denominators import DenominatorFigure
from reporting.models.exports import Export, ExportPart, ExportState
from reporting.models.inventories import DRAFTS, LOCKED, STANDING, Inventory, PeriodState
from reporting.models.limits import YearlyLimit
from reporting.models.procurement import (
    Evaluation,
    EvaluationOffer,
    EvidenceState,
    FrozenEvaluation,
    ProviderEvidence,
)
from reporting.models.saved import SavedFilter, ShortLink
from reporting.models.scenarios import Scenario
from reporting.models.targets import BaseYearEvent, Target, TargetVersion, VersionKind, VersionState

__all__ = [
    "DRAFTS",
    "LOCKED",
    "STANDING",
    "BaseYearEvent",
    "Budget",
    "CarbonPrice",
    "DenominatorFigure",
    "Evaluation",
    "EvaluationOffer",
    "EvidenceState",
    "Export",
    "ExportPart",
    "ExportState",
    "FrozenEvaluation",
    "Inventory",
    "PeriodState",
    "ProviderEvidence",
    "SavedFilter",
    "Scenario",
    "ShortLink",
    "Target",
    "TargetVersion",
    "VersionKind",
    "VersionState",
    "YearlyLimit",
]
