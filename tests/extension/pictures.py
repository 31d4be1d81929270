"""`.venv-webui-3/bin/python -m tests.extension.pictures`: the pictures of docs/webui.md, taken of the double."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.extension.conftest import NO_OTHER_HOST, ROOT, WebUI, local_stage, log_in, start_webui
from tests.extension.looks import Tab
from tests.support.chromium import chromium

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
TARGET = ROOT / "docs" / "pictures"


def take(webui: WebUI, target: Path) -> None:
    """Open the page, paint once, and take the pictures."""
    with sync_playwright() as playwright:
        browser = chromium(playwright, NO_OTHER_HOST)
        page = browser.new_page(viewport={"width": 1280, "height": 1300})
        tab = Tab(page, "txt2img").open(webui.url)
        tab.on_cloud(CHECKPOINT)
        tab.write("prompt", "a harbour at dawn")
        tab.shown(tab.generate())
        expect(page.get_by_test_id("dropdown-option")).to_have_count(0)
        tab.part("panel").screenshot(path=target / "webui-panel.png")
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=target / "webui-result.png")
        browser.close()


def main() -> int:
    """Start a stage and a double, and take the pictures of them."""
    with tempfile.TemporaryDirectory() as folder, local_stage(Path(folder) / "stage") as stage:
        webui = start_webui(Path(folder) / "webui")
        try:
            log_in(webui, stage.api, stage.key)
            take(webui, TARGET)
        finally:
            webui.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
