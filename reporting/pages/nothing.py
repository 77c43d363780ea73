"""What a page says when its filters leave nothing: which of them empties it, and what is there without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from core.accounting.models import View
from core.accounting.selectors.values import records_in
from reporting.pages.words import dim_name, said
from reporting.query import Query

MOST_TRIED: Final = 6


@dataclass(frozen=True)
class Without:
    """One filter in force, and how many records the page would hold without it."""

    text: str
    records: int
    address: str


@dataclass(frozen=True)
class Nothing:
    """Each filter that could be dropped, those that would help first; and how many records there are without any."""

    filters: list[Without]
    records: int
    address: str


def nothing_matches(organization_id: int, query: Query, *, view: View | None = None) -> Nothing:
    """
    Try the filters one by one: leave each out and count what is left.

    At most ``MOST_TRIED`` are tried, and not those that narrow the asker.
    """
    filtered = query.filter
    droppable = [name for name in filtered.dims if name not in query.allowed]
    tried = []
    for name in droppable[:MOST_TRIED]:
        dims = {dim: values for dim, values in filtered.dims.items() if dim != name}
        left = records_in(organization_id, replace(filtered, dims=dims), view=view)
        values = ", ".join(said(name, value) for value in filtered.dims[name])
        text = f"{dim_name(name)}: {values}"
        tried.append(Without(text, left, query.link(**{name: None})))
    whole = records_in(organization_id, replace(filtered, dims=query.allowed), view=view)
    return Nothing(
        sorted(tried, key=lambda one: -one.records),
        whole,
        query.link(**dict.fromkeys(droppable)),
    )
