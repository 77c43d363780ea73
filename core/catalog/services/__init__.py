"""Writes of the catalog: own names, sites and their register."""

from core.catalog.services.aliases import CatalogError, remove_alias, set_alias
from core.catalog.services.register import RegisterRefused, add_entries, check_entries
from core.catalog.services.sites import SiteError, add_site, change_site

__all__ = [
    "CatalogError",
    "RegisterRefused",
    "SiteError",
    "add_entries",
    "add_site",
    "change_site",
    "check_entries",
    "remove_alias",
    "set_alias",
]
