"""The panel itself: the account, lists and their refusals, the history, several people, and a cloud that is away."""

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.extension.conftest import Stage, WebUI, free_port, log_in, start_webui
from tests.extension.looks import Tab

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"


def job(stage: Stage, prompt: str, **parameters: object) -> str:
    """Make a job beside the WebUI, and wait for its end; returns its id."""
    body = {"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": {"prompt": prompt, **parameters}}
    client = stage.client()
    made = client.submit(body)
    assert client.settled(made["id"], 60)["status"] == "succeed"
    return made["id"]


def ids(labels: list[str]) -> list[str]:
    """The ids in lines of the list."""
    return [label[-36:] for label in labels]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[WebUI]:
    """A double whose extension knows no stage."""
    webui = start_webui(tmp_path / "fresh")
    yield webui
    webui.stop()


def test_address_and_key_are_entered_once_and_can_be_forgotten(fresh: WebUI, page: Page, stage: Stage) -> None:
    tab = Tab(page, "txt2img").open(fresh.url)
    expect(tab.part("message")).to_contain_text("Enter the address and the key of your stage.")
    tab.unfold("account_box")
    tab.write("darkroom_address", stage.api)
    tab.write("darkroom_key", "no key of this stage")
    tab.press("connect")
    expect(tab.part("message")).to_contain_text("The cloud does not know this key")
    assert not fresh.account.exists()

    tab.write("darkroom_key", stage.key)
    tab.press("connect")
    expect(tab.part("message")).to_contain_text("Connected.")
    expect(page.locator("#txt2img_darkroom_key input").first).to_have_value("")
    assert json.loads(fresh.account.read_text()) == {"address": stage.api, "key": stage.key}
    if os.name == "posix":
        assert stat.S_IMODE(fresh.account.stat().st_mode) == 0o600
    tab.await_options("checkpoint", lambda offered: CHECKPOINT in offered)
    expect(tab.part("message")).to_contain_text("Connected.")
    tab.on_cloud(CHECKPOINT)
    assert stage.key not in fresh.log.read_text()

    tab.press("forget")
    expect(tab.part("message")).to_contain_text("forgotten")
    assert not fresh.account.exists()
    tab.button.click()
    tab.expect_log("Enter the address and the key of your stage")


def test_lists_are_the_cloud_s_and_off_leaves_the_button(txt2img: Tab) -> None:
    txt2img.on_cloud(CHECKPOINT)
    assert txt2img.options("checkpoint") == ["off", CHECKPOINT]
    assert txt2img.options("vae") == ["As in Settings", "Automatic", "None"]
    assert txt2img.options("endpoint")[0] == "Automatic"
    assert any(option.endswith("(InService)") for option in txt2img.options("endpoint"))
    txt2img.choose("checkpoint", "off")
    expect(txt2img.button).to_have_text("Generate")


def test_the_chosen_endpoint_gets_the_job_and_one_that_is_going_is_refused(txt2img: Tab, stage: Stage) -> None:
    from darkroom_client import endpoints

    client = stage.client()
    endpoints.create(client, {"name": "short-lived"})
    name = next(row["name"] for row in endpoints.listed(client) if row["name"].endswith("short-lived"))
    txt2img.press("refresh_endpoint")
    txt2img.choose("endpoint", "preview (InService)")
    txt2img.on_cloud(CHECKPOINT)
    txt2img.write("prompt", "on this endpoint")
    assert client.job(txt2img.generate())["endpoint"].endswith("preview")

    endpoints.delete(client, name)
    txt2img.press("refresh_endpoint")
    txt2img.choose("endpoint", "short-lived")
    expect(txt2img.part("message")).to_contain_text("short-lived")
    expect(txt2img.part("message").locator(".error")).to_be_visible()
    expect(txt2img.part("endpoint").locator("input").first).to_have_value("Automatic")


def test_a_refusal_stands_below_the_gallery_with_its_reason(txt2img: Tab) -> None:
    txt2img.on_cloud(CHECKPOINT)
    txt2img.write("prompt", "a pier <lora:nobody-has-this:1>")
    txt2img.button.click()
    txt2img.expect_log("nobody-has-this")
    expect(txt2img.page.locator("#html_log_txt2img .error")).to_be_visible()


def test_the_list_has_the_newest_ten_and_all_by_pages(txt2img: Tab, stage: Stage) -> None:
    for number in range(27):
        stage.client().submit(
            {
                "type": "txt2img",
                "checkpoint": CHECKPOINT,
                "parameters": {"prompt": f"page {number}", "width": 64, "height": 64},
            }
        )
    lines = [line["label"] for line in stage.client().page(limit=100)["jobs"]]
    txt2img.press("refresh_job")
    txt2img.await_options("job", lambda offered: ids(offered) == ids(lines[:10]))
    txt2img.part("every").locator("input").check()
    txt2img.await_options("job", lambda offered: ids(offered) == ids(lines[:25]))
    txt2img.press("later")
    txt2img.await_options("job", lambda offered: ids(offered) == ids(lines[25:50]))
    txt2img.press("earlier")
    txt2img.await_options("job", lambda offered: ids(offered) == ids(lines[:25]))


def test_filters_find_a_job_and_choosing_it_fills_output(txt2img: Tab, stage: Stage) -> None:
    animal = f"quokka{uuid4().hex}"
    wanted = job(stage, f"an unmistakable {animal}", batch_size=2, width=64, height=64)
    txt2img.unfold("filter")
    txt2img.part("types").get_by_text("txt2img", exact=True).click()
    txt2img.part("statuses").get_by_text("succeed", exact=True).click()
    txt2img.write("darkroom_of_endpoint", "preview")
    txt2img.write("darkroom_of_checkpoint", CHECKPOINT)
    txt2img.write("darkroom_words", f"{animal[:-3]} unmistakable")
    txt2img.press("search")
    txt2img.await_options("job", lambda offered: [label[-36:] for label in offered] == [wanted])
    txt2img.choose("job", wanted)
    txt2img.shown(wanted)
    expect(txt2img.info).to_contain_text(f"an unmistakable {animal}")
    assert txt2img.pictures() >= 2
    # Choosing a job paints nothing, and leaves the button as it is.
    expect(txt2img.button).to_have_text("Generate")

    txt2img.write("darkroom_since", "2001-01-01")
    txt2img.write("darkroom_until", "2001-12-31")
    txt2img.press("search")
    expect(txt2img.part("message")).to_contain_text("No job is found.")
    txt2img.write("darkroom_since", "yesterday evening")
    txt2img.press("search")
    expect(txt2img.part("message").locator(".error")).to_be_visible()
    txt2img.press("clear")
    expect(txt2img.part("message").locator(".error")).to_have_count(0)


def test_two_people_do_not_see_each_other_s_jobs(webui: WebUI, browser: Browser) -> None:
    pages = [browser.new_context().new_page() for _ in range(2)]
    first, second = (Tab(page, "txt2img").open(webui.url) for page in pages)
    first.on_cloud(CHECKPOINT)
    first.write("prompt", "mine alone")
    job_id = first.generate()
    first.shown(job_id)
    expect(second.button).to_have_text("Generate")
    assert second.known() == []
    assert second.log().strip() == ""
    # The same browser finds it again after a reload of the page.
    first.open(webui.url)
    expect(first.part("tickets").locator(f"[data-job='{job_id}']")).to_be_visible()
    for page in pages:
        page.context.close()


@pytest.fixture
def silent_cloud() -> Iterator[str]:
    """An address where connections are taken and nothing is ever answered."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    taken = []
    ended = threading.Event()

    def take() -> None:
        listener.settimeout(0.2)
        while not ended.is_set():
            try:
                taken.append(listener.accept()[0])
            except OSError:
                continue

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/v1"
    ended.set()
    thread.join()
    for connection in (*taken, listener):
        connection.close()


def test_a_cloud_that_does_not_answer_freezes_nothing(
    fresh: WebUI, page: Page, stage: Stage, silent_cloud: str
) -> None:
    log_in(fresh, stage.api, stage.key)
    tab = Tab(page, "txt2img").open(fresh.url)
    tab.on_cloud(CHECKPOINT)
    log_in(fresh, silent_cloud, "any")
    tab.write("prompt", "into the void")
    for _ in range(3):
        tab.button.click()
        expect(tab.info).to_contain_text("Sending to the cloud")
        tab.page.wait_for_timeout(300)
    tab.press("refresh_checkpoint")
    expect(tab.part("message")).to_contain_text("The cloud does not answer")
    assert max(fresh.state()["locked_seconds"]) < 1.5
    # The WebUI goes on working, on this machine too.
    tab.choose("checkpoint", "off")
    tab.write("prompt", "meanwhile, here")
    tab.button.click()
    expect(tab.info).to_contain_text("meanwhile, here")


def test_a_model_of_this_machine_is_named_and_uploaded(txt2img: Tab, webui: WebUI, stage: Stage) -> None:
    folder = webui.folder / "models" / "Lora"
    folder.mkdir(parents=True, exist_ok=True)
    # The stage may have been used before.
    stem = f"brush-{uuid4().hex[:12]}"
    header = json.dumps({"__metadata__": {}}).encode()
    (folder / f"{stem}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    txt2img.unfold("models_box")
    txt2img.press("compare")
    txt2img.choose("models", stem)
    expect(txt2img.part("command")).to_contain_text("darkroom checkpoints upload")
    expect(txt2img.part("command")).to_contain_text(f"{stem}.safetensors")

    # A job that needs it is refused, and says the command.
    txt2img.on_cloud(CHECKPOINT)
    txt2img.write("prompt", f"<lora:{stem}:1>")
    txt2img.button.click()
    txt2img.expect_log("darkroom checkpoints upload")

    txt2img.press("upload")
    line = txt2img.part("tickets").locator(".darkroom-line", has_text=f"{stem}.safetensors")
    expect(line).to_have_attribute("data-state", "done")
    expect(line).to_contain_text("100 %")

    # Now it is among the extra networks of the cloud, and the prompt can name it.
    txt2img.unfold("networks_box")
    txt2img.press("refresh_network")
    txt2img.write("prompt", "a pier")
    txt2img.choose("network", f"<lora:{stem}:1>")
    txt2img.press("add_network")
    expect(txt2img.page.locator("#txt2img_prompt textarea")).to_have_value(f"a pier <lora:{stem}:1>")
    assert stage.client().job(txt2img.generate())["models"]["lora"] == [f"{stem}.safetensors"]
