"""The methodology pages are true: their examples run, every page has its parts and is listed, links lead somewhere."""

from __future__ import annotations

import doctest
import re

import pytest

from core.quantification import notes
from core.quantification.methods import LATEST, methodology_of
from reporting.handbook import contents, examples, rendering, terms
from tests.reporting.handbook import worked

FILES = sorted(path.stem for path in contents.FOLDER.glob("*.md"))
NO_FORMULA = {contents.README, "published-cases"}
FORMULAS = [name for name in FILES if name not in NO_FORMULA]
PARTS = ["Formula", "Where the numbers come from", "Worked example", "Limits"]
BLOCK = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name: str, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(contents.text_of(name)) if found == kind]


def page(name: str) -> rendering.Page:
    return rendering.rendered(name, "/{}/".format)


@pytest.mark.parametrize("name", FORMULAS)
def test_worked_example_is_what_the_engine_gives(name):
    results = []
    for block in blocks(name, examples.KIND):
        results += list(worked.run(examples.parse_example(block)))

    assert results
    assert [(step, got) for step, got in results if not worked.agrees(got, step.expected)] == []


@pytest.mark.parametrize("name", FORMULAS)
def test_worked_example_prints_the_unit_that_the_engine_names(name):
    steps = [step for block in blocks(name, examples.KIND) for step in examples.parse_example(block).steps]
    numbers = [step for step in steps if worked.unit_of(step)]

    assert [
        step for step in numbers if worked.said_units(step) and worked.unit_of(step) not in worked.said_units(step)
    ] == []


@pytest.mark.parametrize(
    ("got", "printed"),
    [
        (16.26, "16.2 kWh"),
        (16.2, "16.20001 kWh"),
        (None, "0 kWh"),
        (0.0, "null"),
        (1, "yes"),
        (True, "no"),
        ("tokens", "device"),
        (["counted"], "cross_check"),
        (2.0816e-05, "2.0811e-05 kWh"),
    ],
)
def test_another_value_is_seen(got, printed):
    assert not worked.agrees(got, printed)


@pytest.mark.parametrize(
    ("got", "printed"),
    [
        (8.3333, "8.333 kWh"),
        (592_570_000.0, "592570000 requests"),
        (["a", "b"], "a, b"),
        (0.3725, "0.3725"),
        ("3.3", "3.3"),
    ],
)
def test_the_same_value_agrees(got, printed):
    assert worked.agrees(got, printed)


@pytest.mark.parametrize("module", [contents, examples, rendering, terms], ids=lambda module: module.__name__)
def test_examples_in_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("block", ["", "1 + 1 -> 2", "half = 1 / 2\nfrom: hand calculation"])
def test_block_that_proves_nothing_is_refused(block):
    with pytest.raises(examples.BadExample):
        examples.parse_example(block + "\n")


@pytest.mark.parametrize("name", FORMULAS)
def test_page_has_its_parts_in_order(name):
    assert [heading for _, heading in page(name).sections if heading != "Agreement with other tools"] == PARTS
    assert blocks(name, "formula") or name == "scopes"
    assert page(name).html.startswith("<p>")  # what it answers goes before everything


def test_contents_list_every_page_by_its_title():
    listed = contents.entries()

    assert len(listed) > 25
    assert sorted(listed) == [name for name in FILES if name != contents.README]
    assert {name: entry.title for name, entry in listed.items()} == {name: page(name).title for name in listed}
    assert [entry.line for entry in listed.values() if not entry.line.endswith(".")] == []


def test_spreads_are_those_of_the_version_in_use():
    printed = {}
    for row in re.findall(r"^\| (`.+`) \|.*\| ([\d., ]+) \|$", contents.text_of("uncertainty"), re.MULTILINE):
        names, values = re.findall(r"`(\w+)`", row[0]), [float(value) for value in row[1].split(", ")]
        printed |= dict(zip(names, values * len(names) if len(values) == 1 else values, strict=False))

    assert printed == dict(methodology_of(LATEST).gsd)


def test_contents_name_the_version_in_use():
    assert page(contents.README).title == f"Methodology {LATEST}"


@pytest.mark.parametrize("name", FILES)
def test_links_lead_to_pages_that_are_there(name):
    for target in re.findall(r"\]\(([^)]*)\)", contents.text_of(name)):
        file, _, anchor = target.partition("#")
        linked = file.removesuffix(".md") or name
        assert file.endswith(".md"), target  # nothing but pages: the rest of docs/ is not in the product
        assert linked in FILES, target
        assert not anchor or anchor in dict(page(linked).sections), target


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_the_markdown_is_left(name):
    text = re.sub(r"<(pre|code)[ >].*?</\1>", "", page(name).html, flags=re.DOTALL)

    assert "style=" not in text
    assert re.findall(r"\*\*|`|\]\(|^#|^\||&lt;", re.sub(r"<[^>]+>", "", text), re.MULTILINE) == []


def test_every_word_of_an_explanation_has_its_page():
    pages = {*terms.METHODS.values(), *terms.IMPACTS.values(), *terms.FACTORS.values(), *terms.HELP.values()}

    assert pages | set(terms.NOTES.values()) | set(terms.IN_YOUR_FIGURES) <= set(contents.entries())
    assert set(terms.NOTES) == set(notes.TEXTS)


@pytest.mark.parametrize(
    "record",
    [
        {"energy_kwh": 1, "energy_boundary": "device", "factors": {"grid_loss_fraction": 0.05, "wue_l_per_kwh": 0.2}},
        {"hardware": "NVIDIA H100 80GB HBM3", "device_hours": 1, "stage": "training"},
        {"hosting": "cloud", "provider": "aws", "instance_type": "p5.48xlarge", "instance_hours": 1},
        {"hosting": "cloud", "provider": "gcp", "instance_type": "n2-highmem-16", "instance_hours": 1},
        {
            "hosting": "api",
            "model": "gpt-4o",
            "provider": "openai",
            "output_tokens": 1,
            "input_tokens": 9,
            "cached_input_tokens": 3,
        },
        {"hardware": "NVIDIA H100 80GB HBM3", "flops": 1e18, "stage": "training"},
        {"hosting": "api", "reported_kg_co2e": 1, "reported_basis": "market"},
    ],
    ids=lambda record: "-".join(record)[:40],
)
def test_every_factor_of_a_result_has_its_page(record):
    result = worked.quantified(zone="DE", **record)

    assert result.factors
    assert {factor["name"] for factor in result.factors if not terms.page_of_factor(factor["name"])} == set()
