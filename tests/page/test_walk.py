"""A walk through all views, in each language, at each width, by day and by night."""

import re

import pytest
from playwright.sync_api import Page, expect

from darkroom_client import Darkroom
from tests.e2e.conftest import txt2img
from tests.page.browser import LANGUAGE, WIDTHS, complete, cut_off, go, violations
from tests.page.conftest import Opened, Person

LANGUAGES = ("en", "zh-CN", "ja")
VIEWS = ("txt2img", "img2img", "extras", "history", "endpoints", "models")
FOREIGN = {"en": re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]"), "zh-CN": re.compile(r"[\u3040-\u30ff]")}
"""Letters that a language does not have: kana in Chinese, any of these in English."""
NAMES_OF_LANGUAGES = re.compile("简体中文|日本語")
BARE = re.compile(r"\{\w+[|}]|undefined|\[object|NaN|Invalid Date")
"""What stands where a text was not made well."""


@pytest.fixture
def job(api: Darkroom) -> str:
    """A finished job, so that the history and its page have something to show."""
    made = api.submit(txt2img(prompt="a harbour at dawn", seed=7, width=64, height=64))
    return api.settled(made["id"], 120)["id"]


def looked_at(page: Page, language: str) -> None:
    """Nothing stands out, axe finds nothing, and the words are those of the language."""
    complete(page)
    assert cut_off(page) == []
    assert violations(page) == []
    words = NAMES_OF_LANGUAGES.sub("", page.locator("body").inner_text())
    assert not BARE.search(words), BARE.search(words)
    if language in FOREIGN:
        found = FOREIGN[language].search(words)
        assert not found, words[max(0, found.start() - 40) : found.end() + 40]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_can_be_walked_through(opened: Opened, artist: Person, job: str, language: str, width: int) -> None:
    dress = "dark" if width == WIDTHS[1] else "light"
    page = opened(artist.key, width=width, color_scheme=dress, storage={LANGUAGE: language})
    expect(page.locator("html")).to_have_attribute("lang", language)
    tabs = page.get_by_role("tablist").first.get_by_role("tab")
    expect(tabs).to_have_count(len(VIEWS))
    for number, view in enumerate(VIEWS):
        tabs.nth(number).click()
        expect(page).to_have_url(re.compile(rf"#/{view}"))
        expect(tabs.nth(number)).to_have_attribute("aria-selected", "true")
        looked_at(page, language)
    go(page, f"#/jobs/{job}")
    expect(page.locator("main img:visible").first).to_be_visible()
    looked_at(page, language)


def test_the_tabs_are_walked_through_by_keyboard(page: Page) -> None:
    tabs = page.get_by_role("tablist").first.get_by_role("tab")
    expect(tabs).to_have_count(len(VIEWS))
    tabs.first.focus()
    for number, view in enumerate(VIEWS[1:], start=1):
        page.keyboard.press("ArrowRight")
        expect(tabs.nth(number)).to_be_focused()
        expect(page).to_have_url(re.compile(rf"#/{view}"))
