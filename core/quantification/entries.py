"""What a catalog knows: models, hardware, instances and places, and how their names are spelled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from core.quantification.pack import Row

CLOUD_PROVIDERS: Final = {
    "amazon": "aws",
    "amazon-bedrock": "aws",
    "amazon_bedrock": "aws",
    "aws": "aws",
    "aws.bedrock": "aws",
    "bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure": "azure",
    "azure-openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "microsoft": "azure",
    "gcp": "gcp",
    "gcp.vertex_ai": "gcp",
    "google-cloud": "gcp",
    "google_vertex": "gcp",
    "vertex": "gcp",
    "vertex_ai": "gcp",
    "oci": "oci",
    "oracle": "oci",
    "ovh": "ovh",
    "ovhcloud": "ovh",
}
"""Provider slug to the provider of the cloud tables."""

API_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "gcp": "google_genai",
    "gcp.gemini": "google_genai",
    "gemini": "google_genai",
    "google": "google_genai",
    "google_genai": "google_genai",
    "hugging_face": "huggingface_hub",
    "huggingface": "huggingface_hub",
    "huggingface_hub": "huggingface_hub",
    "mistral": "mistralai",
    "mistral_ai": "mistralai",
    "mistralai": "mistralai",
    "openai": "openai",
}
"""Provider slug to the model vendor of the model tables."""


def cloud_of(provider: str | None) -> str | None:
    """
    Return the provider of the cloud tables; ``google`` is the cloud where machines are rented, else the model vendor.

    >>> cloud_of("google"), cloud_of("amazon-bedrock"), cloud_of("openai")
    ('gcp', 'aws', None)
    """
    slug = (provider or "").casefold()
    return "gcp" if slug == "google" else CLOUD_PROVIDERS.get(slug)


ACCELERATOR_KINDS: Final = frozenset({"gpu", "tpu", "accelerator", "superchip", "apu"})
WHOLE_INSTANCE: Final = "whole instance"

ISO3_WORLD: Final = "WLD"
ZONE_SEPARATOR: Final = "-"
EUROPEAN_UNION: Final = "EU27"


NOT_THE_CHIP: Final = frozenset({"amd", "gpu", "instinct", "intel", "nvidia", "tesla"})
"""Words before a chip's own name."""

FORM_OR_MEMORY: Final = re.compile(r"sxm\d?|pcie|nvl|oam|\d+gb|hbm\d?e?")
"""Words by which variants of one chip differ."""


@dataclass(frozen=True)
class Model:
    """
    A language model's size: billions of parameters as (low, high), equal where the vendor discloses them.

    ``matched_by``: how its name was recognised, one of `model_names.HOW`.
    """

    name: str
    vendor: str
    row: Row = field(repr=False)
    matched_by: str
    active_b: tuple[float, float]
    total_b: tuple[float, float]
    disclosed: bool
    output_tps: float | None
    ttft_s: float | None

    @cached_property
    def family(self) -> str:
        """Return the words before the first version number: items of one family share their method error."""
        return model_family(self.name)


@dataclass(frozen=True)
class Hardware:
    """
    An accelerator or CPU: watts, dense 16-bit rate and kind; None where the catalog does not know.

    ``assumed_variant``: the reported name fits several variants, of which this is the one with the highest power.
    """

    id: str
    name: str
    kind: str
    row: Row = field(repr=False)
    tdp_w: float | None
    idle_w: float | None
    peak_flop_per_s: float | None
    assumed_variant: bool = False

    @property
    def is_cpu(self) -> bool:
        """Say whether the CPU power curve holds for it."""
        return self.kind in {"cpu", "cpu_family"}

    @property
    def is_accelerator(self) -> bool:
        """Say whether it sits in a server as one of several accelerators."""
        return self.kind in ACCELERATOR_KINDS


@dataclass(frozen=True)
class Instance:
    """A cloud instance type: its rows, the one that gives power and shape first."""

    provider: str
    name: str
    rows: tuple[Row, ...] = field(repr=False)

    @property
    def row(self) -> Row:
        """Return the preferred row."""
        return self.rows[0]

    @cached_property
    def power_row(self) -> Row | None:
        """Return the first row that knows watts."""
        return next((row for row in self.rows if row["watts_100"]), None)

    @property
    def covers_whole_machine(self) -> bool:
        """Say whether the watts hold CPU, memory, accelerators and platform."""
        return self.power_row is not None and self.power_row["watts_boundary"].startswith(WHOLE_INSTANCE)

    def first(self, column: str) -> str:
        """Return a column of the first row that fills it, else an empty text."""
        return next((row[column] for row in self.rows if row[column]), "")


@dataclass(frozen=True)
class Place:
    """
    Where electricity was drawn.

    Attributes:
        cloud: provider of the cloud tables, or None.
        region: its region code as the catalog spells it, or None.
        zones: grid zones to try in turn, each with the match that it would be.
        notes: what is not known.
    """

    cloud: str | None
    region: str | None
    zones: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def number(text: str | None) -> float | None:
    """Return a table's number, None where the cell is empty."""
    return float(text) if text else None


def model_family(name: str) -> str:
    """
    Return the leading words of a model's name, before the first with a digit.

    >>> model_family("claude-sonnet-4-5-20250929"), model_family("meta-llama/Meta-Llama-3.1-8B"), model_family("o3")
    ('claude-sonnet', 'meta-llama', 'o3')
    """
    words = re.split(r"[-_ ]", name.rsplit("/", 1)[-1].casefold())
    leading = []
    for word in words:
        if any(character.isdigit() for character in word):
            break
        leading.append(word)
    return "-".join(leading) or words[0]
