"""Endpoints in a browser: created, scaled, deleted, and why one cannot be used."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from darkroom_client import endpoints
from local.seed import ENDPOINT
from tests.e2e.conftest import Running
from tests.page.browser import WIDTHS, Watch, cut_off, go, violations
from tests.page.conftest import Opened, Person


@pytest.fixture
def admin(admin_page: Page) -> Page:
    """The view of endpoints as an admin sees it."""
    go(admin_page, "#/endpoints")
    return admin_page


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def test_the_state_of_an_endpoint_is_told(page: Page) -> None:
    go(page, "#/endpoints")
    one = row(page, ENDPOINT)
    expect(one).to_contain_text("InService")
    expect(one).to_contain_text(re.compile("It takes jobs|It sleeps"))
    expect(one).to_contain_text("0 to 1")
    expect(one).to_contain_text("ml.g5.xlarge")


def test_an_endpoint_is_created_scaled_and_deleted(admin: Page, stack: Running, artist: Person) -> None:
    name = f"e{artist.owner[-8:].replace('artist', '')}".strip("-")
    full = f"darkroom-local-{name}"
    admin.get_by_role("button", name="Create endpoint").click()
    form = admin.get_by_role("dialog", name="Create endpoint")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label("Instance type").fill("ml.m5.large")
    form.get_by_label("Most instances", exact=True).fill("2")
    form.get_by_role("button", name="Create endpoint").click()
    expect(form).to_have_count(0)
    one = row(admin, full)
    expect(one).to_be_visible()
    made = endpoints.find(stack.client, full)
    assert made
    assert (made["instance_type"], made["max_instances"]) == ("ml.m5.large", 2)
    expect(one).to_contain_text("InService")

    one.get_by_role("button", name="Scale").click()
    form = admin.get_by_role("dialog", name=f"Scale {full}")
    form.get_by_label("Least instances, value").fill("1")
    form.get_by_label("Least instances, value").press("Tab")
    expect(form.get_by_text("It never sleeps")).to_be_visible()
    form.get_by_role("button", name="Scale", exact=True).click()
    expect(one).to_contain_text("1 to 2")
    scaled = endpoints.find(stack.client, full)
    assert scaled
    assert scaled["min_instances"] == 1

    one.get_by_role("button", name="Delete").click()
    form = admin.get_by_role("dialog", name=f"Delete {full}?")
    form.get_by_role("button", name="Delete", exact=True).click()
    expect(one).to_have_count(0)


def test_an_endpoint_is_kept_awake_for_a_price_said_before_and_gets_working_hours(
    admin: Page, stack: Running, artist: Person
) -> None:
    full = f"darkroom-local-w{artist.owner[-8:].replace('artist', '').strip('-')}"
    body = {"name": full, "instance_type": "ml.g5.xlarge", "min_instances": 0, "max_instances": 1}
    endpoints.create(stack.client, body)
    admin.get_by_role("button", name="Refresh").click()
    one = row(admin, full)
    warm = one.get_by_role("group", name="Keep awake").get_by_role("button", name=re.compile(r"^2 h for \$\d"))
    expect(warm).to_be_enabled(timeout=60_000)
    warm.click()
    expect(one).to_contain_text("Kept awake until")
    one.get_by_role("button", name="End it").click()
    expect(one).not_to_contain_text("Kept awake until")

    one.get_by_role("button", name="Working hours…").click()
    form = admin.get_by_role("dialog", name=f"Working hours of {full}")
    form.get_by_label("Time zone").fill("Europe/Berlin")
    expect(form.get_by_text(re.compile(r"^196 hours a month, for \$\d"))).to_be_visible()
    form.get_by_role("button", name="Save").click()
    expect(one).to_contain_text("Mon–Fri 09:00–18:00, Europe/Berlin")
    changed = endpoints.find(stack.client, full)
    assert changed
    assert changed["hours"]
    assert changed["hours"]["time_zone"] == "Europe/Berlin"

    one.get_by_text("Last wake-ups").click()
    expect(one.get_by_text(re.compile("not known yet|first picture"))).to_be_visible()
    endpoints.delete(stack.client, full)


def test_what_the_form_lacks_is_said_at_its_field(admin: Page) -> None:
    admin.get_by_role("button", name="Create endpoint").click()
    form = admin.get_by_role("dialog", name="Create endpoint")
    form.get_by_label("Name", exact=True).fill("-no-")
    form.get_by_label("A container of your own").check()
    form.get_by_role("button", name="Create endpoint").click()
    expect(form.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_text("Write the address of the image.")).to_be_visible()
    expect(form).to_be_visible()


def test_an_artist_is_told_that_only_admins_create_endpoints(opened: Opened, artist: Person, watch: Watch) -> None:
    watch.expect("status of 403")
    page = opened(artist.key, "#/endpoints")
    page.get_by_role("button", name="Create endpoint").click()
    form = page.get_by_role("dialog", name="Create endpoint")
    form.get_by_role("button", name="Create endpoint").click()
    expect(form.get_by_role("alert")).to_be_visible()


def test_everything_is_done_by_keyboard(admin: Page) -> None:
    admin.get_by_role("button", name="Create endpoint").focus()
    admin.keyboard.press("Enter")
    form = admin.get_by_role("dialog", name="Create endpoint")
    expect(form.get_by_label("Name", exact=True)).to_be_focused()
    admin.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(admin.get_by_role("button", name="Create endpoint")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_endpoints_are_usable_at_each_width(opened: Opened, artist: Person, scheme: str) -> None:
    for width in WIDTHS:
        page = opened(artist.key, "#/endpoints", width=width, color_scheme=scheme)
        expect(row(page, ENDPOINT)).to_be_visible()
        assert (violations(page), cut_off(page)) == ([], []), width
        page.get_by_role("button", name="Create endpoint").click()
        assert (violations(page), cut_off(page)) == ([], []), width
