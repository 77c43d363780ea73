"""The rule table: every line can be reached, and meters as providers write them land where they belong."""

from __future__ import annotations

import doctest

import pytest

from ingestion.sources import ai_services, bill_columns, bill_meaning, bill_records, bill_tags, meters

METERS = [
    # AWS (usage types, SKU meters, price descriptions)
    ("aws", "Amazon Bedrock", "EUW1-NovaPro-input-tokens", "", "bedrock-input"),
    ("aws", "Amazon Bedrock", "EUW1-NovaPro-output-tokens", "", "bedrock-output"),
    ("aws", "Amazon Bedrock", "EUW1-NovaPro-cache-read-input-token-count", "", "bedrock-cache-read"),
    ("aws", "Amazon Bedrock", "EUW1-NovaPro-cache-write-input-token-count", "", "bedrock-cache-write"),
    ("aws", "Amazon Bedrock", "USE1-Claude4.6Sonnet-output-tokens-batch", "", "bedrock-output"),
    ("aws", "Amazon Bedrock", "USE1-NovaPro-ProvisionedThroughput-ModelUnits", "", "bedrock-model-units"),
    ("aws", "Amazon Bedrock", "USE1-NovaLite-customization-training", "", "bedrock-customization"),
    ("aws", "Amazon Bedrock", "USE1-NovaLite-rft-training", "", "bedrock-customization"),
    ("aws", "Amazon Bedrock", "USE1-NovaLite-customization-storage", "", "bedrock-side-services"),
    ("aws", "Amazon Bedrock", "USE1-Guardrail-ContentPolicyUnitsConsumed", "", "bedrock-side-services"),
    ("aws", "Amazon Bedrock", "USE1-NovaCanvas-T2I-1024-Standard-image", "", "bedrock-media"),
    ("aws", "Amazon Bedrock", "USE1-NovaSonic-speech-input-tokens", "", "bedrock-input"),
    (
        "aws",
        "Amazon Bedrock Service",
        "USE1-Nova2.0Pro-input-image-token-count-cross-region-global",
        "",
        "bedrock-input",
    ),
    (
        "aws",
        "Amazon Bedrock",
        "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard",
        "",
        "bedrock-cache-write",
    ),
    ("aws", "Amazon Bedrock", "USE1-Something-new", "", "bedrock-other"),
    (
        "aws",
        "Claude Sonnet 4 (Amazon Bedrock Edition)",
        "AWS Marketplace hourly software usage|us-east-1|Million Input Tokens | Units",
        "",
        "bedrock-input",
    ),
    ("aws", "Amazon SageMaker", "EUW1-Train:ml.g5.12xlarge", "g5.12xlarge", "sagemaker-training"),
    ("aws", "Amazon SageMaker", "USE1-Host:ml.g5.xlarge", "g5.xlarge", "sagemaker-hosting"),
    ("aws", "Amazon SageMaker", "USE1-Notebk:ml.t3.medium", "t3.medium", "sagemaker-notebook"),
    ("aws", "Amazon SageMaker", "USE1-Processing:ml.m5.large", "m5.large", "sagemaker-processing"),
    ("aws", "Amazon SageMaker", "USE1-Tsform:ml.m5.large", "m5.large", "sagemaker-transform"),
    ("aws", "Amazon SageMaker", "USE1-New:ml.m5.large", "m5.large", "sagemaker-machine"),
    ("aws", "Amazon SageMaker", "USE1-Notebk:VolumeUsage.gp2", "", "sagemaker-surroundings"),
    ("aws", "Amazon SageMaker", "USE1-Unheard-of", "", "sagemaker-other"),
    ("aws", "Amazon Elastic Compute Cloud", "USE1-BoxUsage:p4d.24xlarge", "p4d.24xlarge", "ec2-accelerator"),
    ("aws", "Amazon Elastic Compute Cloud", "USE1-UnusedBox:p4d.24xlarge", "p4d.24xlarge", "ec2-accelerator-unused"),
    ("aws", "Amazon Elastic Compute Cloud", "EBSOptimized:p3.8xlarge", "p3.8xlarge", "ec2-not-the-machine"),
    ("aws", "Amazon Elastic Compute Cloud", "BoxUsage:m5.large", "m5.large", "ec2-plain"),
    ("aws", "Amazon Elastic Compute Cloud", "$0.000 per GB - data transfer in per month", "", "ec2-not-the-machine"),
    ("aws", "Amazon Comprehend", "DetectSentiment", "", "aws-managed-ai"),
    ("aws", "Amazon Simple Storage Service", "TimedStorage-ByteHrs", "", "everything-else"),
    # Azure (meter names)
    ("azure", "Azure OpenAI", "gpt 4.1 mini Inp glbl Tokens", "", "azure-input"),
    ("azure", "Cognitive Services", "gpt-4o-0513 Inp glbl Tokens", "", "azure-input"),
    ("azure", "Foundry Models", "GPT 5 Mini Inpt Glbl 1M Tokens", "", "azure-input"),
    ("azure", "Foundry Models", "GPT 5 Mini outpt Glbl 1M Tokens", "", "azure-output"),
    ("azure", "Azure OpenAI", "gpt 4.1 Outp regnl Tokens", "", "azure-output"),
    ("azure", "Azure OpenAI", "gpt 4.1 Opt Data Zone Tokens", "", "azure-output"),
    ("azure", "Azure OpenAI", "gpt 4.1 mini cached Inp glbl Tokens", "", "azure-cached-input"),
    ("azure", "Azure OpenAI", "GPT 5 Cd Inp glbl 1M Tokens", "", "azure-cached-input"),
    ("azure", "Foundry Models", "5.6 sol ShortCo Cd Inp Std Gl 1M Tokens", "", "azure-cached-input"),
    ("azure", "Foundry Models", "V4 Pro cached DZ Tokens", "", "azure-cached-input"),
    ("azure", "Foundry Models", "5.6 sol LongCo Cd Wr Std Gl 1M Tokens", "", "azure-cache-write"),
    ("azure", "Foundry Models", "GPT 5.1 opt Gl 1M Tokens", "", "azure-output"),
    ("azure", "Foundry Models", "gpt 4.1 BatchOutp glbl Tokens", "", "azure-output"),
    ("azure", "Foundry Models", "gpt realtime txt in glbl Tokens", "", "azure-input"),
    ("azure", "Azure OpenAI", "Provisioned Managed Global Unit", "", "azure-provisioned"),
    ("azure", "Azure OpenAI", "gpt-4o-mini FTuned training Tokens", "", "azure-fine-tuning"),
    ("azure", "Azure OpenAI", "gpt-4o-mini FTuned Inp Tokens", "", "azure-input"),
    ("azure", "Azure OpenAI", "gpt-35-turbo FT training Unit | Hours", "", "azure-training-hours"),
    ("azure", "Azure OpenAI", "gpt-4o-mini FTuned hosting Unit", "", "azure-hosting"),
    ("azure", "Azure OpenAI", "text embedding 3 large glbl Tokens", "", "azure-embedding"),
    ("azure", "Azure OpenAI", "Dall-E-3 Standard Images", "", "azure-media"),
    ("azure", "Azure AI services", "Something new", "", "azure-other"),
    ("azure", "Azure AI Search", "Basic Unit", "", "search-index"),
    ("azure", "Azure Machine Learning", "NC40ads H100 v5", "Standard_NC40ads_H100_v5", "azure-ml-machine"),
    ("azure", "Azure Machine Learning", "IP Addresses - Standard IPv4 Static Public IP", "", "azure-ml-surroundings"),
    ("azure", "Azure Machine Learning", "Something new", "", "azure-ml-other"),
    ("azure", "Virtual Machines Licenses", "NC40ads H100 v5", "Standard_NC40ads_H100_v5", "azure-licence"),
    ("azure", "Virtual Machines", "ND96isr H100 v5", "Standard_ND96isr_H100_v5", "azure-accelerator"),
    ("azure", "Virtual Machines", "D4s v5", "Standard_D4s_v5", "azure-plain"),
    # Google Cloud (SKU descriptions)
    ("gcp", "Vertex AI", "Gemini 2.5 Flash GA Text Input - Predictions", "", "vertex-input"),
    ("gcp", "Vertex AI", "Gemini 2.5 Flash GA Text Output (Thinking On) - Predictions", "", "vertex-output"),
    ("gcp", "Vertex AI", "Gemini 2.5 Pro Text Input Caching - Predictions", "", "vertex-cached-input"),
    ("gcp", "Vertex AI", "Gemini 2.5 Pro Caching Storage", "", "vertex-cache-storage"),
    ("gcp", "Vertex AI", "Gemini 2.5 Flash Tuning training tokens", "", "vertex-tuning"),
    ("gcp", "Vertex AI", "Gemini 2.5 Flash GA Input Text Caching", "", "vertex-cached-input"),
    ("gcp", "Vertex AI", "Gemini 3.6 Flash Image Input Caching Storage", "", "vertex-cache-storage"),
    ("gcp", "Vertex AI", "Vertex AI: Provisioned Throughput 1 month", "", "vertex-provisioned"),
    ("gcp", "Vertex AI", "Web Grounding for Enterprise", "", "vertex-grounding"),
    ("gcp", "Vertex AI", "Imagen 4 Generation", "", "vertex-media"),
    ("gcp", "Vertex AI", "Nvidia Tesla T4 GPU running in Belgium for Vertex AI Training", "", "vertex-gpu"),
    ("gcp", "Vertex AI", "TpuV5e Training", "", "vertex-tpu"),
    ("gcp", "Vertex AI", "Custom Training N1 Predefined Instance Core", "", "vertex-host-parts"),
    ("gcp", "Vertex AI", "Something new", "", "vertex-other"),
    ("gcp", "Gemini API", "Generate content input token count", "", "vertex-input"),
    ("gcp", "Compute Engine", "Nvidia H100 80GB GPU attached to Spot Preemptible VMs", "", "gce-gpu"),
    ("gcp", "Compute Engine", "Commitment v1: Nvidia H100 80GB GPU running in Belgium", "", "gcp-commitment"),
    ("gcp", "Compute Engine", "Commitment v1: N2 Cpu in Belgium", "", "gcp-commitment-plain"),
    ("gcp", "Compute Engine", "A3 Instance Core running in europe-west4", "", "gce-accelerator-host"),
    ("gcp", "Compute Engine", "N2 Instance Core running in europe-west4", "", "gce-plain"),
    ("gcp", "Compute Engine", "Licensing Fee for Deep Learning VM", "", "gcp-licence"),
    ("gcp", "Compute Engine", "a3 high usage", "a3-highgpu-8g", "gce-accelerator"),
    ("gcp", "Cloud TPU", "Tpu v5p chip hours", "", "gce-tpu"),
    ("gcp", "Cloud TPU", "Something new", "", "cloud-tpu-other"),
    # Oracle, model vendors, marketplaces
    ("oci", "COMPUTE", "Oracle Cloud Infrastructure - Compute - GPU - H100", "", "oci-gpu"),
    ("oci", "COMPUTE", "Bare metal hours", "BM.GPU.H100.8", "oci-accelerator"),
    ("oci", "COMPUTE", "Standard - E5 | OCPU Hours", "", "oci-plain"),
    ("oci", "GENERATIVE_AI", "Large Cohere transactions | 10000 Tokens", "", "oci-generative-ai"),
    ("other", "Bare metal", "node hours", "h100.8+gpu", "any-accelerator"),
    ("ibm", "watsonx | AI and Machine Learning", "Data Processed", "", "any-surroundings"),
    ("ibm", "watsonx | AI and Machine Learning", "Resource units", "", "any-ai-other"),
    ("azure", "GitHub Copilot", "Business user", "", "assistants"),
    ("openai", "API", "gpt-5 input tokens", "", "vendor-input"),
    ("anthropic", "API", "claude output tokens", "", "vendor-output"),
    ("anthropic", "API", "claude cache read tokens", "", "vendor-cached-input"),
    ("mistralai", "API", "Something new", "", "vendor-other"),
    ("azure", "SaaS", "Mistral Large 2411 - input tokens", "", "any-input-tokens"),
    ("azure", "SaaS", "Mistral Large 2411 - output tokens", "", "any-output-tokens"),
    ("azure", "SaaS", "Mistral Large 2411 - cached input tokens", "", "any-cached-tokens"),
]


@pytest.mark.parametrize(("provider", "service", "meter", "instance", "rule"), METERS)
def test_meter_lands_at_its_rule(provider: str, service: str, meter: str, instance: str, rule: str) -> None:
    assert ai_services.classify(provider=provider, service=service, meter=meter, instance=instance).name == rule


def test_every_rule_has_a_meter_that_reaches_it() -> None:
    assert {rule.name for rule in ai_services.rules()} == {case[4] for case in METERS}


def test_the_table_is_fit_for_reading() -> None:
    table = ai_services.rule_table()

    assert table["rule"].is_unique
    assert table["reason"].str.len().min() > 10
    assert set(table["class"]) == set(ai_services.CLASSES)
    assert set(table["hosting"]) == {"api", "cloud", ""}


ACCELERATED = {
    "aws": (
        "dl1.24xlarge g4ad.xlarge g4dn.metal g5.48xlarge g5g.metal g6e.12xlarge g6f.large g7e.8xlarge gr6.4xlarge gr6f.4xlarge"
        " inf1.24xlarge inf2.xlarge p2.xlarge p3dn.24xlarge p4de.24xlarge p5en.48xlarge p6-b200.48xlarge p6e-gb200.36xlarge"
        " trn1n.32xlarge trn2.48xlarge"
    ),
    "azure": (
        "Standard_NC12_Promo Standard_NC16as_T4_v3 Standard_NC24ads_A100_v4 Standard_ND40rs_v2 Standard_ND96amsr_A100_v4"
        " Standard_ND96isr_MI300X_v5 Standard_NV12s_v3 Standard_NV4AS_v4"
    ),
    "gcp": "a2-megagpu-16g a2-ultragpu-8g a3-megagpu-8g a4-highgpu-8g ct5lp-hightpu-8t ct6e-standard-8t g2-standard-96",
    "oci": "BM.GPU.A100-v2.8 BM.GPU4.8 VM.GPU.A10.2 BM.GPU.MI300X.8",
}
PLAIN = {
    "aws": "m5.large c7gn.16xlarge t3.micro r6i.metal x2idn.32xlarge i4i.large",
    "azure": "Standard_D4s_v5 Standard_E8_v3 Standard_M128s",
    "gcp": "n2-standard-8 c2-standard-60 e2-micro g1-small",
    "oci": "VM.Standard.E5.Flex",
}
SERVICES = {
    "aws": "Amazon Elastic Compute Cloud",
    "azure": "Virtual Machines",
    "gcp": "Compute Engine",
    "oci": "Compute",
}


@pytest.mark.parametrize(("types", "classification"), [(ACCELERATED, "ai"), (PLAIN, "supporting")])
def test_machine_types_with_accelerators_are_known(types: dict[str, str], classification: str) -> None:
    for provider, names in types.items():
        for name in names.split():
            rule = ai_services.classify(
                provider=provider, service=SERVICES[provider], meter="instance | ocpu hours", instance=name
            )
            assert rule.classification == classification, name


@pytest.mark.parametrize(
    ("texts", "provider", "model"),
    [
        (["Input Tokens", "EUW1-Claude4.6Sonnet-input-tokens"], "aws", "Claude4.6Sonnet"),
        (["USE1-mantle-gpt-oss-120b-input-tokens-flex"], "aws", "gpt-oss-120b"),
        (["USE1-Llama3-1-70B-Instruct-output-tokens"], "aws", "Llama3-1-70B-Instruct"),
        (
            ["USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard"],
            "aws",
            "anthropic.claude-opus-4-8",
        ),
        (["GPT-OSS-Safeguard-20B-input-tokens-priority"], "aws", "GPT-OSS-Safeguard-20B"),
        (["USE1-output-tokens-cross-region-global"], "aws", None),
        (["$0.003 per 1K input tokens"], "aws", None),
        (["correction of invoiced usage"], "aws", None),
        (["gpt-4o-0513 Inp glbl Tokens"], "azure", "gpt-4o-0513"),
        (["Azure OpenAI - gpt 4.1 mini cached Inp glbl Tokens"], "azure", "gpt 4.1 mini"),
        (["text embedding 3 large glbl Tokens"], "azure", "text embedding 3 large"),
        (["Gemini 2.5 Flash GA Thinking Text Output - Predictions"], "gcp", "Gemini 2.5 Flash"),
        (["Gemini 3.7 Flash Global Text Input - Predictions"], "gcp", "Gemini 3.7 Flash"),
        (["Gemini 2.5 Flash Lite Text Input - Predictions"], "gcp", "Gemini 2.5 Flash Lite"),
        (["mistral-large-2411 input tokens"], "mistralai", "mistral-large-2411"),
    ],
)
def test_model_is_what_stands_before_the_direction(texts: list[str], provider: str, model: str | None) -> None:
    assert meters.read_token_meter(provider, "", texts).model == model


@pytest.mark.parametrize(
    ("text", "family", "model"),
    [
        ("5.3 codex cd inp Gl 1M Tokens", "Azure OpenAI GPT5", "gpt 5.3 codex"),
        ("V4 Pro Outp glbl Tokens", "Azure Deepseek Models", "DeepSeek V4 Pro"),
        ("4.3 Inp Glbl Tokens", "Azure Grok Models", "Grok 4.3"),
        ("gpt-oss-120B Inp glbl Tokens", "Azure OpenAI OSS Models", "gpt-oss-120B"),
        ("4.3 Inp Glbl Tokens", None, "4.3"),
    ],
)
def test_bare_versions_of_azure_take_the_name_of_their_family(text: str, family: str | None, model: str) -> None:
    assert meters.read_token_meter("azure", "Foundry Models", [text], family).model == model


def test_marketplace_model_is_the_product() -> None:
    service = "Claude Sonnet 4 (Amazon Bedrock Edition)"
    texts = ["AWS Marketplace hourly software usage|us-east-1|Million Input Tokens"]

    assert meters.read_token_meter("aws", service, texts).model == "Claude Sonnet 4"
    assert meters.token_scale("Units", texts[0]) == 1_000_000


def test_characters_are_a_quarter_of_a_token_each() -> None:
    assert meters.token_scale("count", "PaLM 2 Text Input Characters") == 0.25


@pytest.mark.parametrize("module", [ai_services, bill_columns, bill_meaning, bill_records, bill_tags, meters])
def test_examples_in_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]  # a module, whatever its type says
