"""Costs in a browser: who sees what of a month, budgets set by an admin, and what a budget does where jobs are made."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from darkroom_client import Darkroom, costs
from local.seed import CHECKPOINT, ENDPOINT
from tests.e2e.conftest import Running, txt2img
from tests.page.browser import WIDTHS, Watch, cut_off, go, violations
from tests.page.conftest import Opened, Person
from tests.support.waiting import eventually

SMALL = txt2img(width=64, height=64)


@pytest.fixture
def bounded(stack: Running, artist: Person) -> Iterator[Person]:
    """The artist; a budget that they get is gone after the test."""
    yield artist
    costs.remove_budget(stack.client, artist.owner)


@pytest.fixture
def admin(admin_page: Page) -> Page:
    """The view of costs as an admin sees it."""
    go(admin_page, "#/costs")
    return admin_page


def budget_row(page: Page, owner: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=owner, exact=True))


def owner_row(page: Page, owner: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile(f"^{re.escape(owner)}")))


def set_of(stack: Running, owner: str) -> tuple[float, float] | None:
    """What an owner may spend in a month, and from which share of it on to warn."""
    found = [each for each in costs.budgets(stack.client) if each["owner"] == owner]
    return (found[0]["monthly"], found[0]["warn_at"]) if found else None


def test_an_artist_sees_the_own_jobs_alone(page: Page, api: Darkroom, artist: Person) -> None:
    go(page, "#/costs")
    expect(page.get_by_text("You made no jobs in")).to_be_visible()
    done = api.settled(api.submit(SMALL)["id"], 60)
    assert done["cost"] is not None
    page.get_by_role("button", name="Refresh").last.click()
    # The first row is that of the headings.
    expect(page.get_by_role("row")).to_have_count(2)
    expect(owner_row(page, artist.owner).get_by_role("cell").first).to_have_text("1")
    expect(page.get_by_text("Not in it: S3, DynamoDB, Lambda")).to_be_visible()
    expect(page.get_by_role("heading", name="By endpoint")).to_have_count(0)
    expect(page.get_by_role("button", name="Set a budget")).to_have_count(0)


def test_an_admin_sees_endpoints_and_owners(admin: Page, api: Darkroom, artist: Person) -> None:
    api.settled(api.submit(SMALL)["id"], 60)
    admin.get_by_role("button", name="Refresh").last.click()
    expect(owner_row(admin, artist.owner)).to_be_visible()
    endpoint = admin.get_by_role("listitem").filter(has=admin.get_by_role("heading", name=ENDPOINT, exact=True))
    expect(endpoint).to_contain_text(re.compile(r"Awake.*Jobs.*Waking.*Idle"))
    expect(admin.get_by_text("Overhead: waking and idle")).to_be_visible()


def test_an_earlier_month_has_an_address_of_its_own(admin: Page) -> None:
    expect(admin.get_by_role("heading", name="Budgets")).to_be_visible()
    admin.get_by_label("Month").select_option(index=12)
    expect(admin).to_have_url(re.compile(r"#/costs\?month=20\d\d-\d\d$"))
    expect(admin.get_by_text("No endpoint was awake in")).to_be_visible()
    expect(admin.get_by_role("heading", name="Budgets")).to_have_count(0)
    admin.reload()
    expect(admin.get_by_text("No endpoint was awake in")).to_be_visible()
    admin.get_by_label("Month").select_option(index=0)
    expect(admin.get_by_role("heading", name="Budgets")).to_be_visible()


def test_a_budget_is_set_changed_and_deleted(admin: Page, stack: Running, bounded: Person) -> None:
    admin.get_by_role("button", name="Set a budget").click()
    form = admin.get_by_role("dialog", name="Set a budget")
    form.get_by_label("Owner", exact=True).fill(bounded.owner)
    form.get_by_label("US dollars a month").fill("12.50")
    form.get_by_label("Warn from so many per cent on, value").fill("75")
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    one = budget_row(admin, bounded.owner)
    expect(one).to_contain_text("0% of $12.50")
    expect(one.get_by_role("meter")).to_have_attribute("aria-valuenow", "0")
    assert set_of(stack, bounded.owner) == (12.5, 0.75)

    one.get_by_role("button", name="Change").click()
    form = admin.get_by_role("dialog", name=f"Change the budget: {bounded.owner}")
    form.get_by_label("US dollars a month").fill("0")
    form.get_by_role("button", name="Save").click()
    expect(one).to_contain_text("New jobs are refused.")
    assert set_of(stack, bounded.owner) == (0, 0.75)

    one.get_by_role("button", name="Delete").click()
    form = admin.get_by_role("dialog", name=f"Delete the budget: {bounded.owner}?")
    form.get_by_role("button", name="Delete", exact=True).click()
    expect(one).to_have_count(0)
    assert set_of(stack, bounded.owner) is None


def test_what_is_wrong_with_a_budget_is_said_at_its_field(admin: Page, stack: Running) -> None:
    before = costs.budgets(stack.client)
    admin.get_by_role("button", name="Set a budget").click()
    form = admin.get_by_role("dialog", name="Set a budget")
    form.get_by_label("Owner", exact=True).fill("Not A Name")
    form.get_by_label("US dollars a month").fill("much")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_label("Owner", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_text("Write an amount in US dollars")).to_be_visible()
    assert costs.budgets(stack.client) == before


def test_what_the_api_refuses_is_said_in_the_dialog(admin: Page, stack: Running, bounded: Person, watch: Watch) -> None:
    """A key that was an admin's when the page was opened, and is an artist's now."""
    watch.expect("status of 403")
    admin.get_by_role("button", name="Set a budget").click()
    form = admin.get_by_role("dialog", name="Set a budget")
    form.get_by_label("Owner", exact=True).fill(bounded.owner)
    form.get_by_label("US dollars a month").fill("5")
    admin.evaluate("(key) => sessionStorage.setItem('darkroom.key', key)", bounded.key)
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_have_text("Your key may not do this. Ask an admin of Darkroom.")
    expect(form.get_by_label("US dollars a month")).to_have_value("5")
    assert set_of(stack, bounded.owner) is None


def clicked(page: Page) -> Response:
    """What the API answers to a click on *Generate on Cloud*."""

    def makes_a_job(response: Response) -> bool:
        return response.request.method == "POST" and response.url.endswith("/api/jobs")

    tab = page.get_by_role("tabpanel", name="txt2img", exact=True)
    tab.get_by_label("Stable Diffusion Checkpoint Used on Cloud").select_option(CHECKPOINT)
    tab.get_by_label("Prompt", exact=True).fill("a pier")
    with page.expect_response(makes_a_job) as answer:
        tab.get_by_role("button", name="Generate on Cloud").click()
    return answer.value


def test_a_budget_that_is_nearly_spent_is_told_where_jobs_are_made(page: Page, stack: Running, bounded: Person) -> None:
    costs.set_budget(stack.client, bounded.owner, 100, warn_at=0)

    def told() -> Any:
        return clicked(page).json()["budget"]

    # A warm function may know the list of budgets from half a minute ago.
    eventually(told, seconds=60, every=2)
    note = page.get_by_text(re.compile(rf"of this month's budget of \$100.00 for {re.escape(bounded.owner)} is used"))
    expect(note).to_be_visible()
    page.get_by_role("link", name="Show costs").click()
    expect(budget_row(page, bounded.owner)).to_contain_text("Nearly spent")


def test_a_job_that_a_spent_budget_refuses_is_said_beside_the_button(
    page: Page, stack: Running, bounded: Person, watch: Watch
) -> None:
    watch.expect("status of 402")
    costs.set_budget(stack.client, bounded.owner, 0)

    def refused() -> bool:
        return clicked(page).status == 402

    eventually(refused, seconds=60, every=2)
    alert = page.get_by_role("tabpanel", name="txt2img", exact=True).get_by_role("alert")
    expect(alert).to_contain_text("The budget for this month is spent")
    expect(alert).to_contain_text(f"{bounded.owner} may spend 0.00 dollars a month.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_costs_are_usable_at_each_width(opened: Opened, stack: Running, bounded: Person, scheme: str) -> None:
    costs.set_budget(stack.client, bounded.owner, 0)
    for width in WIDTHS:
        page = opened(bounded.key, "#/costs", width=width, color_scheme=scheme)
        expect(budget_row(page, bounded.owner)).to_be_visible()
        assert (violations(page), cut_off(page)) == ([], []), width
        page = opened(stack.key, "#/costs", width=width, color_scheme=scheme)
        expect(budget_row(page, bounded.owner)).to_be_visible()
        assert (violations(page), cut_off(page)) == ([], []), width
        page.get_by_role("button", name="Set a budget").click()
        assert (violations(page), cut_off(page)) == ([], []), width
