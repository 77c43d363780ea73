"""The system's Chromium, driven by Playwright: pages that note what goes wrong in them, and axe-core for what is seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WIDTHS: Final = {"laptop": 1440, "phone": 390, "narrow": 320}  # [CSS px]; 320 is 1280 at 400 % zoom
HEIGHT: Final = 900
PATIENCE_MS: Final = 10_000
AXE: Final = next((Path(__file__).resolve().parents[1] / "vendor").glob("axe-core@*/axe.min.js"))
RUN_AXE: Final = """
axe.run(document, {resultTypes: ["violations"]}).then((found) => JSON.stringify(found.violations.map(
  (one) => ({rule: one.id, impact: one.impact, nodes: one.nodes.map((node) => node.html.slice(0, 160))}))))
"""

Theme = Literal["light", "dark"]


@dataclass
class Tab:
    """A page with everything that its console and its requests complained of since the last look."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console",
            lambda said: said.type in {"error", "warning"} and self.complaints.append(f"{said.type}: {said.text}"),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on(
            "response", lambda answer: answer.status >= 400 and self.complaints.append(f"{answer.status}: {answer.url}")
        )

    def _failed(self, request: Request) -> None:
        """Complain of what was not loaded, but for a script's question that the page's own end cut off."""
        cut_off = request.failure == "net::ERR_ABORTED" and request.resource_type in {"xhr", "fetch"}
        if not cut_off:
            self.complaints.append(f"not loaded: {request.url}")

    def open(self, address: str) -> Page:
        """Go to an address of the site and wait until its charts are drawn."""
        self.page.goto(self.base + address, wait_until="networkidle")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until every chart that scripts draw is drawn."""
        self.page.wait_for_function("() => !document.querySelector('[data-chart]:not(.drawn)')")

    def sign_in(self, email: str, password: str) -> None:
        """Sign in through the form."""
        self.page.goto(f"{self.base}/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_load_state("networkidle")

    def violations(self) -> list[dict[str, Any]]:
        """Let axe-core judge what is seen now. It runs outside the page's content security policy, as a debugger does."""
        debugger = self.page.context.new_cdp_session(self.page)
        debugger.send("Runtime.evaluate", {"expression": AXE.read_text()})
        answer = debugger.send("Runtime.evaluate", {"expression": RUN_AXE, "awaitPromise": True, "returnByValue": True})
        debugger.detach()
        return list(json.loads(answer["result"]["value"]))

    def overflow(self) -> int:
        """Return by how many pixels the page scrolls sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser."""
    program = shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser, *, width: str = "laptop", theme: Theme = "light", **options: Any) -> BrowserContext:
    """Open a fresh profile: no cookies, one width, one theme."""
    context = browser.new_context(
        viewport={"width": WIDTHS[width], "height": HEIGHT}, color_scheme=theme, **({"locale": "en-GB"} | options)
    )
    context.set_default_timeout(PATIENCE_MS)
    return context
