"""What pages and the API of factors are asked for: set, table, filters and period, read from one query string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.http import QueryDict
from django.utils.http import urlencode

from core.accounting.figures import Filter, FilterError
from core.accounting.models import View
from core.accounting.selectors import FactorUse, current_view, factor_uses
from core.factors import selectors
from core.factors.models import FactorSet
from core.organizations.identity import Identity
from core.organizations.tenancy import organization_scope
from core.quantification.factor_tables import TABLES
from core.quantification.methods import LATEST
from core.quantification.pack import FactorPack
from reporting.query import read_query
from reporting.selectors.factors import FILTER_COLUMNS, Asked
from reporting.selectors.periods import activity_of, opening_period

PERIOD_KEYS: Final = ("period", "from", "to")
KEYS: Final = ("set", "table", "edition", "q", *FILTER_COLUMNS, "used", *PERIOD_KEYS)
PAGE_KEYS: Final = ("after", "format", "org", "limit", "id", "a", "b", "all", "kind", "reported")


@dataclass(frozen=True)
class FactorQuery:
    """
    What was asked for.

    Attributes:
        factor_set: chosen, else the one in use, else the newest; None before any was loaded.
        view: the current one; None before anything was derived.
        period: whose figures rest on the factors, narrowed to what the asker may see.
        label: of the period.
        errors: what could not be read.
    """

    factor_set: FactorSet | None
    view: View | None
    asked: Asked
    period: Filter
    label: str
    errors: tuple[str, ...]

    @property
    def pack(self) -> FactorPack | None:
        """Return the rows of the set."""
        return selectors.pack_of(self.factor_set.content_hash) if self.factor_set else None

    @property
    def methodology(self) -> str:
        """Return the methodology whose intervals are shown."""
        return self.view.methodology if self.view else LATEST

    def uses(self, organization_id: int) -> Mapping[str, FactorUse]:
        """Add up what rests on each factor; nothing where another set than that of the view is shown."""
        if self.view is None or self.factor_set is None or self.view.factor_set_id != self.factor_set.id:
            return {}
        return factor_uses(organization_id, self.view, self.period)


def read_factor_query(
    data: QueryDict, *, identity: Identity, today: date, fiscal_start: int, strict: bool = False
) -> FactorQuery:
    """
    Read a query string; what cannot be read is said and the rest is kept.

    Args:
        strict: (the API) the first fault is raised as FilterError instead.
    """
    errors: list[str] = []
    for key in data:
        if key not in (*KEYS, *PAGE_KEYS):
            _note(errors, FilterError(key, f"There is no filter {key!r}."), strict)
        elif "\0" in str(data[key]):
            _note(errors, FilterError(key, f"{key} holds a character that no name has."), strict)
    said = {key: str(data[key]).replace("\0", "") for key in data}
    with organization_scope(identity.organization_id):
        view = current_view(identity.organization_id)
        opening = opening_period(activity_of(identity.organization_id, view, today), today)
    table = said.get("table", "")
    if table and table not in TABLES:
        _note(errors, FilterError("table", f"There is no table {table!r}; known: {', '.join(TABLES)}."), strict)
        table = ""
    period = read_query(
        _only_period(data),
        identity=identity,
        today=today,
        opening=opening,
        fiscal_start=fiscal_start,
        strict=strict,
    )
    return FactorQuery(
        factor_set=_set_of(said.get("set", ""), view, errors, strict=strict),
        view=view,
        asked=Asked(
            table=table,
            edition=said.get("edition", ""),
            text=said.get("q", ""),
            filters={name: said[name] for name in FILTER_COLUMNS if said.get(name)},
            in_use=said.get("used", "") == "1",
        ),
        period=period.filter,
        label=period.label,
        errors=(*errors, *period.errors),
    )


def link(data: QueryDict, **changes: str | int | None) -> str:
    """Return the query string with some keys changed, None leaves one out; a page starts again at its first rows."""
    kept = {key: str(data[key]) for key in data if key in KEYS and data[key]}
    changed = {**kept, **{key: str(value) for key, value in changes.items() if value is not None}}
    for key, value in changes.items():
        if value is None:
            changed.pop(key, None)
    return "?" + urlencode(sorted(changed.items()))


def _set_of(name: str, view: View | None, errors: list[str], *, strict: bool) -> FactorSet | None:
    if name:
        try:
            return selectors.factor_set_of(name)
        except selectors.NoFactorSet as error:
            _note(errors, FilterError("set", str(error)), strict)
    return view.factor_set if view is not None else selectors.factor_sets().first()


def _only_period(data: QueryDict) -> QueryDict:
    period = QueryDict(mutable=True)
    for key in PERIOD_KEYS:
        if data.get(key):
            period[key] = str(data[key])
    return period


def _note(errors: list[str], error: FilterError, strict: bool) -> None:
    if strict:
        raise error
    errors.append(str(error))
