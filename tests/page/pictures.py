"""`python -m tests.page.pictures` (`make pictures`): a picture of each view of the page for docs/pictures.

    .venv/bin/python -m tests.page.pictures [--out FOLDER] [--widths 360 800 1280] [--dark]

Each view is a line of `VIEWS`: its name, where it is, and what is done before the picture is taken. They are taken of a
stack of its own with the preview engine and fixed seeds, or of the one that runs in `DARKROOM_PAGE_HOME`.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from darkroom_client import Darkroom, costs, keys
from local import stack
from local.home import ROOT, Home
from local.seed import CHECKPOINT
from tests.page.browser import HEIGHT, KEY, WIDTHS, complete, shot
from tests.support.chromium import chromium

TARGET = ROOT / "docs" / "pictures"
PROMPTS = ("a harbour at dawn", "a lighthouse at dusk", "an old tram in the rain", "a pier, film grain")


@dataclass(frozen=True)
class View:
    """A view of the page. `prepare` gets the page once it is open and returns when the view is complete. `admin`: as an
    admin sees it, not an artist."""

    name: str
    where: str
    prepare: Callable[[Page], None] = lambda page: None
    admin: bool = False


def painted(page: Page) -> None:
    """A prompt, and the picture that came of it."""
    tab = page.get_by_role("tabpanel", name="txt2img")
    tab.get_by_label("Stable Diffusion Checkpoint Used on Cloud").select_option(CHECKPOINT)
    tab.get_by_label("Prompt", exact=True).fill("a lighthouse on a cliff at dusk, long exposure, film grain")
    tab.get_by_label("Negative prompt", exact=True).fill("blurry, people")
    tab.get_by_label("Seed", exact=True).fill("7")
    tab.get_by_role("button", name="Generate on Cloud").click()
    expect(tab.locator("img").first).to_be_visible()
    complete(page)
    page.evaluate("() => scrollTo(0, 0)")


VIEWS: list[View] = [
    View("page-txt2img", "#/txt2img", painted),
    View("page-img2img", "#/img2img"),
    View("page-extras", "#/extras"),
    View("page-history", "#/history"),
    View("page-endpoints", "#/endpoints"),
    View("page-models", "#/models"),
    View("page-costs", "#/costs", admin=True),
]


def work(client: Darkroom) -> list[str]:
    """Some finished jobs, so that the views have something to show; returns their ids, oldest first."""
    made = []
    for seed, prompt in enumerate(PROMPTS):
        parameters = {"prompt": prompt, "seed": seed, "steps": 20, "width": 512, "height": 512}
        job = client.submit({"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": parameters})
        made.append(client.settled(job["id"], 60)["id"])
    return made


def take(running: stack.Stack, artist: str, admin: str, job: str, options: argparse.Namespace) -> list[Path]:
    """All views at each width, with the keys of those who look at them; returns the files."""
    taken = []
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        for width in options.widths:
            for view in [*VIEWS, View("page-job", f"#/jobs/{job}")]:
                context = browser.new_context(
                    viewport={"width": width, "height": HEIGHT},
                    locale="en-US",
                    timezone_id="UTC",
                    reduced_motion="reduce",
                    color_scheme="dark" if options.dark else "light",
                )
                key = admin if view.admin else artist
                context.add_init_script(f"sessionStorage.setItem({KEY!r}, {key!r})")
                page = context.new_page()
                page.goto(f"{running.page}/{view.where}")
                expect(page.get_by_role("tab").first).to_be_visible()
                page.wait_for_load_state("networkidle")
                view.prepare(page)
                parts = (view.name, "" if width == WIDTHS[-1] else str(width), "dark" if options.dark else "")
                taken.append(shot(page, options.out, "-".join(filter(None, parts))))
                context.close()
        browser.close()
    return taken


def main() -> int:
    """Start a stack, let it work, and take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.page.pictures", description="Take pictures of the page.")
    parser.add_argument("--out", type=Path, default=TARGET, help="where the pictures are put")
    parser.add_argument("--widths", type=int, nargs="+", default=[WIDTHS[-1]], help="in pixels")
    parser.add_argument("--dark", action="store_true", help="as it looks in the dark")
    options = parser.parse_args()
    given = os.environ.get("DARKROOM_PAGE_HOME")
    with tempfile.TemporaryDirectory(prefix="darkroom-pictures-") as folder:
        home = Home(Path(given or folder))
        try:
            running = stack.up(home, print)
            admin_key = home.key_file.read_text()
            with Darkroom(running.api, admin_key) as admin:
                # In a stack that stays, each run is somebody else, who has done nothing yet.
                name = f"anna-{os.getpid()}" if given else "anna"
                key = keys.create(admin, {"name": name, "role": "artist"})["secret"]
                costs.set_budget(admin, name, 20)
            with Darkroom(running.api, key) as client:
                jobs = work(client)
            for path in take(running, key, admin_key, jobs[-1], options):
                print(path)
        finally:
            if not given:
                stack.down(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
