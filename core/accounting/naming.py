"""Series by their names in force: own aliases and defaults of sources applied, once for each time that these are the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.rules import Rules
from core.quantification.attribute import attribute, resolve_names
from core.quantification.attribution_rules import by_rules
from core.quantification.signals import repeated_by_signal
from core.quantification.statements import beside_ai

Integers = npt.NDArray[np.int64]


def named_subjects(rows: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> tuple[pd.DataFrame, Integers]:
    """
    Attribute and resolve names, once for each series and time between two changes of the rules.

    Args:
        rows: series_id and day (days since 1970), n rows.
        series: as `core.ledger.selectors.series_by_id` gives them; every series of the rows is there.

    Returns:
        The subjects, with a ``day`` of theirs and whether they never count (``aside``): they say again what another signal of
        their service says, or a statement says them of a service that is no AI service; and the position of each row's
        subject. [n]
    """
    boundaries = rules.boundaries()
    segment = np.searchsorted(boundaries, rows["day"].to_numpy(), side="right")
    series_ids, series_position = np.unique(rows["series_id"].to_numpy(), return_inverse=True)
    pairs, first, position = np.unique(
        series_position.reshape(-1) * (len(boundaries) + 1) + segment, return_index=True, return_inverse=True
    )
    frame = series.set_index("series_id").loc[series_ids[pairs // (len(boundaries) + 1)]].reset_index()
    frame["day"] = rows["day"].to_numpy()[first]
    frame["aside"] = repeated_by_signal(frame, rules.signals, rules.source_settings) | beside_ai(frame)
    named = attribute(resolve_names(by_rules(frame, rules.attribution), rules.aliases), rules.source_settings)
    return named, position.reshape(-1).astype(np.int64)
