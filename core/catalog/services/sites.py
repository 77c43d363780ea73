"""Writes of sites: a hall is named once, by the word that records use."""

from __future__ import annotations

import re
from typing import Any, Final

from core.catalog.models import Site, SiteKind
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.pack import FactorPack
from core.quantification.resolve import catalog_of

FIELDS: Final = ("name", "country", "zone", "kind", "operational_control", "financial_control")
"""What can be changed of a site; its slug stands in records."""

_SLUG: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class SiteError(Exception):
    """A site that cannot be; ``field`` is at fault, the message says what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def add_site(*, organization_id: int, slug: str, pack: FactorPack, **fields: Any) -> Site:
    """
    Name a site.

    Args:
        slug: what records say in ``site``.
        pack: tells which grid zones there are.
        fields: of ``FIELDS``; name, country and zone are needed.

    Raises:
        SiteError: the slug is taken or malformed, a field is missing, the zone has no factor.
    """
    if not _SLUG.fullmatch(slug) or len(slug) > 64:
        raise SiteError("slug", "Use small letters, digits and hyphens, as records say it in `site`.")
    given = _checked(fields, pack)
    for name in ("name", "country", "zone"):
        if not given.get(name):
            raise SiteError(name, "This is needed.")
    with organization_scope(organization_id):
        if Site.objects.filter(organization_id=organization_id, slug=slug).exists():
            raise SiteError("slug", f"There is a site {slug!r} already.")
        site = Site.objects.create(organization_id=organization_id, slug=slug, **given)
        record_event(
            organization_id=organization_id,
            action="add_site",
            object_type="site",
            object_id=site.id,
            after={"slug": slug, **described(site)},
        )
    return site


def change_site(*, organization_id: int, slug: str, pack: FactorPack, **fields: Any) -> Site:
    """Change what is said of a site, as `add_site`. Raises SiteError when there is no such site."""
    given = _checked(fields, pack)
    with organization_scope(organization_id):
        site = Site.objects.filter(organization_id=organization_id, slug=slug).first()
        if site is None:
            raise SiteError("slug", f"There is no site {slug!r}.")
        before = described(site)
        for name, value in given.items():
            setattr(site, name, value)
        site.save(update_fields=list(given))
        record_event(
            organization_id=organization_id,
            action="change_site",
            object_type="site",
            object_id=site.id,
            before=before,
            after=described(site),
        )
    return site


def described(site: Site) -> dict[str, Any]:
    """Give what is said of a site in plain values."""
    return {name: getattr(site, name) for name in FIELDS}


def _checked(fields: dict[str, Any], pack: FactorPack) -> dict[str, Any]:
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise SiteError(min(unknown), f"There is no {min(unknown)} of a site.")
    given = {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}
    if given.get("country") and not _COUNTRY.fullmatch(given["country"]):
        raise SiteError("country", "Two capital letters of ISO 3166-1, such as DE.")
    if "kind" in given and given["kind"] not in SiteKind.values:
        raise SiteError("kind", f"{given['kind']!r} is no kind of site: use one of {', '.join(SiteKind.values)}.")
    if given.get("zone"):
        given["zone"] = given["zone"].upper()
        place = catalog_of(pack).place(hosting=None, provider=None, region=None, zone=given["zone"])
        if "unknown_zone" in place.notes:
            raise SiteError(
                "zone", f"{given['zone']!r} is no grid zone of the factor tables, such as DE, SE-SE1 or US-CA."
            )
    return given
