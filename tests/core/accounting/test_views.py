"""A new view is built beside the current one and takes its place at once."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import selectors, services
from core.accounting.models import View
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification.pack import pack_from_tables

from .conftest import metered
from .test_derive import daily, table


@pytest.fixture
def dirtier_germany(factor_set):
    """The shipped tables with 400 instead of 329 g/kWh for Germany in 2023."""
    tables = dict(load_pack().blobs)
    name = "grid_intensity_annual--eea"
    lines = tables[name].decode().splitlines()
    changed = [
        line.replace(",329.0,", ",400.0,") if line.startswith("DE,") and ",2023," in line else line for line in lines
    ]
    assert changed != lines
    tables[name] = "\n".join(changed).encode()
    return load_factor_set(pack_from_tables("dirtier-germany", tables)).factor_set


def current_kg(organization) -> float:
    with organization_scope(organization.id):
        view = selectors.current_view(organization.id)
    rows = daily(organization)
    return rows.loc[rows["view_id"] == view.id, "location_nkg"].sum() / 1e9


def test_a_new_factor_set_arrives_beside_and_is_switched_to(committed_db, organization, write, dirtier_germany):
    write(metered(1, 10.0, energy_boundary="facility"), metered(2, 10.0, day="2026-08-05", energy_boundary="facility"))
    before = services.ensure_current_view(organization.id)
    services.derive_dirty_days(organization.id)

    view = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)
    services.build_view(organization_id=organization.id, view_id=view.id)
    kg_before = current_kg(organization)
    services.switch_view(organization_id=organization.id, view_id=view.id, reason="new edition")

    assert kg_before == pytest.approx(6.58)
    assert current_kg(organization) == pytest.approx(8.0)
    with organization_scope(organization.id):
        assert AuditEvent.objects.filter(organization_id=organization.id, action="switch_view").count() == 1
        assert View.objects.get(id=before.id).state == "retired"


def test_days_written_during_a_build_reach_both_views(committed_db, organization, write, dirtier_germany):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    view = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)
    write(metered(2, 5.0, day="2026-06-01"))
    services.derive_dirty_days(organization.id)

    services.build_view(organization_id=organization.id, view_id=view.id)

    rows = daily(organization)
    for _, own in rows.groupby("view_id"):
        assert own["day"].tolist() == [date(2026, 6, 1), date(2026, 7, 1)]
    assert rows["view_id"].nunique() == 2


def test_a_view_is_not_current_before_it_is_built(committed_db, organization, write, dirtier_germany):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    view = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)

    with pytest.raises(services.ViewError, match="not built to its end"):
        services.switch_view(organization_id=organization.id, view_id=view.id)


def test_a_build_goes_on_where_it_was_cut_off(committed_db, organization, write, dirtier_germany, monkeypatch):
    from core.accounting.services import build

    write(metered(1, 10.0), metered(2, 5.0, day="2026-08-01"))
    services.derive_dirty_days(organization.id)
    view = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)
    real, months = build.derive_days, []

    def cut_off(organization_id, days, *, views):
        months.append(days[0].month)
        if len(months) == 2:
            raise KeyboardInterrupt
        return real(organization_id, days, views=views)

    monkeypatch.setattr(build, "derive_days", cut_off)
    with pytest.raises(KeyboardInterrupt):
        services.build_view(organization_id=organization.id, view_id=view.id)
    built = services.build_view(organization_id=organization.id, view_id=view.id)

    assert months == [7, 8, 8]
    assert built.built_at is not None


def test_a_discarded_view_leaves_no_rows(committed_db, organization, write, dirtier_germany):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    view = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)
    services.build_view(organization_id=organization.id, view_id=view.id)

    services.discard_view(organization_id=organization.id, view_id=view.id)

    assert daily(organization)["view_id"].nunique() == 1
    assert table(organization, "select distinct view_id from accounting_monthly")["view_id"].tolist() != [view.id]


def test_the_first_view_takes_the_shipped_factor_set(committed_db, organization, dirtier_germany):
    view = services.ensure_current_view(organization.id)

    assert view.factor_set.content_hash == load_pack().content_hash
    assert services.ensure_current_view(organization.id).id == view.id
