"""Open jobs: they run while a person works on, and are found again after a reload and on another device."""

from playwright.sync_api import Locator, Page, Route, expect

from darkroom_client import Darkroom
from local.seed import CHECKPOINT
from tests.e2e.conftest import Running, txt2img
from tests.page.browser import Watch, go, violations
from tests.page.conftest import Opened, Person
from tests.support.waiting import eventually


def tray(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Jobs")


def open_tray(page: Page) -> None:
    tray(page).get_by_role("button", expanded=False).click()


def ready(page: Page, prompt: str) -> None:
    """The form of txt2img, ready to be sent."""
    go(page, "#/txt2img")
    page.get_by_label("Stable Diffusion Checkpoint Used on Cloud").first.select_option(label=CHECKPOINT)
    page.get_by_label("Prompt", exact=True).first.fill(prompt)


def generate(page: Page) -> Locator:
    return page.get_by_role("button", name="Generate on Cloud")


def test_submitting_does_not_block_and_two_clicks_make_one_job(page: Page, api: Darkroom, stack: Running) -> None:
    stack.knobs(latency_seconds=20)
    ready(page, "a pier")
    generate(page).dblclick()
    expect(tray(page)).to_contain_text("1 open")
    page.get_by_label("Prompt", exact=True).first.fill("a harbour")
    generate(page).click()
    expect(tray(page)).to_contain_text("2 open")
    open_tray(page)
    assert violations(page) == []
    prompts = eventually(lambda: (found := [job["prompt"] for job in api.page()["jobs"]])[1:] and found)
    assert prompts == ["a harbour", "a pier"]
    expect(page).to_have_title("(2) Darkroom")
    tray(page).get_by_role("button", name="Cancel").first.click()
    expect(tray(page)).to_contain_text("Cancelled")
    stack.knobs()
    expect(tray(page)).to_contain_text("0 open")
    expect(tray(page)).to_contain_text("Succeeded")


def test_open_jobs_are_found_after_a_reload_and_on_another_device(
    page: Page, api: Darkroom, stack: Running, opened: Opened, artist: Person
) -> None:
    stack.knobs(latency_seconds=15)
    job = api.submit(txt2img(prompt="made elsewhere", width=64, height=64))
    page.reload()
    expect(tray(page)).to_contain_text("1 open")
    phone = opened(artist.key, width=360)
    expect(tray(phone)).to_contain_text("1 open")
    open_tray(phone)
    expect(tray(phone).get_by_role("link", name="made elsewhere")).to_be_visible()
    for each in (page, phone):
        expect(tray(each)).to_contain_text("0 open")
    tray(phone).get_by_role("link", name="made elsewhere").click()
    expect(phone.locator(".job-enlarge img")).to_have_js_property("naturalWidth", 64)
    assert job["id"] in phone.url


def test_a_job_that_ended_while_the_page_was_closed_is_shown(
    page: Page, api: Darkroom, stack: Running, watch: Watch
) -> None:
    stack.knobs(latency_seconds=3)
    ready(page, "finished behind your back")
    generate(page).click()
    open_tray(page)
    # The page has heard which job it is; without that, only the history knows it once it has ended.
    expect(tray(page).get_by_role("link", name="finished behind your back")).to_be_visible()
    (line,) = api.page()["jobs"]
    context = page.context
    page.close()
    api.settled(line["id"], 120)
    again = watch.over(context.new_page())
    again.goto(stack.stack.page)
    open_tray(again)
    expect(tray(again).get_by_role("link", name="finished behind your back")).to_be_visible()
    expect(tray(again)).to_contain_text("Succeeded")
    tray(again).get_by_role("button", name="Put finished jobs away").click()
    expect(tray(again)).to_contain_text("No jobs are open.")


def test_what_is_submitted_offline_is_sent_once_when_the_connection_is_back(
    page: Page, api: Darkroom, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED")
    ready(page, "sent later")
    expect(generate(page)).to_be_enabled()
    page.context.set_offline(True)
    generate(page).click()
    open_tray(page)
    expect(tray(page)).to_contain_text("Waiting for the connection")
    assert api.page()["jobs"] == []
    page.context.set_offline(False)
    (job,) = eventually(lambda: api.page()["jobs"])
    assert job["prompt"] == "sent later"
    expect(tray(page)).to_contain_text("Succeeded")
    assert len(api.page()["jobs"]) == 1


def test_an_answer_that_was_lost_makes_no_second_job(page: Page, api: Darkroom, watch: Watch) -> None:
    """The API takes the job, and its answer never arrives: the same wish is sent again, with the same key."""
    watch.expect("ERR_FAILED")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST" or lost:
            route.continue_()
            return
        lost.append(route.request.headers["idempotency-key"])
        assert route.fetch().status == 201
        route.abort()

    ready(page, "answered twice")
    page.route("**/api/jobs", lose)
    generate(page).click()
    open_tray(page)
    expect(tray(page).get_by_role("link", name="answered twice")).to_be_visible()
    expect(tray(page)).to_contain_text("Succeeded")
    assert lost
    assert len(api.page()["jobs"]) == 1
