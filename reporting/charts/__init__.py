"""Charts as values: a DataFrame goes in; a Plotly figure as a dict, the same picture as SVG, its table and its words come out.

Plain Python: no Django, no database, no clock. ``trend`` stacks series over time, ``ranked`` draws horizontal bars,
``distribution`` counts requests by their footprint.
"""

from reporting.charts.bins import histogram, log_edges
from reporting.charts.chart import Chart, Legend
from reporting.charts.distribution import distribution
from reporting.charts.ranked import ranked
from reporting.charts.trend import Gap, trend

__all__ = ["Chart", "Gap", "Legend", "distribution", "histogram", "log_edges", "ranked", "trend"]
