"""The server's own pictures."""

from xml.etree import ElementTree

import pytest

from reporting.charts import svg
from reporting.charts.chart import nice_top


def test_a_stack_is_as_tall_as_its_sum():
    picture = ElementTree.fromstring(  # noqa: S314  our own picture
        svg.stacked(
            name="t",
            blocks=[svg.Block("series-1", [6.0]), svg.Block("series-2", [4.0])],
            labels=["29 Jun"],
            top=10.0,
            ticks=[(0, "0"), (10, "10")],
        )
    )
    bars = [one for one in picture.iter() if one.get("class", "").startswith("c-series")]

    # 300 high less 8 above and 28 below is 264 for ten units; a stacked block gives one pixel to the gap
    assert [float(bar.get("height")) for bar in bars] == pytest.approx([158.4, 104.6])
    assert float(bars[1].get("y")) == pytest.approx(8)


def test_there_is_no_style_attribute_anywhere():
    pictures = [
        svg.stacked(name="t", blocks=[], labels=["a"], top=1.0, ticks=[(0, "0")], target=[0.5], gaps=[True]),
        svg.horizontal(rows=[("a", 1.0, "1", "series-1")], top=1.0, spans=[(0.5, 1.0)]),
        svg.cell_bar(0.4),
        svg.sparkline([1.0, None, 2.0]),
    ]

    for picture in pictures:
        ElementTree.fromstring(picture)  # noqa: S314  our own picture
        assert "style" not in picture


@pytest.mark.parametrize(("share", "width"), [(0.42, "42%"), (0, "0%"), (1.7, "100%"), (-1, "0%")])
def test_a_bar_in_a_row_is_as_wide_as_its_share(share, width):
    assert f'width="{width}"' in svg.cell_bar(share)


def test_a_missing_slot_of_a_sparkline_has_no_bar():
    assert svg.sparkline([1.0, None, 2.0]).count("<rect") == 2


@pytest.mark.parametrize(
    ("largest", "top", "step"), [(14.6, 15, 5), (0.37, 0.4, 0.1), (101, 125, 25), (0, 1, 0.5), (8.2, 10, 2)]
)
def test_axes_end_at_round_numbers(largest, top, step):
    assert nice_top(largest) == (top, step)
