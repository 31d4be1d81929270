"""Generate on Cloud on txt2img: the click, its id, its result, and what the WebUI does with it."""

import json
import re
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from PIL import Image
from playwright.sync_api import Page, expect

from tests.extension.conftest import Stage, WebUI
from tests.extension.looks import Tab

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"


def test_the_webui_paints_itself_while_the_checkpoint_is_off(txt2img: Tab, webui: WebUI) -> None:
    txt2img.write("prompt", "a local pier")
    expect(txt2img.button).to_have_text("Generate")
    txt2img.button.click()
    expect(txt2img.info).to_contain_text("a local pier")
    assert "a local pier" in webui.state()["painted_here"]
    assert txt2img.known() == []


def test_a_click_paints_on_the_cloud_and_shows_the_result(txt2img: Tab, webui: WebUI, stage: Stage) -> None:
    txt2img.on_cloud(CHECKPOINT)
    txt2img.write("prompt", "a pier at dawn")
    txt2img.write("neg_prompt", "people")
    txt2img.choose_in("#txt2img_styles", "Oil")
    job_id = txt2img.generate()
    txt2img.shown(job_id)
    expect(txt2img.info).to_contain_text("oil painting of a pier at dawn, thick strokes")

    line = txt2img.part("tickets").locator(f"[data-job='{job_id}']")
    expect(line).to_contain_text("succeed")
    expect(line).to_contain_text("100 %")

    job = stage.client().job(job_id)
    assert job["checkpoint"] == CHECKPOINT
    asked = job["parameters"]
    assert asked["prompt"] == "oil painting of a pier at dawn, thick strokes"
    assert asked["negative_prompt"] == "people, photo"
    assert (asked["steps"], asked["width"], asked["seed"]) == (20, 512, -1)
    assert asked["s_tmax"] == "Infinity"
    assert "styles" not in asked
    # What is not one of the WebUI's own scripts comes along, switched on or not.
    assert list(asked["alwayson_scripts"]) == ["ControlNet"]
    state = webui.state()
    assert "a pier at dawn" not in " ".join(state["painted_here"])
    assert max(state["locked_seconds"]) < 1.5


def test_the_saved_files_have_the_bytes_of_the_cloud(txt2img: Tab, webui: WebUI, stage: Stage) -> None:
    txt2img.on_cloud(CHECKPOINT)
    txt2img.write("prompt", "a saved pier")
    job_id = txt2img.generate()
    txt2img.shown(job_id)
    client = stage.client()
    content = client.download(client.job(job_id)["images"][0]["url"])

    folder = webui.folder / "log" / "images"
    before = set(folder.glob("*")) if folder.is_dir() else set()
    txt2img.page.locator("#save_txt2img").click()
    txt2img.expect_log("Saved: ")
    (saved,) = set(folder.glob("*")) - before
    assert saved.read_bytes() == content

    txt2img.page.locator("#save_zip_txt2img").click()
    expect(txt2img.page.locator("a[href$='all.zip']").first).to_be_visible()
    with ZipFile(folder / "all.zip") as archive:
        (name,) = archive.namelist()
        assert archive.read(name) == content
    # As a picture of its own, the result lies in the WebUI's folder too.
    assert (webui.folder / f"outputs/txt2img-images/sagemaker/{job_id}-1.png").read_bytes() == content


def test_a_result_is_enlarged_from_its_own_picture_and_seed(txt2img: Tab, stage: Stage) -> None:
    txt2img.on_cloud(CHECKPOINT)
    for prompt in ("a pier before it", "a small pier"):
        txt2img.write("prompt", prompt)
        first_id = txt2img.generate()
        txt2img.shown(first_id)
    job_id = txt2img.click_for_id(txt2img.page.locator("#txt2img_upscale"))
    # Until the result is there, the picture that it enlarges stays in its place.
    expect(txt2img.page.locator("#txt2img_gallery img").first).to_be_visible()
    txt2img.shown(job_id)
    client = stage.client()
    first, job = client.job(first_id), client.job(job_id)
    assert (job["images"][0]["width"], job["images"][0]["height"]) == (1024, 1024)
    assert job["parameters"]["seed"] == first["images"][0]["seed"]
    (given,) = job["inputs"]
    pictures = [
        Image.open(BytesIO(client.download(url)), formats=["png"]).convert("RGB").tobytes()
        for url in (given["url"], first["images"][0]["url"])
    ]
    assert pictures[0] == pictures[1]


def test_a_result_can_be_sent_to_other_tabs_and_read_by_png_info(txt2img: Tab, webui: WebUI) -> None:
    txt2img.on_cloud(CHECKPOINT)
    txt2img.write("prompt", "a travelling pier")
    job_id = txt2img.generate()
    txt2img.shown(job_id)
    page = txt2img.page
    page.locator("#txt2img_send_to_extras").click()
    expect(page.locator("#extras_image img")).to_be_visible()
    txt2img.turn_to()
    page.locator("#txt2img_send_to_img2img").click()
    img2img = Tab(page, "img2img")
    expect(img2img.button).to_be_visible()
    page.locator("#tabs > div").first.locator("button").nth(3).click()
    stored = webui.folder / f"outputs/txt2img-images/sagemaker/{job_id}-1.png"
    page.locator("#pnginfo_image input[type=file]").set_input_files(stored)
    expect(page.locator("#pnginfo_html").last).to_contain_text("a travelling pier")


def test_the_next_click_does_not_wait_for_the_one_before(txt2img: Tab, knobs: object, stage: Stage) -> None:
    stage.knobs(latency_seconds=4)
    txt2img.on_cloud(CHECKPOINT)
    ids = []
    for number in range(3):
        txt2img.write("prompt", f"pier number {number}")
        ids.append(txt2img.generate())
    assert len(set(ids)) == 3
    for job_id in ids:
        assert stage.client().settled(job_id, 60)["status"] == "succeed"
    txt2img.shown(ids[-1])


def test_options_hires_and_a_selected_script_travel_along(page: Page, stage: Stage, tmp_path_factory: object) -> None:
    from tests.extension.conftest import log_in, start_webui

    folder: Path = tmp_path_factory.mktemp("options")  # type: ignore[attr-defined]
    webui = start_webui(folder, CLIP_stop_at_last_layers=2, sd_vae="None")
    try:
        log_in(webui, stage.api, stage.key)
        tab = Tab(page, "txt2img").open(webui.url)
        tab.on_cloud(CHECKPOINT)
        tab.write("prompt", "a scripted pier")
        tab.write("seed", "77")
        page.locator("#txt2img_hr input").check()
        tab.choose_in("#txt2img_script_list", "Prompt matrix")
        job_id = tab.generate()
        asked = stage.client().job(job_id)["parameters"]
        assert asked["override_settings"] == {"CLIP_stop_at_last_layers": 2, "sd_vae": "None"}
        assert (asked["enable_hr"], asked["hr_scale"], asked["hr_upscaler"]) == (True, 2.0, "Latent")
        assert (asked["script_name"], asked["script_args"]) == ("Prompt matrix", [True])
        assert asked["seed"] == 77
        tab.choose("vae", "Automatic")
        assert stage.client().job(tab.generate())["parameters"]["override_settings"]["sd_vae"] == "Automatic"
    finally:
        webui.stop()


def test_no_component_and_no_file_of_the_webui_ever_has_the_key(txt2img: Tab, webui: WebUI, stage: Stage) -> None:
    import httpx

    assert stage.key not in httpx.get(f"{webui.url}/config").text
    assert stage.key not in httpx.get(webui.url).text
    stored = json.loads((webui.folder / "ui-config.json").read_text())
    assert not [name for name in stored if re.search("Key$|Address of|session|Checkpoint Used", name)]
    assert stage.key not in webui.log.read_text()
