"""A job: its pictures, what is known of it, and what can be done with it."""

import base64
import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from darkroom_client import Darkroom
from darkroom_client.answers import Job
from tests.e2e.conftest import Running, txt2img
from tests.page.browser import Watch, go
from tests.support.waiting import eventually

PROMPT = "a lighthouse on a cliff, film grain"


@pytest.fixture
def job(api: Darkroom) -> Job:
    """A finished job with two pictures."""
    body = txt2img(prompt=PROMPT, negative_prompt="blurry", seed=41, steps=7, width=128, height=64, batch_size=2)
    return api.settled(api.submit(body)["id"], 120)


def look(page: Page, job_id: str) -> None:
    go(page, f"#/jobs/{job_id}")
    expect(page.locator(".job-columns")).to_be_visible()


def row(page: Page, label: str) -> str:
    """What stands beside a label."""
    return (
        page.locator(".job-rows > div").filter(has=page.get_by_text(label, exact=True)).first.locator("dd").inner_text()
    )


def test_what_is_known_of_a_job(page: Page, job: Job) -> None:
    look(page, job["id"])
    expect(page.locator(".job-enlarge img")).to_have_js_property("naturalWidth", 128)
    assert page.locator(".job-said").all_inner_texts() == [PROMPT, "blurry"]
    assert row(page, "UUID") == job["id"]
    assert row(page, "Seed") == "41"
    assert row(page, "Size") == "128 × 64"
    assert row(page, "Stable Diffusion checkpoint") == job["checkpoint"]
    assert row(page, "Endpoint") == job["endpoint"]
    assert row(page, "Steps") == "7"
    assert row(page, "Cost").startswith("$")
    assert row(page, "Running").endswith("sec")
    page.get_by_role("button", name="Show picture 2").click()
    assert row(page, "Seed") == "42"


def test_a_picture_is_saved_byte_for_byte(page: Page, job: Job) -> None:
    look(page, job["id"])
    page.get_by_role("button", name="Show picture 2").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == f"{job['id']}-2.png"
    saved = Path(download.value.path()).read_bytes()
    assert hashlib.sha256(saved).hexdigest() == job["images"][1]["sha256"]


def test_a_picture_is_zoomed_and_moved_by_keyboard(page: Page, job: Job) -> None:
    look(page, job["id"])
    page.locator(".job-enlarge").focus()
    page.keyboard.press("Enter")
    scale = page.locator(".viewer-tools output")
    expect(scale).to_have_text("100%")
    expect(page.locator(".viewer")).to_be_focused()
    page.keyboard.press("+")
    expect(scale).to_have_text("125%")
    picture = page.locator(".viewer img")
    left = "(image) => image.getBoundingClientRect().left"
    before = picture.evaluate(left)
    page.keyboard.press("ArrowRight")
    eventually(lambda: picture.evaluate(left) < before)
    page.keyboard.press("PageDown")
    expect(page.get_by_role("heading", name="Picture 2 of 2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".job-enlarge")).to_be_focused()


def test_a_failed_job_says_what_to_do_and_is_repeated(page: Page, api: Darkroom, stack: Running) -> None:
    stack.knobs(fail_next=1)
    failed = api.settled(api.submit(txt2img(width=64, height=64))["id"], 120)
    look(page, failed["id"])
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(failed["error"]["message"] if failed["error"] else "")
    expect(alert).to_contain_text("Look at what the worker says")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("link", name=failed["id"])).to_be_visible()
    expect(page.locator(".job-enlarge img")).to_have_js_property("naturalWidth", 64)


def test_a_link_that_has_expired_is_asked_for_anew(page: Page, job: Job, watch: Watch) -> None:
    watch.expect("status of 403")
    refused: list[str] = []

    def expired(route: Route) -> None:
        """S3 refuses the first request, as it does with a link that has expired."""
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=403, headers={"Access-Control-Allow-Origin": "*"}, body="expired")

    page.route("**/output/0.png?*", expired)
    look(page, job["id"])
    expect(page.locator(".job-enlarge img")).to_have_js_property("naturalWidth", 128)
    assert refused


def test_the_same_seed_fills_the_form(page: Page, job: Job) -> None:
    look(page, job["id"])
    page.get_by_role("button", name="Show picture 2").click()
    page.get_by_role("button", name="Same seed").click()
    expect(page.get_by_role("tab", name="txt2img", exact=True)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Prompt", exact=True).first).to_have_value(PROMPT)
    expect(page.get_by_label("Seed", exact=True).first).to_have_value("42")


@pytest.mark.parametrize(("name", "tab"), [("img2img", "img2img"), ("inpaint", "img2img"), ("extras", "Extras")])
def test_a_picture_is_sent_on(page: Page, job: Job, name: str, tab: str) -> None:
    look(page, job["id"])
    page.get_by_role("group", name="Send to").get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=tab, exact=True).first).to_have_attribute("aria-selected", "true")
    place = page.locator("canvas:visible, img[src^=blob]:visible").first
    expect(place).to_be_visible()


DROP = """([name, type, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name, { type }));
    const event = (kind) => new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    const taken = document.body.dispatchEvent(event("dragover"));
    document.body.dispatchEvent(event("drop"));
    return !taken;
}"""


def test_a_dropped_picture_fills_the_form_and_opens_its_job(page: Page, api: Darkroom, job: Job) -> None:
    other = api.settled(api.submit(txt2img(prompt=PROMPT, seed=42, steps=9, width=64, height=64))["id"], 120)
    image = job["images"][1]
    file = base64.b64encode(api.download(image["url"])).decode()
    expect(page.get_by_role("tab").first).to_be_visible()
    assert page.evaluate(DROP, ["mine.png", "image/png", file])
    expect(page.get_by_text("This picture is from this job.")).to_be_visible()
    assert page.evaluate("() => location.hash") == f"#/jobs/{job['id']}" != f"#/jobs/{other['id']}"
    page.get_by_role("tab", name="txt2img", exact=True).click()
    expect(page.get_by_label("Prompt", exact=True).first).to_have_value(PROMPT)
    expect(page.get_by_label("Seed", exact=True).first).to_have_value("42")
    page.evaluate(DROP, ["words.txt", "text/plain", base64.b64encode(b"no picture").decode()])
    expect(page.get_by_text("This is no picture that the page can read.")).to_be_visible()


def test_a_job_that_is_not_there_says_so(page: Page, watch: Watch) -> None:
    watch.expect("status of 404")
    go(page, "#/jobs/01900000-0000-7000-8000-000000000000")
    expect(page.get_by_text("This job does not exist")).to_be_visible()
