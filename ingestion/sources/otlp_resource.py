"""
What spans and metrics of OpenTelemetry say alike: who calls, which model where, and when.

Attributes are tried in the current spelling first, then in older ones (semantic conventions up to 1.36) and those of other
instrumentations.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from ingestion.sources.base import Context, limit_labels
from ingestion.sources.otlp_wire import Value
from ingestion.sources.vocabulary import provider_slug, tier_of

PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system")
OPERATION: Final = ("gen_ai.operation.name", "llm.request.type")
MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
TIER: Final = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
FAILURE: Final = "error.type"
SERVER: Final = "server.address"

OWN: Final = tuple(f"wattledger.{name}" for name in ("team", "project", "application", "task", "environment"))
"""Attributes that name attribution for us, on the span, the data point or its resource; the resource's go last."""

TEAM: Final = ("wattledger.team", "team", "service.namespace", "k8s.namespace.name")
PROJECT: Final = ("wattledger.project", "project", "service.name")
ENVIRONMENT: Final = ("wattledger.environment", "deployment.environment.name", "deployment.environment")
RESOURCE_LABELS: Final = (
    "service.name",
    "service.namespace",
    "service.version",
    "k8s.namespace.name",
    "cloud.account.id",
)

COUNTED: Final = frozenset({"chat", "text_completion", "completion", "generate_content", "embeddings"})
"""Operations that are one call of a model; all others repeat such calls or have none."""

REGION_IN_ADDRESS: Final = (
    re.compile(r"^bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$"),
    re.compile(r"^(?P<region>[a-z]+-[a-z]+\d+)-aiplatform\.googleapis\.com$"),
)

API_VENDORS: Final = frozenset(
    "openai anthropic cohere deepseek groq perplexity aws azure gcp mistralai xai moonshotai ibm".split()  # noqa: SIM905
)
"""A private server address in front of one of these is a gateway; in front of anything else it is an own server."""

SERVER_FAULT: Final = "unknown_service"  # what an SDK writes as service.name when nobody named it

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def about_resource(resource: Mapping[str, Value], context: Context) -> dict[str, Any]:
    """Read once per resource what all its spans or data points share; `labels` are still to be completed."""
    named = {
        key: value
        for key, value in resource.items()
        if not (key == "service.name" and str(value).startswith(SERVER_FAULT))
    }
    extra = context.setting.get("labels")
    wanted = (*RESOURCE_LABELS, *(extra if isinstance(extra, list | tuple) else ()))
    labels: dict[str, object] = {key: named[key] for key in wanted if key in named}
    if "cloud.region" in named:
        labels["caller_region"] = named["cloud.region"]
    account = context.setting.get("account")
    return {
        "team": text(named, TEAM),
        "project": text(named, PROJECT),
        "environment": text(named, ENVIRONMENT),
        "application": text(named, ("wattledger.application",)),
        "task": text(named, ("wattledger.task",)),
        "account": account if isinstance(account, str) else text(named, ("service.name",)),
        "labels": limit_labels(labels),
    }


def about_call(
    attributes: Mapping[str, Value], resource: Mapping[str, Value], about: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """Give the dimensions of a call of a model, all but its labels."""
    provider = provider_slug(text(attributes, PROVIDER))
    return {
        **{name: about[name] for name in ("team", "project", "environment", "application", "task", "account")},
        **{key.removeprefix("wattledger."): str(attributes[key])[:200] for key in OWN if key in attributes},
        "evidence": "modelled",
        **place(provider, text(attributes, (SERVER,)), resource, context),
        "model": text(attributes, MODEL),
        "tier": tier_of(text(attributes, TIER)),
    }


def place(
    provider: str | None, address: str | None, resource: Mapping[str, Value], context: Context
) -> dict[str, str | None]:
    """
    Say who runs the hardware and where. The resource's cloud.region is the caller's place; it is the server's only for a
    server of the organization's own: one that the setting `own_servers` lists, or a private address that does not stand
    in front of an API vendor.
    """
    own = context.setting.get("own_servers")
    listed = isinstance(own, list | tuple) and address in own
    if listed or (address is not None and provider not in API_VENDORS and is_private(address)):
        return own_place(resource)
    return {"hosting": "api", "provider": provider, "region": region_of(address) if address else None}


def own_place(resource: Mapping[str, Value]) -> dict[str, str | None]:
    """Say where a server of the organization's own stands: in the cloud that its resource names, else in its own rooms."""
    cloud = provider_slug(text(resource, ("cloud.provider",)))
    return {"hosting": "cloud" if cloud else "owned", "provider": cloud, "region": text(resource, ("cloud.region",))}


@lru_cache(maxsize=1024)
def region_of(address: str) -> str | None:
    """
    Find the region in a server's name.

    >>> region_of("bedrock-runtime.us-east-1.amazonaws.com"), region_of("europe-west4-aiplatform.googleapis.com")
    ('us-east-1', 'europe-west4')
    """
    for pattern in REGION_IN_ADDRESS:
        if found := pattern.match(address.lower()):
            return found["region"]
    return None


@lru_cache(maxsize=1024)
def is_private(address: str) -> bool:
    """
    Tell whether a server's address or name is only reachable inside the organization.

    >>> [is_private(address) for address in ("10.1.2.3", "vllm", "llm.svc.cluster.local", "8.8.8.8", "api.openai.com")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(address.strip("[]")).is_private
    except ValueError:
        return "." not in address or address.lower().endswith((".local", ".internal", ".lan", ".cluster.local"))


def time_of(nanoseconds: int) -> datetime:
    """Give the time of nanoseconds since 1970, to the microsecond."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def text(attributes: Mapping[str, Value], keys: tuple[str, ...]) -> str | None:
    """Give the first of the attributes that is there, as text; empty is absent."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return str(value)[:200]
    return None
