"""One tab of the WebUI as a person sees and uses it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

JOB_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TABS = ("txt2img", "img2img", "extras", "png_info")


class Tab:
    """txt2img or img2img."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    def open(self, url: str) -> "Tab":
        """Open the page on this tab, with the panel open and its lists loaded."""
        self.page.goto(url)
        self.turn_to()
        panel = self.part("panel")
        panel.locator("button.label-wrap, .label-wrap").first.click()
        expect(self.part("checkpoint")).to_be_visible()
        return self

    def turn_to(self) -> None:
        """Turn to this tab of the page."""
        self.page.locator("#tabs > div").first.locator("button").nth(TABS.index(self.name)).click()

    def part(self, name: str) -> Locator:
        """A part of the panel."""
        # Some components have their id twice, on their frame and on what is in it.
        return self.page.locator(f"#{self.name}_darkroom_{name}").first

    def choose(self, name: str, option: str) -> None:
        """Choose from a list of the panel, as soon as it has this option."""
        self.choose_in(f"#{self.name}_darkroom_{name}", option, self.part(f"refresh_{name}"))

    def choose_in(self, where: str, option: str, refresh: Locator | None = None) -> None:
        """Choose from any list. On a slow machine the first answer of the stage may have come too late."""
        field = self.page.locator(f"{where} input").first

        def offered() -> Locator:
            return self.page.locator(where).get_by_test_id("dropdown-option").filter(has_text=option).first

        for number in range(20):
            if refresh is not None and number % 5 == 4 and refresh.count():
                refresh.click()
            field.click()
            try:
                offered().wait_for(timeout=1000)
                break
            except Exception:
                field.press("Escape")
                self.page.locator("body").click(position={"x": 2, "y": 2})
        offered().click()

    def options(self, name: str) -> list[str]:
        """What a list of the panel offers now."""
        self.part(name).locator("input").first.click()
        found = [text.strip() for text in self.part(name).get_by_test_id("dropdown-option").all_inner_texts()]
        self.page.locator("body").click(position={"x": 2, "y": 2})
        return [text.replace("✓", "").strip() for text in found]

    def await_options(self, name: str, right: Callable[[list[str]], bool]) -> list[str]:
        """What a list of the panel offers, as soon as it is right."""
        for _ in range(20):
            found = self.options(name)
            if right(found):
                return found
            self.page.wait_for_timeout(700)
        raise AssertionError(f"{name} offers {found}")

    def write(self, what: str, text: str) -> None:
        """Write into a field: the prompt, or one of the panel."""
        field = self.page.locator(f"#{self.name}_{what} textarea, #{self.name}_{what} input").first
        field.fill(text)

    def prompt(self) -> str:
        """The prompt as it is."""
        return str(self.page.locator(f"#{self.name}_prompt textarea").input_value())

    @property
    def button(self) -> Locator:
        """The button Generate."""
        return self.page.locator(f"#{self.name}_generate")

    def on_cloud(self, checkpoint: str) -> None:
        """Choose a checkpoint of the cloud."""
        self.choose("checkpoint", checkpoint)
        expect(self.button).to_have_text("Generate on Cloud")

    def generate(self) -> str:
        """Click on Generate on Cloud; returns the inference id that appears."""
        return self.click_for_id(self.button)

    def click_for_id(self, button: Locator) -> str:
        """Click on a button that makes a job; returns the inference id that appears."""
        before = self.known()
        button.click()
        line = self.part("tickets").locator(".darkroom-line").first
        for _ in range(200):
            job = line.get_attribute("data-job") if line.count() else ""
            if job and job not in before:
                return str(job)
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no inference id: {self.log()}")

    def known(self) -> list[str]:
        """The inference ids that the panel shows."""
        lines = self.part("tickets").locator(".darkroom-line")
        return [job for job in (line.get_attribute("data-job") for line in lines.all()) if job]

    @property
    def info(self) -> Locator:
        """The text below the gallery."""
        return self.page.locator(f"#html_info_{self.name}").last

    def log(self) -> str:
        """The errors and times below the gallery."""
        return str(self.page.locator(f"#html_log_{self.name}").last.inner_text())

    def expect_log(self, words: Any) -> None:
        """Wait until the text below the gallery says this."""
        expect(self.page.locator(f"#html_log_{self.name}").last).to_contain_text(words)

    def shown(self, job: str) -> None:
        """Wait until the result of this job is in Output."""
        self.expect_log(job)
        expect(self.page.locator(f"#{self.name}_gallery img").first).to_be_visible()

    def pictures(self) -> int:
        """How many pictures the gallery has."""
        thumbnails = self.page.locator(
            f"#{self.name}_gallery .thumbnails button, #{self.name}_gallery .grid-container button"
        )
        return max(1, int(thumbnails.count()))

    def press(self, name: str) -> None:
        """Press a button of the panel."""
        self.part(name).click()

    def unfold(self, name: str) -> None:
        """Open a part of the panel that is closed."""
        self.part(name).locator(".label-wrap").first.click()

    def upload(self, where: str, file: Path | list[Path]) -> None:
        """Give a file to a picture or a list of files."""
        self.page.locator(f"{where} input[type=file]").first.set_input_files(file)
