"""What an own factor holds for, so that a name that nobody reports is seen at once."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from django.db import connection

from core.accounting.selectors.views import current_view
from core.factors.models import OwnFactor as StoredFactor
from core.factors.selectors import own_factor, pack_of
from core.organizations.tenancy import organization_scope
from core.quantification.own_factors import SELECTORS, given_of
from core.quantification.resolve import catalog_of


def series_that_fit(organization_id: int, factor: StoredFactor) -> int:
    """Count the distinct uses so far that meet a factor's conditions, whenever they were."""
    with organization_scope(organization_id):
        view = current_view(organization_id)
        if view is None:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(
                f"select distinct {', '.join(SELECTORS)} from accounting_resolved_series where organization_id = %s",
                [organization_id],
            )
            subjects = pd.DataFrame(cursor.fetchall(), columns=list(SELECTORS), dtype=object)
        always = replace(own_factor(factor), valid_from=None, valid_to=None)
        catalog = catalog_of(pack_of(view.factor_set.content_hash))
    return int(given_of(subjects.assign(day=0), [always], catalog).astype(bool).sum())
