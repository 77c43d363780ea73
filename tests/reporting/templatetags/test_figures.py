"""Numbers in templates."""

import pytest
from django.template import Context, Template
from django.utils import translation


def written(source, **context):
    """Render a snippet of a template."""
    return Template("{% load figures %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("source", "value", "text"),
    [
        ("{{ value|mass }}", 184_200.0, "184\u202ft"),
        ("{{ value|mass }}", None, "-"),
        ("{{ value|energy }}", 0.0004, "0.400\u202fWh"),
        ("{{ value|water }}", 12.0, "12.0\u202fL"),
        ("{{ value|many }}", 447_000_000, "447\u202fM"),
        ("{{ value|number_of }}", 12_345_678, "12,345,678"),
        ("{{ value|percent }}", 0.008, "0.8\u202f%"),
        ("{{ value|as_percent }}", 0.42, "42.00%"),
        ("{{ value|plain }}", 0.42, "0.42"),
        ("{{ value|co2e }}", "t CO2e", "t CO<sub>2</sub>e"),
        ("{{ value|co2e }}", "<b>CO2e", "&lt;b&gt;CO<sub>2</sub>e"),
    ],
)
def test_filters_write_figures(source, value, text):
    assert written(source, value=value) == text


def test_the_language_of_the_page_decides():
    with translation.override("de"):
        assert written("{{ value|number_of }}", value=1_204) == "1.204"
