"""
Which pool a row of own electricity belongs to: once as SQL and once on frames derived on read.

Found when rates are joined, never stored with rows, so that assigning an instrument rewrites no row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import pandas as pd

from core.quantification.instrument_entry import POOL_DIMENSIONS
from core.quantification.market_coverage import UNCOVERED, WHOLE_MARKET

OWN_HOSTINGS: Final = ("owned", "colocated")
"""Whose electricity instruments can cover; rented hardware and services keep what their provider states."""


def pool_sql(pools: Collection[str], elsewhere: Collection[str]) -> tuple[str, list[Any]]:
    """
    Write the pool of a resolved series (``r``) as SQL.

    Args:
        pools: those that have rates; none: nothing is covered.
        elsewhere: sites that the organization does not control: their electricity is scope 3, and not its own to cover.

    Returns:
        An expression, and its parameters in order.
    """
    if not pools:
        return f"'{UNCOVERED}'::text", []
    cases, values = [], list[Any]()
    for dimension in POOL_DIMENSIONS:
        names = _values(pools, dimension)
        if names:
            cases.append(f"when r.{dimension} = any(%s) then '{dimension}:' || r.{dimension}")
            values.append(names)
    own = f"case {' '.join(cases)} else '{WHOLE_MARKET}' end" if cases else f"'{WHOLE_MARKET}'"
    inside = "r.hosting = any(%s) and (r.site is null or lower(r.site) <> all(%s))"
    return f"case when {inside} then {own} else '{UNCOVERED}' end", [list(OWN_HOSTINGS), sorted(elsewhere), *values]


def pool_of_site(site: str, hosting: str, pools: Collection[str], elsewhere: Collection[str]) -> str:
    """Name the pool of a site's electricity that no record covers: nobody's but the site's and its hosting's."""
    if not pools or site in elsewhere:
        return UNCOVERED
    named = next((pool for pool in sorted(pools) if pool.lower() == f"site:{site}"), None)
    hosted = f"hosting:{hosting}"
    return named or (hosted if hosted in pools else WHOLE_MARKET)


def pools_of(frame: pd.DataFrame, pools: Collection[str], elsewhere: Collection[str]) -> pd.Series:
    """Name the pool of each row of a frame with the dimensions of a resolved series. [rows]"""
    found = pd.Series(UNCOVERED, index=frame.index, dtype=object)
    if not pools:
        return found
    own = frame["hosting"].isin(OWN_HOSTINGS) & ~frame["site"].astype(str).str.lower().isin(elsewhere)
    found = found.mask(own, WHOLE_MARKET)
    for dimension in reversed(POOL_DIMENSIONS):
        inside = own & frame[dimension].isin(_values(pools, dimension))
        found = found.mask(inside, f"{dimension}:" + frame[dimension].astype(str))
    return found


def _values(pools: Collection[str], dimension: str) -> list[str]:
    prefix = f"{dimension}:"
    return sorted(pool.removeprefix(prefix) for pool in pools if pool.startswith(prefix))
