"""How the page is looked at in a browser, and a watch over what happens in it that nobody looks at."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, expect

from layers.page.build import WEB

WIDTHS = (360, 800, 1280)
"""A phone, a tablet, a laptop: every view is usable at each."""
HEIGHT = 900
KEY = "darkroom.key"
"""Where the page keeps its key (web/src/api/key.ts)."""
LANGUAGE, THEME = "darkroom.language", "darkroom.theme"
"""Where it keeps these choices (web/src/app/settings.ts)."""


@dataclass
class Watch:
    """What went wrong in a page beside what a test looks at: errors on the console, exceptions that nobody caught, what
    the policy refused, requests to other places than the stack's, and a key in an address."""

    places: tuple[str, ...]
    key: str
    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def over(self, page: Page) -> Page:
        """Watch this page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"not caught: {error}"))
        page.on("request", self._request)
        return page

    def expect(self, words: str) -> None:
        """A test brings this about itself: a regular expression for what may be found, as in `status of 401`."""
        self.expected.append(words)

    def unexpected(self) -> list[str]:
        """All that was found and not expected."""
        return [one for one in self.found if not any(re.search(words, one) for words in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium writes here what a policy refuses, and each answer of 400 and more.
        if message.type in ("error", "warning"):
            self.found.append(f"console: {message.text} ({message.location['url']})")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and f"{address.scheme}://{address.netloc}" not in self.places:
            self.found.append(f"a request to {address.scheme}://{address.netloc}")
        if self.key and self.key in request.url:
            self.found.append(f"the key in an address: {address.path}")


def go(page: Page, where: str) -> None:
    """Go to a view of the page that is open, as by its address: `#/history`."""
    page.goto(page.url.partition("#")[0] + where)


def complete(page: Page) -> None:
    """Wait until a view shows what it has loaded."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)


def violations(page: Page, *ignored: str) -> list[str]:
    """What axe finds in the page as it is, each as the rule, what it is about, and where; [] if all is well."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate((WEB / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    options: dict[str, Any] = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in ignored}}
    found = page.evaluate("(options) => window.axe.run(document, options)", options)["violations"]
    return [f"{one['id']}: {one['help']} at {node['target']}" for one in found for node in one["nodes"]]


def cut_off(page: Page) -> list[str]:
    """What stands out of the page to the right, so that a person would have to scroll sideways; [] if all is well."""
    told: list[str] = page.evaluate(
        """() => {
            const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide) return [];
            return [...document.querySelectorAll("body *")]
                .filter((one) => one.getBoundingClientRect().right > wide + 1)
                .map((one) => `${one.tagName.toLowerCase()}.${one.className}: ${one.getBoundingClientRect().right}`)
                .slice(-5);
        }"""
    )
    return told


def shot(page: Page, folder: Path, name: str) -> Path:
    """Take a picture of the page as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    return path
