"""Names that several wire formats share, brought to one spelling: providers, service tiers, attribution tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PROVIDERS: Final[Mapping[str, str]] = {
    "aws.bedrock": "aws",
    "bedrock": "aws",
    "amazon": "aws",
    "amazon web services": "aws",
    "amazon bedrock": "aws",
    "bedrock_converse": "aws",
    "sagemaker": "aws",
    "sagemaker_chat": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure_ai": "azure",
    "azure_text": "azure",
    "microsoft": "azure",
    "gcp.vertex_ai": "gcp",
    "gcp.gemini": "gcp",
    "gcp.gen_ai": "gcp",
    "vertex_ai": "gcp",
    "vertex_ai_beta": "gcp",
    "google vertex": "gcp",
    "google ai studio": "gcp",
    "gemini": "gcp",
    "google_genai": "gcp",
    "google": "gcp",
    "google cloud": "gcp",
    "oracle": "oci",
    "mistral_ai": "mistralai",
    "mistral": "mistralai",
    "x_ai": "xai",
    "moonshot_ai": "moonshotai",
    "ibm.watsonx.ai": "ibm",
    "huggingface_hub": "huggingface",
    "text-completion-openai": "openai",
    "cohere_chat": "cohere",
}
"""Provider names of conventions, gateways and bills -> slug. Others keep their own name as a slug."""

TIERS: Final[Mapping[str, str]] = {
    "default": "interactive",
    "auto": "interactive",
    "standard": "interactive",
    "on_demand": "interactive",
    "priority": "interactive",
    "scale": "interactive",
    "priority_on_demand": "interactive",
    "flex": "standard",
    "flex_discount": "standard",
    "batch": "batch",
}
"""Service tiers of providers -> canonical tier."""

_ATTRIBUTION: Final[Mapping[str, str]] = {
    "team": "team",
    "project": "project",
    "environment": "environment",
    "env": "environment",
    "costcenter": "cost_center",
    "application": "application",
    "app": "application",
}
_TAG_PREFIX: Final = re.compile(r"^(?:user:|user_|aws:|iamprincipal/|label_)+")


def provider_slug(name: str | None) -> str | None:
    """
    Give the slug of a provider as some source names it.

    >>> [provider_slug(name) for name in ("Amazon Web Services", "vertex_ai", "OpenAI", "My Host!", None)]
    ['aws', 'gcp', 'openai', 'my_host_', None]
    """
    if not name or not name.strip():
        return None
    lower = name.strip().lower()
    slug = PROVIDERS.get(lower) or re.sub(r"[^a-z0-9_.-]", "_", lower)[:64]
    return slug if slug[0].isalnum() else f"x{slug}"[:64]


def tier_of(service_tier: str | None) -> str | None:
    """Give the canonical tier of a provider's service tier; None for one that the table does not know."""
    return TIERS.get(service_tier.strip().lower()) if service_tier else None


def attribution_of(tags: Mapping[str, object]) -> dict[str, str]:
    """
    Find team, project, environment, application and cost_center among tags, whatever their case, spaces and prefixes.

    >>> attribution_of({"user:Team": "search", "CostCenter": "4711", "Env ": "prod", "owner": "x"})
    {'team': 'search', 'cost_center': '4711', 'environment': 'prod'}
    """
    found: dict[str, str] = {}
    for key, value in tags.items():
        plain = _TAG_PREFIX.sub("", re.sub(r"\s+", "", key.lower()))
        column = _ATTRIBUTION.get(plain.replace("_", "").replace("-", ""))
        if column is not None and column not in found and isinstance(value, str) and value.strip():
            found[column] = value.strip()[:200]
    return found
