"""Chromium as the machine has it, for tests in a browser. It imports nothing but Playwright: the environments of the
WebUI's tests have few packages."""

import os
import shutil

from playwright.sync_api import Browser, Playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 60_000
"""Milliseconds that an expectation waits. On a busy machine the first request to a stage starts functions for longer
than Playwright would wait by itself."""


def chromium(playwright: Playwright, *more: str) -> Browser:
    """A browser, started with `more` flags; expectations then wait for `PATIENCE`. Fails with what to do where there is
    none."""
    found = os.environ.get("DARKROOM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, (
        "There is no Chromium: install it (Debian: apt-get install chromium), or name it in DARKROOM_CHROMIUM."
    )
    expect.set_options(timeout=PATIENCE)
    return playwright.chromium.launch(executable_path=found, args=[*FLAGS, *more])
