"""Charts as values: a DataFrame goes in; a Plotly figure as a dict, the same picture as SVG, its table and its words come out.

Plain Python: no Django, no database, no clock. ``trend`` stacks series over time, ``ranked`` draws horizontal bars,
``distribution`` counts requests by their footprint, ``waterfall`` leads from one total to another.
"""

from reporting.charts.bins import histogram, log_edges
from reporting.charts.bridge import Part
from reporting.charts.chart import Chart, Legend
from reporting.charts.distribution import distribution
from reporting.charts.ranked import ranked
from reporting.charts.trend import Gap, trend
from reporting.charts.waterfall import waterfall

__all__ = ["Chart", "Gap", "Legend", "Part", "distribution", "histogram", "log_edges", "ranked", "trend", "waterfall"]
