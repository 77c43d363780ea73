"""Names of models as vendors, clouds and gateways write them, and the model that the vendor's own documentation means."""

from __future__ import annotations

import pytest

from core.quantification.matching import match_name
from core.quantification.model_names import HOW
from core.quantification.resolve import catalog_of

# OpenAI, platform.openai.com/docs/models and /guides/fine-tuning; Anthropic, docs.anthropic.com "Model names" with the ids of
# the API, Amazon Bedrock and Vertex AI; Azure, learn.microsoft.com "Azure OpenAI models"; Google, ai.google.dev "Gemini models".
KNOWN = [
    ("gpt-4o", "gpt-4o", "name"),
    ("gpt-4o-mini", "gpt-4o-mini", "name"),
    ("GPT-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18", "name"),
    ("openai/gpt-4o", "gpt-4o", "pattern"),
    ("openrouter/openai/gpt-4o-mini", "gpt-4o-mini", "pattern"),
    ("azure/gpt-4o-mini", "gpt-4o-mini", "alias"),
    ("azure/eu/gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "alias"),
    ("gpt-35-turbo", "gpt-3.5-turbo", "alias"),
    ("gpt-4o-0513", "gpt-4o-2024-05-13", "version"),
    ("gpt 4o 0806", "gpt-4o-2024-08-06", "version"),
    ("gpt 4.1 mini", "gpt-4.1-mini", "spelling"),
    ("GPT 4o mini", "gpt-4o-mini", "spelling"),
    ("ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini-2024-07-18", "fine_tuned"),
    ("ft:gpt-3.5-turbo-0125:acme:tickets:9aBcDeFg", "gpt-3.5-turbo-0125", "fine_tuned"),
    ("gpt-4o-mini-2024-07-18.ft-0e208cf33a6a466994aff31a08aba678", "gpt-4o-mini-2024-07-18", "fine_tuned"),
    ("claude-3-haiku-20240307", "claude-3-haiku-20240307", "name"),
    ("claude-3-haiku", "claude-3-haiku-20240307", "version"),
    ("claude-3-5-haiku", "claude-3-5-haiku-20241022", "version"),
    ("claude-3-5-haiku@20241022", "claude-3-5-haiku-20241022", "version"),
    ("publishers/anthropic/models/claude-3-5-haiku", "claude-3-5-haiku-20241022", "version"),
    ("vertex_ai/claude-3-5-sonnet@20240620", "claude-3-5-sonnet-20240620", "version"),
    ("vertex_ai/claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022", None),
    ("anthropic.claude-3-5-haiku-20241022-v1:0", "claude-3-5-haiku-20241022", "alias"),
    ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022", "alias"),
    ("anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet-20240620", None),
    ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001", "alias"),
    (
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        "claude-3-haiku-20240307",
        "pattern",
    ),
    ("claude-opus-4-1", "claude-opus-4-1-20250805", "version"),
    ("Claude4.6Sonnet", "claude-sonnet-4-6", "spelling"),
    ("meta.llama3-8b-instruct-v1:0", "meta-llama/Meta-Llama-3-8B-Instruct", "spelling"),
    ("meta.llama3-1-70b-instruct-v1:0", "meta-llama/Meta-Llama-3.1-70B-Instruct", "spelling"),
    ("mistral.mixtral-8x7b-instruct-v0:1", "mistralai/Mixtral-8x7B-Instruct-v0.1", "spelling"),
    ("models/gemini-2.5-flash", "gemini-2.5-flash", "pattern"),
    ("gemini-2.5-flash-lite", "gemini-2.5-flash-lite", "name"),
]

# Neighbours that are other models, and names that are none: nothing of these is in the shipped catalog.
UNKNOWN = [
    "4o-mini",  # o4-mini has the same letters and digits
    "gpt-o4-mini",
    "gpt-4-32k",
    "gpt-4.5-preview",
    "gpt-4o-transcribe",
    "o1-pro",
    "o3-deep-research",
    "azure/eu/o1-preview",  # a listed alias of o1, which is the later release
    "gemini-1.5-flash-8b",
    "gemini-3-pro-preview",  # the release has no row, its image model has
    "llama-3.3-70b-versatile",
    "llama3.1",
    "command-r-v2:0",
    "Llama-2-7b-v2",
    "mistral.mistral-7b-instruct-v0:4",
    "ft:in-house-base:acme::id",
    "my-gpt-4o-clone",
    "text-embedding-3-small",
    "gpt",
    "claude",
    "claude-2.1",
    "mini",
]


@pytest.fixture(scope="module")
def catalog(pack):
    return catalog_of(pack)


@pytest.mark.parametrize(("reported", "expected", "how"), KNOWN)
def test_names_of_vendors_and_clouds_mean_their_model(reported, expected, how, catalog):
    found = catalog.model(reported)

    assert found is not None
    assert found.name == expected
    assert how in {None, found.matched_by}


@pytest.mark.parametrize("reported", UNKNOWN)
def test_neighbours_are_not_taken_for_each_other(reported, catalog):
    assert catalog.model(reported) is None


def test_a_snapshot_that_is_not_listed_is_a_guess(catalog):
    found = catalog.model("gpt-4o-2031-01-31")

    assert (found.name, found.matched_by) == ("gpt-4o", "snapshot")
    assert match_name(catalog, "model", "gpt-4o-2031-01-31").confidence == "guess"


def test_no_alias_of_the_catalog_leads_to_another_date_or_size(pack, catalog):
    sizes = {"mini", "nano", "micro", "lite", "flash", "pro", "haiku", "sonnet", "opus", "small", "medium", "large"}
    aliases = [row["alias"] for row in pack.rows("model_aliases")]
    wrong = []

    for alias in aliases:
        found = catalog.model(alias)
        if found is not None and sizes & set(_words(alias)) != sizes & set(_words(found.name)):
            wrong.append((alias, found.name))

    assert len(aliases) > 1_000
    assert wrong == []


def _words(name: str) -> list[str]:
    return name.casefold().replace("/", "-").replace(".", "-").replace("@", "-").split("-")


def test_fine_tuned_models_count_like_their_base_and_say_so(one):
    request = {"stage": "inference", "hosting": "api", "evidence": "modelled", "provider": "openai"}
    amounts = {"requests": 1, "output_tokens": 500, "input_tokens": 100}

    tuned = one(model="ft:gpt-4o-mini-2024-07-18:acme::id", **request, **amounts)
    base = one(model="gpt-4o-mini-2024-07-18", **request, **amounts)

    assert tuned["energy_it_kwh"] == base["energy_it_kwh"]
    assert "fine_tuned_model" in tuned.plan.notes
    assert "fine_tuned_model" not in base.plan.notes


@pytest.mark.parametrize(
    ("kind", "name", "provider", "matched_to", "confidence"),
    [
        ("hardware", "NVIDIA H100 80GB HBM3", None, "nvidia-h100-sxm5-80gb", "exact"),
        ("hardware", "H100", None, "nvidia-h100-sxm5-80gb", "guess"),
        ("hardware", "RTX 6000", None, None, "none"),  # three generations of cards have this name
        ("hardware", "RTX", None, None, "none"),
        ("hardware", "TPU", None, None, "none"),
        ("hardware", "Radeon Pro", None, None, "none"),
        ("instance_type", "ml.P5.48xlarge", "aws", "p5.48xlarge", "exact"),
        ("instance_type", "p5.49xlarge", "aws", None, "none"),
        ("region", "eu-west-1", "aws", "eu-west-1", "exact"),
        ("region", "us-east-1a", "aws", "us-east-1", "sure"),
        ("region", "East US", "azure", "eastus", "sure"),
        ("region", "mars-north-1", "aws", None, "none"),
        ("zone", "DE", None, "DE", "exact"),
        ("zone", "DEU", None, "DE", "sure"),
        ("zone", "XX-NOWHERE", None, None, "none"),
    ],
)
def test_matches_say_how_sure_they_are(kind, name, provider, matched_to, confidence, catalog):
    match = match_name(catalog, kind, name, provider=provider)

    assert (match.matched_to, match.confidence) == (matched_to, confidence)


def test_every_way_of_recognising_has_its_confidence():
    from core.quantification.matching import CONFIDENCE

    assert set(HOW) <= set(CONFIDENCE)
    assert set(CONFIDENCE.values()) == {"exact", "sure", "guess", "none"}
