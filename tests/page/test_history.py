"""Inference Job History: the newest ten, all of them, filters that can be sent to a colleague, and what is done."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from darkroom_client import Darkroom
from tests.e2e.conftest import Running, txt2img
from tests.page.browser import Watch, go
from tests.page.conftest import Opened, Person
from tests.support.waiting import eventually

SMALL = {"width": 64, "height": 64, "steps": 1}
MARKUP = "<img src=x onerror=alert(1)><b>bold</b> &amp; {n}"


def lines(page: Page) -> Locator:
    return page.locator(".history-line")


def line_of(page: Page, job_id: str) -> Locator:
    return lines(page).filter(has_text=job_id)


def there(page: Page, query: str = "") -> None:
    go(page, f"#/history{query}")


def test_the_newest_ten_and_then_all(page: Page, api: Darkroom) -> None:
    jobs = [api.submit(txt2img(**SMALL, seed=number)) for number in range(13)]
    for job in jobs:
        api.settled(job["id"], 120)
    there(page)
    expect(lines(page)).to_have_count(10)
    newest = lines(page).first
    expect(newest).to_contain_text(jobs[-1]["id"])
    expect(newest).to_contain_text("txt2img")
    expect(newest).to_contain_text("Succeeded")
    expect(newest.locator("time")).to_have_attribute("datetime", jobs[-1]["created_at"])
    expect(newest.locator("img")).to_have_js_property("complete", True)
    page.get_by_role("button", name="Show All").click()
    expect(lines(page)).to_have_count(13)
    expect(lines(page).last).to_contain_text(jobs[0]["id"])


def test_a_filtered_view_is_sent_to_a_colleague(page: Page, api: Darkroom, opened: Opened, stack: Running) -> None:
    harbour = api.submit(txt2img(**SMALL, prompt="a harbour at dawn"))
    pier = api.submit(txt2img(**SMALL, prompt="a pier at dusk"))
    for job in (harbour, pier):
        api.settled(job["id"], 120)
    there(page)
    expect(lines(page)).to_have_count(2)
    page.get_by_role("button", name="Advanced Inference Job filter").click()
    page.get_by_label("Words of the prompt").fill("HARBOUR dawn")
    page.get_by_role("group", name="Type").get_by_label("txt2img").check()
    page.get_by_label("From", exact=True).fill("2026-01-01")
    page.get_by_role("button", name="Apply filter").click()
    expect(lines(page)).to_have_count(1)
    expect(line_of(page, harbour["id"])).to_be_visible()

    colleague = opened(stack.key, page.url.partition("/#")[2].join(("#", "")))
    expect(line_of(colleague, harbour["id"])).to_be_visible()
    expect(line_of(colleague, pier["id"])).to_have_count(0)
    expect(colleague.get_by_text("Words of the prompt: HARBOUR dawn")).to_be_visible()

    page.get_by_role("button", name="Remove Words of the prompt: HARBOUR dawn").click()
    expect(lines(page)).to_have_count(2)
    page.get_by_role("button", name="Clear filter").click()
    expect(page.get_by_text("Type: txt2img")).to_have_count(0)
    assert page.evaluate("() => location.hash") == "#/history"
    page.go_back()
    expect(page.get_by_text("Type: txt2img")).to_be_visible()


def test_a_filter_that_finds_nothing_says_so(page: Page, api: Darkroom) -> None:
    api.settled(api.submit(txt2img(**SMALL))["id"], 120)
    there(page, "?status=fail&type=nonsense")
    expect(page.get_by_text("No job is found.")).to_be_visible()
    expect(page.get_by_text("Status: Failed")).to_be_visible()


def test_prompts_and_names_are_text_whatever_they_hold(page: Page, api: Darkroom) -> None:
    job = api.submit(txt2img(**SMALL, prompt=MARKUP))
    api.edit(job["id"], tags=[MARKUP])
    there(page)
    expect(line_of(page, job["id"])).to_contain_text(MARKUP)
    page.get_by_role("link").filter(has_text=job["id"]).click()
    expect(page.get_by_role("heading", name="Prompt", exact=True)).to_be_visible()
    expect(page.locator(".job-facts .job-said").first).to_have_text(MARKUP)
    assert page.locator("main b, main [onerror]").count() == 0


def test_replay_cancel_and_delete(page: Page, api: Darkroom, stack: Running) -> None:
    done = api.settled(api.submit(txt2img(**SMALL))["id"], 120)
    there(page)
    stack.knobs(latency_seconds=60)
    line_of(page, done["id"]).get_by_role("button", name="Replay").dblclick()
    expect(lines(page)).to_have_count(2)
    (again,) = [job for job in api.page()["jobs"] if job["id"] != done["id"]]
    expect(line_of(page, again["id"])).to_be_visible()
    line_of(page, again["id"]).get_by_role("button", name="Cancel").click()
    expect(line_of(page, again["id"])).to_contain_text("Cancelled")
    line_of(page, again["id"]).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    line_of(page, again["id"]).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(line_of(page, again["id"])).to_have_count(0)
    eventually(lambda: [job["id"] for job in api.page()["jobs"]] == [done["id"]])


def test_a_viewer_may_look_and_is_told_why_nothing_else(
    opened: Opened, api: Darkroom, person: Callable[[str], Person], watch: Watch
) -> None:
    watch.expect("status of 403")
    job = api.settled(api.submit(txt2img(**SMALL))["id"], 120)
    page = opened(person("viewer").key, f"#/history?owner={job['owner']}")
    line_of(page, job["id"]).get_by_role("button", name="Replay").click()
    expect(page.get_by_text("Your key may not do this.")).to_be_visible()
