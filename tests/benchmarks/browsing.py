"""What a person waits for: until a page can be used, and the bytes of a first and a second visit, in the system's Chromium."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import chromium, new_context
from tests.browser.site import web_server

USABLE: Final = """
() => document.readyState === "complete" && !document.querySelector("[data-chart]:not(.drawn)") && performance.now()
"""
VISITS: Final = 3
PATIENCE_MS: Final = 60_000
LATER_MS: Final = 500
"""What a page asks for by itself comes within this time after it can be used."""


@dataclass
class Visit:
    """
    One visit of a page.

    Args:
        usable_s: from the click to the last chart drawn, or the text of a page without charts.
        kilobytes: that came over the wire, headers included.
    """

    usable_s: float
    kilobytes: float


@dataclass
class Visits:
    """Visits of one page: by browsers that were never here, and by the same ones once more."""

    first: list[Visit] = field(default_factory=list)
    again: list[Visit] = field(default_factory=list)


def visits(session: str, pages: Mapping[str, str]) -> dict[str, Visits]:
    """Visit each page with fresh profiles that are signed in by a session, twice each, with the server that `make run` starts."""
    with web_server({"DEBUG": "0"}) as base, chromium() as browser:
        settled(browser, base, session)
        return {name: visited(browser, base, session, address) for name, address in pages.items()}


def visited(browser: Browser, base: str, session: str, address: str) -> Visits:
    found = Visits()
    for _ in range(VISITS):
        context = profile(browser, base, session)
        page = context.new_page()
        found.first.append(seen(page, base + address))
        page.goto("about:blank")
        found.again.append(seen(page, base + address))
        context.close()
    return found


def settled(browser: Browser, base: str, session: str) -> None:
    """Let the server load what it loads once: factor tables, templates."""
    context = profile(browser, base, session)
    seen(context.new_page(), base + "/")
    context.close()


def profile(browser: Browser, base: str, session: str) -> BrowserContext:
    context = new_context(browser)
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "sessionid", "value": session, "url": base}])
    return context


def seen(page: Page, address: str) -> Visit:
    """Open an address and wait until it can be used."""
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    answer: Any = page.goto(address, wait_until="commit")
    if answer.status != 200:
        raise RuntimeError(f"{address} answered {answer.status}")
    usable_ms = float(page.wait_for_function(USABLE, polling="raf").json_value())
    page.wait_for_timeout(LATER_MS)
    network.detach()
    return Visit(usable_ms / 1000, sum(sizes) / 1000)


def middle(values: list[float]) -> float:
    """Return the median."""
    return float(statistics.median(values))
