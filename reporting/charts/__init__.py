"""Charts as values: a DataFrame goes in; a Plotly figure as a dict, the same picture as SVG, its table and its words come out.

Plain Python: no Django, no database, no clock. One kind a module:

- ``trend`` stacks series over time, ``multiples`` puts one such picture of each entity side by side;
- ``steps`` draws rates that hold through a slot, ``hour_of_week`` and ``coverage_map`` are heat maps;
- ``ranked`` draws horizontal bars, ``dots`` values with their ranges, ``scatter`` two measures against each other;
- ``waterfall`` leads from one total to another, ``distribution`` counts requests by their footprint.
"""

from reporting.charts.bridge import Part
from reporting.charts.chart import Chart, Legend
from reporting.charts.distribution import distribution
from reporting.charts.dots import dots
from reporting.charts.grids import coverage_map, hour_of_week, months_between
from reporting.charts.multiples import multiples
from reporting.charts.overlays import Event, Overlays
from reporting.charts.palette import EVIDENCE
from reporting.charts.ranked import ranked
from reporting.charts.scatter import Measure, scatter
from reporting.charts.steps import Hole, steps
from reporting.charts.trend import Gap, trend
from reporting.charts.waterfall import waterfall

__all__ = [
    "EVIDENCE",
    "Chart",
    "Event",
    "Gap",
    "Hole",
    "Legend",
    "Measure",
    "Overlays",
    "Part",
    "coverage_map",
    "distribution",
    "dots",
    "hour_of_week",
    "months_between",
    "multiples",
    "ranked",
    "scatter",
    "steps",
    "trend",
    "waterfall",
]
