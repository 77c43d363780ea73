"""The kinds of sources as people choose them: what each is, how it is sent, and which settings its format knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.quantification.activity import HOSTINGS, STAGES
from core.quantification.attribute import DEFAULTED
from core.quantification.limits import DEVICES, HOST_POWER_KW, INSTANCES
from ingestion.sources import own_units, registry
from ingestion.sources.base import DEFAULT_MAX_AGE_DAYS

Text = str | Promise

EXPECTED_EVERY_H: Final = "expected_every_h"
PUSH_EVERY_H: Final = 24.0
FILE_EVERY_H: Final = 35 * 24.0
"""Exports restate their month daily at best and come once a month at worst."""


@dataclass(frozen=True)
class Setting:
    """
    One setting of a source.

    Args:
        name: its key in the source's settings.
        form: text, words (text split at commas and lines), pairs (lines of "this = that"), number, whole (a whole number),
            choice or flag.
        label, help: for people.
        choices: (value, label), for a choice.
        least, most: bounds of a number, both included.
        default: what holds when nothing is said, for people to read.
    """

    name: str
    form: str
    label: Text
    help: Text = ""
    choices: tuple[tuple[str, Text], ...] = ()
    least: float | None = None
    most: float | None = None
    default: Text = ""

    @property
    def derives(self) -> bool:
        """Tell whether figures follow from it by deriving again; others hold for what is read from now on."""
        return self.name in DEFAULTED


@dataclass(frozen=True)
class Kind:
    """
    A wire format as a source of it is chosen.

    Args:
        name: of the format, as in the registry.
        sentence: what it brings, for its card.
        pushed: agents send it; else it comes as files.
        host_level: each of its records describes one host.
        settings: those that only this format has.
    """

    name: str
    sentence: Text
    pushed: bool = False
    host_level: bool = False
    settings: tuple[Setting, ...] = field(default=())


DEFAULTS: Final = (
    Setting("team", "text", _("Team"), _("Records that name none belong to it.")),
    Setting("project", "text", _("Project")),
    Setting("environment", "text", _("Environment"), _("Such as production or staging.")),
    Setting(
        "hosting",
        "choice",
        _("Who runs the hardware"),
        _("It decides the scope of the electricity."),
        tuple((each, each) for each in HOSTINGS),
    ),
    Setting(
        "stage",
        "choice",
        _("Stage"),
        _("Every record has one, so a change holds for what is read from now on."),
        tuple((each, each.replace("_", " ")) for each in STAGES),
    ),
)
"""What records leave open: completed when figures are derived, so a change holds for the past too."""

MAX_AGE: Final = Setting(
    "max_age_days",
    "whole",
    _("Oldest record, in days"),
    _("Older ones wait in quarantine."),
    least=1,
    most=36_500,
    default=str(DEFAULT_MAX_AGE_DAYS),
)
EXPECTED: Final = Setting(
    EXPECTED_EVERY_H,
    "number",
    _("Expected at least every, in hours"),
    _("Later than this it counts as late, and an alert is raised."),
    least=0.1,
    most=24 * 400,
)
ACCOUNT: Final = Setting(
    "account",
    "text",
    _("Account"),
    _("Billing account, cluster or API organization that it describes, where the sender does not say."),
)
LABELS: Final = Setting(
    "labels",
    "words",
    _("Further labels to keep"),
    _("Names of tags or attributes, one a line. They can then be used by rules; names of people are never kept."),
)
LIMITS: Final = (
    Setting("max_power_kw", "number", _("Most power of one host, in kW"), "", (), 0.001, 1e6, f"{HOST_POWER_KW:g}"),
    Setting("max_devices", "whole", _("Most devices at once"), "", (), 1, 10_000_000, f"{DEVICES:,}"),
    Setting("max_instances", "whole", _("Most instances at once"), "", (), 1, 10_000_000, f"{INSTANCES:,}"),
)
"""Plausibility: what lies above waits in quarantine."""

UNITS: Final = Setting(
    own_units.SETTING,
    "pairs",
    _("Own names of units"),
    _("One a line: the unit as reported, “=”, the unit it stands for, such as: kTok = 1K tokens."),
)
TIME_ZONE: Final = Setting(
    "timezone",
    "text",
    _("Time zone of its clock"),
    _("Such as Europe/Berlin, where times carry no offset."),
    default="UTC",
)

_OTLP: Final = (
    Setting(
        "count",
        "choice",
        _("What counts"),
        _("Spans and metrics of a service describe the same calls. Choose metrics where spans are sampled."),
        (("spans", _("spans")), ("metrics", _("metrics"))),
        default=_("spans"),
    ),
    Setting(
        "sample_rate",
        "number",
        _("Share of traces that is kept"),
        _("Between 0 and 1; where a sampler keeps only some and does not say so in the trace state."),
        least=0.000_001,
        most=1,
    ),
    ACCOUNT,
    Setting(
        "own_servers",
        "words",
        _("Your own model servers"),
        _("Host names, one a line: what they serve runs on your hardware, not at an API vendor."),
    ),
    UNITS,
    LABELS,
)
_FOCUS: Final = (
    Setting("plain_machines", "flag", _("Count machines without accelerators too")),
    Setting("include_supporting", "flag", _("Count storage and network of AI services too")),
    UNITS,
    LABELS,
)
_BASIS: Final = Setting(
    "reported_basis",
    "choice",
    _("Basis of its figures"),
    _("Where the export does not say which method its kg CO2e follow."),
    (("location", _("location-based")), ("market", _("market-based"))),
)

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "codecarbon",
            _("Trackers on your machines measure training and batch jobs, and send while they run."),
            pushed=True,
            host_level=True,
        ),
        Kind(
            "otlp",
            _("Services that call models report tokens and time through OpenTelemetry, directly or by a Collector."),
            pushed=True,
            settings=_OTLP,
        ),
        Kind("activity", _("Your own scripts send records in our format: energy, hours, tokens, cost."), pushed=True),
        Kind(
            "codecarbon_http_output",
            _("Trackers that only report a run's total when it ends, to an address."),
            pushed=True,
            host_level=True,
        ),
        Kind("focus", _("The bill of a cloud or a model vendor, in the open billing format."), settings=_FOCUS),
        Kind("openai_usage", _("What an OpenAI organization used, exported from its usage API."), settings=(ACCOUNT,)),
        Kind(
            "codecarbon_csv",
            _("The emissions.csv that trackers leave on disk."),
            host_level=True,
            settings=(TIME_ZONE,),
        ),
        Kind(
            "litellm",
            _("A gateway in front of several model vendors reports every call to a callback."),
            pushed=True,
            settings=(ACCOUNT, LABELS),
        ),
        Kind(
            "langfuse", _("Generations that Langfuse has traced, as its export gives them."), settings=(ACCOUNT, LABELS)
        ),
        Kind("openrouter", _("Daily use of an OpenRouter account, by model and host."), settings=(ACCOUNT,)),
        Kind(
            "anthropic_usage",
            _("What an Anthropic organization used, exported from its usage API."),
            settings=(ACCOUNT,),
        ),
        Kind(
            "assistant_seats",
            _("Seats of bought assistants, by team and month: a table of yours or GitHub Copilot's answers."),
            settings=(ACCOUNT,),
        ),
        Kind(
            "monthly_totals",
            _("A sheet of monthly sums: tokens and spend by model, hours of computers, seats."),
            settings=(ACCOUNT,),
        ),
        Kind("aws_cur2", _("The detailed bill of AWS: tokens, GPU hours, storage and network."), settings=_FOCUS),
        Kind("azure_cost", _("The detailed bill of Azure: meters, reservations, tags."), settings=_FOCUS),
        Kind("gcp_billing", _("The detailed bill of Google Cloud, exported to BigQuery."), settings=_FOCUS),
        Kind("aws_carbon", _("What AWS itself states as the emissions of your accounts."), settings=(_BASIS,)),
        Kind(
            "azure_carbon",
            _("What Microsoft itself states as the emissions of your subscriptions."),
            settings=(_BASIS,),
        ),
        Kind("gcp_carbon", _("What Google itself states as the emissions of your projects."), settings=(_BASIS,)),
    )
}


FORMATS: Final[dict[str, Text]] = {
    "otlp": _("OpenTelemetry (OTLP)"),
    "openai_usage": _("OpenAI usage export"),
    "anthropic_usage": _("Anthropic usage export"),
    "assistant_seats": _("Seats of assistants"),
    "monthly_totals": _("Monthly totals, typed in"),
    "langfuse": _("Langfuse observations"),
    "litellm": _("LiteLLM"),
    "openrouter": _("OpenRouter activity"),
    "codecarbon": _("CodeCarbon"),
    "codecarbon_http_output": _("CodeCarbon HTTP output"),
    "codecarbon_csv": _("CodeCarbon emissions.csv"),
    "focus": _("FOCUS billing export"),
    "aws_cur2": _("AWS Cost and Usage Report"),
    "aws_carbon": _("AWS carbon emissions"),
    "azure_cost": _("Azure cost details"),
    "azure_carbon": _("Azure carbon optimization report"),
    "gcp_billing": _("Google Cloud detailed usage cost"),
    "gcp_carbon": _("Google Cloud Carbon Footprint export"),
    "activity": _("Canonical records (JSON, Parquet, CSV, XLSX)"),
}
"""What each format is called, by its name in addresses and commands."""


def label_of(kind: str) -> str:
    """Call a format as people do; one without a name by its own."""
    return str(FORMATS.get(kind, kind))


def kind_of(name: str) -> Kind:
    """Give what is known of a format; one without an entry has the settings that all have, and those it may have."""
    return KINDS.get(name) or Kind(name, "", settings=(ACCOUNT, _BASIS, LABELS))


def kinds() -> list[Kind]:
    """List the formats that a source can be made of: those that are sent first, then those that come as files."""
    named = [*KINDS, *sorted(set(registry.SOURCES) - set(KINDS))]
    found = [kind_of(name) for name in named if name in registry.SOURCES]
    return sorted(found, key=lambda kind: not kind.pushed)


def settings_of(kind: str) -> tuple[Setting, ...]:
    """List all settings of a format, the defaults of attribution first."""
    about = kind_of(kind)
    return (*DEFAULTS, *about.settings, MAX_AGE, EXPECTED, *LIMITS)


def expected_every_h(kind: str, settings: Mapping[str, Any]) -> float:
    """Give the longest time between two arrivals that is no cause for an alert. [h]"""
    said = settings.get(EXPECTED_EVERY_H)
    if isinstance(said, int | float) and not isinstance(said, bool) and said > 0:
        return float(said)
    return PUSH_EVERY_H if kind_of(kind).pushed else FILE_EVERY_H
