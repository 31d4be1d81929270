"""What is around every page: the key, languages, themes, keys of the keyboard, and a connection that breaks."""

import json

import pytest
from playwright.sync_api import Page, expect

from darkroom_client import Darkroom
from tests.e2e.conftest import txt2img
from tests.page.browser import KEY, WIDTHS, Watch
from tests.page.conftest import Opened, Person

HISTORY = {"en": "Inference Job History", "zh-CN": "推理任务历史", "ja": "推論ジョブ履歴"}
STORED = (
    "() => JSON.stringify([{...sessionStorage}, {...localStorage}, location.href, document.documentElement.outerHTML])"
)


def enter(page: Page, key: str, keep: bool = False) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_label("Keep on this device").set_checked(keep)
    page.get_by_role("button", name="Enter").click()


def test_the_key_is_asked_for_once_and_kept_for_this_tab_alone(opened: Opened, artist: Person, watch: Watch) -> None:
    watch.expect("status of 401")
    page = opened(None, "#/history")
    enter(page, "dk_wrong")
    expect(page.get_by_text("This key is not valid, or not any more.")).to_be_visible()
    enter(page, f"  Bearer {artist.key} ")
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("No jobs yet.")).to_be_visible()

    session, local, address, markup = json.loads(page.evaluate(STORED))
    assert session[KEY] == artist.key
    assert artist.key not in json.dumps(local) + address + markup
    other = watch.over(page.context.new_page())
    other.goto(page.url)
    expect(other.get_by_label("Key", exact=True)).to_be_visible()


def test_a_key_is_kept_on_the_device_until_it_is_changed(opened: Opened, artist: Person, watch: Watch) -> None:
    page = opened(None, "#/history")
    enter(page, artist.key, keep=True)
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    other = watch.over(page.context.new_page())
    other.goto(page.url)
    expect(other.get_by_text("No jobs yet.")).to_be_visible()
    other.get_by_role("button", name="Change key").click()
    expect(other.get_by_label("Key", exact=True)).to_be_visible()
    assert artist.key not in json.dumps(other.evaluate(STORED))


def test_work_goes_on_with_another_key_when_one_is_withdrawn(page: Page, artist: Person, watch: Watch) -> None:
    """What was written stays, and the request that was refused is sent again with the new key."""
    watch.expect("status of 401")
    page.get_by_label("Prompt", exact=True).first.fill("not to be lost")
    page.evaluate("([name, key]) => sessionStorage.setItem(name, key)", [KEY, "dk_withdrawn"])
    page.get_by_role("tab", name=HISTORY["en"]).click()
    enter(page, artist.key)
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    page.get_by_role("tab", name="txt2img", exact=True).click()
    expect(page.get_by_label("Prompt", exact=True).first).to_have_value("not to be lost")


SHIFTS = """() => new Promise((told) => {
    const moved = [];
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) {
            if (!one.hadRecentInput) moved.push([one.value, ...one.sources.map(({ node }) => node?.className ?? "")]);
        }
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => told(moved.filter(([value]) => value > 0.01)), 0));
})"""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_while_a_view_loads(opened: Opened, api: Darkroom, artist: Person, width: int) -> None:
    done = api.settled(api.submit(txt2img(width=256, height=128))["id"], 120)
    for view, loaded in ((f"#/jobs/{done['id']}", ".job-enlarge img"), ("#/history", ".history-line img")):
        page = opened(artist.key, view, width=width)
        expect(page.locator(loaded)).to_have_js_property("complete", True)
        assert page.evaluate(SHIFTS) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_view_opens_at_its_top_with_the_chosen_tab_in_sight(opened: Opened, artist: Person, width: int) -> None:
    for name in ("img2img", "Costs"):
        page = opened(artist.key, f"#/{name.lower()}", width=width)
        expect(page.get_by_role("tab", name=name, exact=True).first).to_be_in_viewport(ratio=0.99)
        assert page.evaluate("scrollY") == 0


def test_a_chosen_language_and_theme_stay(page: Page) -> None:
    page.get_by_label("Language").select_option("日本語")
    expect(page.get_by_role("tab", name=HISTORY["ja"])).to_be_visible()
    body = page.locator("body")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    page.get_by_label("テーマ").select_option("ダーク")
    expect(body).to_have_css("background-color", "rgb(11, 15, 25)")
    page.reload()
    expect(page.get_by_role("tab", name=HISTORY["ja"])).to_be_visible()
    expect(body).to_have_css("background-color", "rgb(11, 15, 25)")


def test_a_browser_is_greeted_in_its_own_language(opened: Opened, artist: Person) -> None:
    page = opened(artist.key, locale="zh-CN", color_scheme="dark")
    expect(page.get_by_role("tab", name=HISTORY["zh-CN"])).to_be_visible()


def test_tabs_are_walked_by_keyboard_and_the_focus_is_seen(page: Page) -> None:
    page.get_by_role("tab", name="txt2img", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="img2img", exact=True).first).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Costs")).to_be_focused()
    assert page.evaluate("() => location.hash") == "#/costs"
    style = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(style) == "solid"
    page.go_back()
    expect(page.get_by_role("tab", name="img2img", exact=True).first).to_have_attribute("aria-selected", "true")


def test_a_lost_connection_is_said_and_mended(page: Page, api: Darkroom, watch: Watch) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED")
    page.get_by_role("tab", name=HISTORY["en"]).click()
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("Offline. The page goes on trying")).to_be_visible()
    job = api.submit(txt2img(width=64, height=64))
    page.context.set_offline(False)
    expect(page.get_by_text("Offline. The page goes on trying")).to_have_count(0)
    expect(page.get_by_role("link").filter(has_text=job["id"])).to_be_visible()
