"""Colours: readable in both themes, and the same in the style sheet."""

import re
from pathlib import Path

import pytest

from reporting.charts import palette

CSS = Path(__file__).resolve().parents[3] / "static/css/app.css"


def tokens():
    """Colour tokens of the style sheet: name -> (light, dark)."""
    return {
        name: (light.upper(), dark.upper())
        for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS.read_text())
    }


def luminance(colour):
    """WCAG relative luminance of "#rrggbb"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """WCAG contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", palette.COLOURS, ids=lambda colour: colour.token)
def test_charts_and_style_sheet_agree(colour):
    assert tokens()[colour.token] == (colour.light, colour.dark)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("name", "least"),
    [("text", 7), ("muted", 4.5), ("accent", 4.5), ("bad", 4.5), ("warn", 4.5), ("good", 4.5), ("control", 3)]
    + [(f"series-{n}", 3) for n in range(1, 7)]
    + [("other", 3), ("upstream", 3), ("embodied", 3)],
)
def test_colours_stand_out_from_the_ground(name, least, theme):
    found = tokens()

    assert contrast(found[name][theme], found["ground"][theme]) >= least


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_is_readable_on_surfaces_and_weak_accents(theme):
    found = tokens()

    for ground in ("surface", "accent-weak"):
        for name in ("text", "muted", "accent"):
            assert contrast(found[name][theme], found[ground][theme]) >= 4.5, (name, ground)


def test_a_new_team_changes_nobodys_colour():
    before = palette.entity_colours(["search", "chat"])

    after = palette.entity_colours(["search", "chat", "vision"])

    assert {name: after[name] for name in before} == before
