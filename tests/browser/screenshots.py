"""
Take pictures of every page: `make screenshots` writes those of the documentation to docs/screenshots/, all others to var/.

On servers of its own with the demo organization, so that they look the same on every machine (but for the days that went by).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from core.local.postgres import NOT_DURABLE, EmbeddedPostgres
from core.local.valkey import EmbeddedValkey
from tests.browser.chromium import HEIGHT, WIDTHS, Tab, chromium, new_context
from tests.browser.site import ROOT, web_server

FOLDER: Final = ROOT / "docs/screenshots"
OTHERS: Final = ROOT / "var/screenshots"
EMAIL: Final = "owner@demo.example"
PASSWORD: Final = "northwind-demo"
PAGES: Final = {
    "overview": "/",
    "teams": "/teams/",
    "team": "/teams/search/",
    "models": "/models/",
    "model": "/models/atlas-70b/",
    "models-compared": "/models/?model=atlas-70b&model=atlas-8b-int4",
    "changes": "/changes/",
    "providers": "/providers/",
    "evaluations": "/providers/evaluations/",
    "evaluation": "/providers/evaluations/1/",
    "evaluation-own": "/providers/evaluations/2/",
    "evaluation-frozen": "/providers/frozen/1/",
    "add-evaluation": "/providers/evaluations/add/",
    "offer": "/providers/evaluations/1/offers/1/",
    "dossiers": "/providers/dossiers/",
    "dossier": "/providers/dossiers/gcp/",
    "requests": "/requests/",
    "requests-heaviest": "/requests/?sort=-kg&team=Search",
    "runs": "/runs/?period=last-365d",
    "run": "/runs/atlas-70b-v4-pretrain/",
    "runs-compared": "/runs/?tab=compare&run=atlas-70b-v4-pretrain&run=atlas-70b-v3-pretrain",
    "search": "/search/?q=atlas",
    "jobs": "/jobs/",
    "system": "/system/",
    "intensity": "/intensity/",
    "intensity-tasks": "/intensity/?unit=accepted_task",
    "business-figures": "/intensity/denominators/",
    "why-this-number": "/explain/?team=Search",
    "filter-values": "/filters/?on=model&at=/teams/",
    "saved-filters": "/filters/saved/?at=/teams/",
    "nothing-matches": "/teams/?team=Nobody&tier=batch",
    "targets": "/targets/",
    "scenarios": "/scenarios/",
    "scenarios-side-by-side": "/scenarios/1,2,3/",
    "add-scenario": "/scenarios/add/",
    "disclosure": "{quarter}",
    "factors": "/factors/",
    "own-factors": "/factors/own/",
    "coverage-units": "/quality/units/",
    "completeness": "/quality/completeness/",
    "grid-series": "/factors/series/",
    "restatements": "/factors/restatements/",
    "factor": "/factors/row/?id=grid_intensity_annual--eea:DE:2023",
    "names": "/factors/names/",
    "electricity": "/factors/instruments/",
    "add-instrument": "/factors/instruments/add/",
    "audit": "/audit/",
    "methodology": "/methodology/",
    "methodology-page": "/methodology/device/",
    "sources": "/sources/",
    "source": "{source}",
    "add-source": "/sources/add/",
    "add-source-form": "/sources/add/?kind=otlp",
    "months": "/sources/months/",
    "import": "/sources/import/",
    "quality": "/quality/",
    "settings": "/settings/",
    "attribution": "/settings/attribution/",
    "attribution-rule": "/settings/attribution/add/",
    "privacy": "/settings/privacy/",
    "bill-rules": "/settings/bill-rules/",
    "sites": "/settings/sites/",
    "site": "/settings/sites/fra-1/",
    "register-upload": "/settings/register/upload/",
    "bookings": "/bookings/",
}
KEPT: Final = ("overview-light", "overview-dark")
"""Pictures that the documentation shows, hence kept; all others are taken for looking at, into var/screenshots/."""


def main() -> None:
    """Start what is needed, make the demo, take every picture."""
    with tempfile.TemporaryDirectory(prefix="wattledger-pictures-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as another user when this runs as root
        postgres, valkey = (
            EmbeddedPostgres(folder / "postgres", settings=NOT_DURABLE),
            EmbeddedValkey(folder / "valkey"),
        )
        postgres.start()
        valkey.start()
        try:
            environment = {
                "DATABASE_URL": postgres.app_url,
                "MIGRATE_DATABASE_URL": postgres.owner_url,
                "REDIS_URL": valkey.url,
                "SECRET_KEY": "only-for-pictures",
                "VAR_DIR": name,
                "DEBUG": "0",
                "LOG_LEVEL": "WARNING",
            }
            for words in (["migrate", "--database", "owner", "-v0"], ["load_factors"], ["create_demo"]):
                manage(words, environment)
            with web_server(environment) as base:
                take_all(base)
        finally:
            valkey.stop()
            postgres.stop()


def manage(words: list[str], environment: dict[str, str]) -> None:
    """Run a command of manage.py."""
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def take_all(base: str) -> None:
    """Take every page in both themes, and on a phone."""
    for folder in (FOLDER, OTHERS):
        folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for theme in ("light", "dark"):
            tab = Tab(new_context(browser, theme=theme).new_page(), base)  # type: ignore[arg-type]
            tab.sign_in(EMAIL, PASSWORD)
            tab.open("/disclosures/")
            found = {"quarter": tab.page.locator("tbody th a").nth(1).get_attribute("href")}
            tab.open("/sources/")
            found["source"] = tab.page.locator("tbody th a").first.get_attribute("href")
            for name, address in PAGES.items():
                take(tab, name, address.format(**found), theme)


def take(tab: Tab, name: str, address: str, theme: str) -> None:
    """Take one page as a laptop shows it first, and whole on a phone."""
    page = tab.open(address)
    picture = f"{name}-{theme}"
    page.screenshot(path=(FOLDER if picture in KEPT else OTHERS) / f"{picture}.png")
    page.set_viewport_size({"width": WIDTHS["phone"], "height": HEIGHT})
    tab.settle()
    page.screenshot(path=OTHERS / f"{picture}-phone.png", full_page=True)
    page.set_viewport_size({"width": WIDTHS["laptop"], "height": HEIGHT})


if __name__ == "__main__":
    main()
