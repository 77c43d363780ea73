"""Charts as values: a DataFrame goes in; a Plotly figure as a dict, the same picture as SVG, its table and its words come out.

Plain Python: no Django, no database, no clock. ``trend`` stacks series over time, ``ranked`` draws horizontal bars.
"""

from reporting.charts.chart import Chart, Legend
from reporting.charts.ranked import ranked
from reporting.charts.trend import Gap, trend

__all__ = ["Chart", "Gap", "Legend", "ranked", "trend"]
