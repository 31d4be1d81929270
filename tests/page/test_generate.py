"""Generate on Cloud: what is set on the page is what the job asks for, and what cannot be sent is refused readably."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Request, Route, expect

from darkroom_client import Darkroom
from local.seed import CHECKPOINT
from tests.e2e.conftest import Running
from tests.page import shelf
from tests.page.browser import WIDTHS, cut_off, violations
from tests.page.canvas import sheet
from tests.page.conftest import Opened, Person
from tests.support.waiting import eventually

CHECKPOINT_LABEL = "Stable Diffusion Checkpoint Used on Cloud"
ENDPOINT_LABEL = "Select Cloud SageMaker Endpoint"
TABS = {"txt2img": "txt2img", "img2img": "img2img", "extras": "Extras"}


@pytest.fixture(autouse=True)
def files(stack: Running) -> None:
    """Some model files beside the checkpoint."""
    shelf.put(stack.client, "lora", "film_grain.safetensors", {"modelspec.trigger_phrase": "film grain, dusk light"})
    shelf.put(stack.client, "embedding", "easynegative.safetensors")
    shelf.put(stack.client, "vae", "vae-ft-mse.safetensors")
    shelf.put(stack.client, "controlnet", "control_canny.safetensors")
    shelf.put(stack.client, "upscaler", "4x-Test.safetensors")


def tab(page: Page, name: str) -> Locator:
    """The page of a tab, chosen and with its lists read."""
    page.get_by_role("tab", name=TABS[name], exact=True).first.click()
    inside = page.get_by_role("tabpanel", name=TABS[name], exact=True).first
    options = inside.get_by_label(CHECKPOINT_LABEL if name != "extras" else "Upscaler 1").locator("option")
    expect(options.filter(has_text=CHECKPOINT if name != "extras" else "4x-Test")).to_be_attached()
    return inside


def with_checkpoint(page: Page, name: str = "txt2img") -> Locator:
    """The same with the checkpoint chosen."""
    inside = tab(page, name)
    inside.get_by_label(CHECKPOINT_LABEL).select_option(CHECKPOINT)
    return inside


def number(inside: Locator, label: str, value: float) -> None:
    """Writes a number into the field beside a slider."""
    field = inside.get_by_label(f"{label}, value", exact=True)
    field.fill(str(value))
    field.press("Enter")


def send(inside: Locator) -> None:
    inside.get_by_role("button", name="Generate on Cloud").click()


def only_job(api: Darkroom) -> Any:
    """The one job that this person made."""
    lines = eventually(lambda: api.page(limit=10)["jobs"])
    assert len(lines) == 1
    return api.job(lines[0]["id"])


def png(width: int = 96, height: int = 64, noise: bool = False) -> bytes:
    picture = Image.effect_noise((width, height), 80) if noise else Image.linear_gradient("L").resize((width, height))
    out = io.BytesIO()
    (Image.merge("RGB", [picture, picture.rotate(180), picture]) if noise else picture.convert("RGB")).save(out, "PNG")
    return out.getvalue()


def drop_in(inside: Locator, picture: bytes) -> None:
    """Chooses a picture with the first file dialog in sight."""
    inside.locator("input[type=file]").first.set_input_files(
        {"name": "picture.png", "mimeType": "image/png", "buffer": picture}
    )


# -- what is set is what arrives -----------------------------------------------------------------------


def test_an_untouched_form_sends_the_defaults_of_the_webuis_page(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("a pier at dawn")
    send(inside)
    job = only_job(api)
    assert job["checkpoint"] == CHECKPOINT
    assert job["parameters"] == {
        "prompt": "a pier at dawn",
        "negative_prompt": "",
        "sampler_name": "DPM++ 2M",
        "scheduler": "Automatic",
        "steps": 20,
        "width": 512,
        "height": 512,
        "n_iter": 1,
        "batch_size": 1,
        "cfg_scale": 7.0,
        "seed": -1,
        "subseed": -1,
        "subseed_strength": 0.0,
        "seed_resize_from_w": 0,
        "seed_resize_from_h": 0,
        "restore_faces": False,
        "tiling": False,
        "refiner_checkpoint": None,
        "refiner_switch_at": None,
        "denoising_strength": 0.7,
        "enable_hr": False,
        "hr_upscaler": "Latent",
        "hr_second_pass_steps": 0,
        "hr_scale": 2.0,
        "hr_resize_x": 0,
        "hr_resize_y": 0,
        "hr_checkpoint_name": "Use same checkpoint",
        "hr_sampler_name": "Use same sampler",
        "hr_scheduler": "Use same scheduler",
        "hr_prompt": "",
        "hr_negative_prompt": "",
        "override_settings": {"CLIP_stop_at_last_layers": 1},
        "alwayson_scripts": {},
    }


def test_every_setting_of_txt2img_arrives(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("a pier")
    inside.get_by_label("Negative prompt", exact=True).fill("people")
    inside.get_by_label("Sampling method", exact=True).select_option("Euler a")
    inside.get_by_label("Schedule type", exact=True).select_option("Karras")
    number(inside, "Sampling steps", 33)
    number(inside, "Width", 640)
    number(inside, "Height", 384)
    inside.get_by_role("button", name="Switch width/height").click()
    number(inside, "Batch count", 2)
    number(inside, "Batch size", 3)
    number(inside, "CFG Scale", 5.5)
    inside.get_by_label("Seed", exact=True).fill("1234")
    inside.get_by_label("Extra", exact=True).check()
    inside.get_by_label("Variation seed", exact=True).fill("99")
    number(inside, "Variation strength", 0.25)
    number(inside, "Resize seed from width", 256)
    number(inside, "Resize seed from height", 320)
    inside.get_by_label("Hires. fix").check()
    inside.get_by_label("Upscaler", exact=True).select_option("4x-Test")
    number(inside, "Hires steps", 7)
    number(inside, "Denoising strength", 0.4)
    number(inside, "Upscale by", 1.5)
    inside.get_by_label("Hires sampling method").select_option("DDIM")
    inside.get_by_label("Hires schedule type").select_option("Exponential")
    inside.get_by_label("Hires prompt", exact=True).fill("sharp")
    inside.get_by_label("Refiner").check()
    inside.get_by_label("Checkpoint", exact=True).select_option(CHECKPOINT)
    number(inside, "Switch at", 0.6)
    inside.get_by_role("button", name="More options").click()
    number(inside, "Clip skip", 2)
    inside.get_by_label("Tiling").check()
    inside.get_by_label("SD VAE Used on Cloud").select_option("vae-ft-mse.safetensors")
    send(inside)
    job = only_job(api)
    assert job["models"]["vae"] == ["vae-ft-mse.safetensors"]
    assert (
        job["parameters"].items()
        >= {
            "prompt": "a pier",
            "negative_prompt": "people",
            "sampler_name": "Euler a",
            "scheduler": "Karras",
            "steps": 33,
            "width": 384,
            "height": 640,
            "n_iter": 2,
            "batch_size": 3,
            "cfg_scale": 5.5,
            "seed": 1234,
            "subseed": 99,
            "subseed_strength": 0.25,
            "seed_resize_from_w": 256,
            "seed_resize_from_h": 320,
            "enable_hr": True,
            "hr_upscaler": "4x-Test",
            "hr_second_pass_steps": 7,
            "denoising_strength": 0.4,
            "hr_scale": 1.5,
            "hr_sampler_name": "DDIM",
            "hr_scheduler": "Exponential",
            "hr_prompt": "sharp",
            "refiner_checkpoint": CHECKPOINT,
            "refiner_switch_at": 0.6,
            "tiling": True,
        }.items()
    )
    assert job["parameters"]["override_settings"] == {"CLIP_stop_at_last_layers": 2}


def test_img2img_sends_its_picture_and_how_it_is_resized(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page, "img2img")
    picture = png(200, 120)
    drop_in(inside, picture)
    inside.get_by_role("radio", name="Crop and resize").check()
    number(inside, "Denoising strength", 0.5)
    inside.get_by_role("tab", name="Resize by").click()
    number(inside, "Scale", 2)
    expect(inside.get_by_text("from 200x120 to 400x240")).to_be_visible()
    send(inside)
    job = only_job(api)
    assert (job["type"], job["mode"]) == ("img2img", "img2img")
    wanted = {"resize_mode": 1, "denoising_strength": 0.5, "width": 400, "height": 240}
    assert job["parameters"].items() >= wanted.items()
    [init] = job["inputs"]
    assert api.download(init["url"]) == picture


def test_inpaint_sends_what_was_painted_as_a_mask(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page, "img2img")
    inside.get_by_role("tab", name="Inpaint", exact=True).click()
    drop_in(inside, png(200, 200))
    sheet(page, 200, 200).draw([(100, 100), (115, 100)])
    number(inside, "Mask blur", 9)
    inside.get_by_role("radio", name="latent noise").check()
    inside.get_by_role("radio", name="Only masked", exact=True).check()
    number(inside, "Only masked padding, pixels", 48)
    send(inside)
    job = only_job(api)
    assert job["mode"] == "inpaint"
    assert (
        job["parameters"].items()
        >= {
            "mask_blur": 9,
            "inpainting_fill": 2,
            "inpainting_mask_invert": 0,
            "inpaint_full_res": True,
            "inpaint_full_res_padding": 48,
        }.items()
    )
    pictures = {
        each["name"]: Image.open(io.BytesIO(api.download(each["url"])), formats=["PNG"]) for each in job["inputs"]
    }
    assert pictures["mask"].size == pictures["init"].size == (200, 200)
    assert {value for _, value in pictures["mask"].convert("L").getcolors() or []} == {0, 255}


def test_inpaint_upload_sends_the_mask_of_a_file(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page, "img2img")
    inside.get_by_role("tab", name="Inpaint upload").click()
    drop_in(inside, png(96, 64))
    expect(inside.get_by_text("96 × 64").first).to_be_visible()
    send(inside)
    expect(inside.get_by_role("alert")).to_contain_text("There is no mask yet")
    half = Image.new("L", (96, 64), 0)
    half.paste(255, (48, 0, 96, 64))
    out = io.BytesIO()
    half.save(out, "PNG")
    drop_in(inside.get_by_role("group", name="Mask", exact=True), out.getvalue())
    expect(inside.get_by_role("img", name="Mask", exact=True)).to_be_visible()
    send(inside)
    job = only_job(api)
    assert job["mode"] == "inpaint_upload"
    pictures = {
        each["name"]: Image.open(io.BytesIO(api.download(each["url"])), formats=["PNG"]) for each in job["inputs"]
    }
    assert pictures["mask"].convert("L").tobytes() == half.tobytes()


def test_a_picture_can_be_copied_to_another_sub_tab(page: Page) -> None:
    inside = with_checkpoint(page, "img2img")
    drop_in(inside, png(120, 80))
    inside.get_by_role("group", name="Copy image to").get_by_role("button", name="Sketch", exact=True).click()
    expect(inside.get_by_role("tab", name="Sketch", exact=True)).to_have_attribute("aria-selected", "true")
    expect(inside.get_by_text("120 × 80")).to_be_visible()


def test_a_picture_larger_than_a_body_may_be_is_uploaded(page: Page, api: Darkroom) -> None:
    picture = png(2000, 1500, noise=True)
    assert len(picture) > 5 * 1024**2
    inside = with_checkpoint(page, "img2img")
    drop_in(inside, picture)
    send(inside)
    [init] = only_job(api)["inputs"]
    assert api.download(init["url"]) == picture


def test_a_unit_of_controlnet_arrives_with_its_picture(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    inside.get_by_role("button", name="ControlNet", exact=True).click()
    unit = inside.get_by_role("tabpanel", name="Unit 0")
    picture = png(64, 64)
    drop_in(unit, picture)
    unit.get_by_label("Enable").check()
    unit.get_by_label("Preprocessor", exact=True).select_option("canny")
    unit.get_by_label("Model", exact=True).select_option("control_canny.safetensors")
    number(unit, "Control Weight", 0.8)
    number(unit, "Starting Control Step", 0.1)
    number(unit, "Ending Control Step", 0.9)
    unit.get_by_role("radio", name="ControlNet is more important").check()
    unit.get_by_role("radio", name="Resize and fill").check()
    unit.get_by_label("Pixel Perfect").check()
    send(inside)
    job = only_job(api)
    assert job["models"]["controlnet"] == ["control_canny.safetensors"]
    [sent] = job["parameters"]["alwayson_scripts"]["controlnet"]["args"]
    assert sent == {
        "enabled": True,
        "module": "canny",
        "model": "control_canny.safetensors",
        "weight": 0.8,
        "guidance_start": 0.1,
        "guidance_end": 0.9,
        "control_mode": "ControlNet is more important",
        "resize_mode": "Resize and Fill",
        "pixel_perfect": True,
        "processor_res": -1,
        "image": "image:controlnet_0",
    }
    [given] = job["inputs"]
    assert (given["name"], api.download(given["url"])) == ("controlnet_0", picture)


def test_extras_enlarges_a_picture_without_a_checkpoint(page: Page, api: Darkroom) -> None:
    inside = tab(page, "extras")
    drop_in(inside, png(40, 30))
    number(inside, "Resize", 3)
    inside.get_by_label("Upscaler 1").select_option("4x-Test")
    send(inside)
    job = only_job(api)
    assert job["type"] == "extras"
    assert job["parameters"].items() >= {"upscaling_resize": 3.0, "upscaler_1": "4x-Test", "resize_mode": 0}.items()
    assert job["models"]["upscaler"] == ["4x-Test.safetensors"]


# -- sending -------------------------------------------------------------------------------------------


def test_two_clicks_make_one_job_and_ctrl_enter_is_a_click(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("twice")
    inside.get_by_role("button", name="Generate on Cloud").dblclick()
    only_job(api)
    inside.get_by_label("Prompt", exact=True).fill("by keyboard")
    inside.get_by_label("Prompt", exact=True).press("Control+Enter")
    assert eventually(lambda: len(api.page(limit=10)["jobs"]) == 2)
    assert [line["prompt"] for line in api.page(limit=10)["jobs"]] == ["by keyboard", "twice"]


def test_the_last_job_is_shown_and_its_seed_can_be_used_again(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("a lighthouse")
    send(inside)
    results = inside.get_by_role("region", name="Last job")
    expect(results.get_by_role("img", name="a lighthouse")).to_be_visible()
    inside.get_by_role("button", name="Reuse seed from last generation").click()
    seed = str(only_job(api)["images"][0]["seed"])
    expect(inside.get_by_label("Seed", exact=True)).to_have_value(seed)
    inside.get_by_role("button", name=re.compile("Set seed to -1")).click()
    expect(inside.get_by_label("Seed", exact=True)).to_have_value("-1")
    results.get_by_role("button", name="Send to img2img").click()
    target = page.get_by_role("tabpanel", name="img2img", exact=True).first
    expect(target.get_by_text("512 × 512")).to_be_visible()
    expect(target.get_by_label("Prompt", exact=True)).to_have_value("a lighthouse")


def posts(page: Page) -> list[str]:
    """The requests that make something, from now on."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and "/api/" in request.url:
            seen.append(request.url)

    page.on("request", note)
    return seen


def test_without_a_checkpoint_nothing_is_sent_and_the_page_says_what_to_do(page: Page) -> None:
    inside, sent = tab(page, "txt2img"), posts(page)
    send(inside)
    expect(inside.get_by_role("alert")).to_contain_text("Choose a checkpoint first")
    target = with_checkpoint(page, "img2img")
    send(target)
    expect(target.get_by_role("alert")).to_contain_text("There is no picture yet")
    target.get_by_role("tab", name="Inpaint", exact=True).click()
    drop_in(target, png())
    expect(target.get_by_text("96 × 64")).to_be_visible()
    send(target)
    expect(target.get_by_role("alert")).to_contain_text("The mask is empty")
    inside = tab(page, "txt2img")
    inside.get_by_role("button", name="ControlNet", exact=True).click()
    inside.get_by_role("tabpanel", name="Unit 0").get_by_label("Enable").check()
    send(inside)
    expect(inside.get_by_role("alert")).to_contain_text("ControlNet Unit 0 is on, but it has no model")
    assert sent == []


def test_an_endpoint_that_takes_no_jobs_says_why_and_one_that_does_is_taken(page: Page, api: Darkroom) -> None:
    def with_a_new_one(route: Route) -> None:
        """The list as it is while another endpoint is being made, which takes minutes on AWS."""
        answer = route.fetch()
        told = answer.json()
        slow = {**told["endpoints"][0], "name": "darkroom-slow", "status": "Creating", "usable": False}
        route.fulfill(response=answer, json={"endpoints": [slow, *told["endpoints"]]})

    inside = with_checkpoint(page)
    page.route("**/api/endpoints", with_a_new_one)
    inside.get_by_role("button", name="Refresh the endpoints").click()
    choice = inside.get_by_label(ENDPOINT_LABEL)
    slow = choice.locator("option").filter(has_text="darkroom-slow")
    expect(slow).to_have_text("darkroom-slow · Creating: is being made, and takes jobs once it is InService")
    expect(slow).to_be_disabled()
    able = choice.locator("option:not([disabled])").filter(has_text="InService").first.get_attribute("value")
    choice.select_option(able)
    inside.get_by_label("Prompt", exact=True).fill("here")
    send(inside)
    assert only_job(api)["endpoint"] == able


def test_without_an_endpoint_that_takes_jobs_nothing_is_sent(page: Page) -> None:
    page.route("**/api/endpoints", lambda route: route.fulfill(json={"endpoints": []}))
    page.reload()
    inside, sent = with_checkpoint(page), posts(page)
    send(inside)
    expect(inside.get_by_role("alert")).to_contain_text("No endpoint takes jobs now")
    assert sent == []


def test_what_the_api_refuses_is_told_beside_the_button(page: Page, watch: Any) -> None:
    watch.expect("status of 422")
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("a pier <lora:nobody_has_this:1>")
    send(inside)
    expect(inside.get_by_role("alert")).to_contain_text("nobody_has_this")


# -- prompts -------------------------------------------------------------------------------------------


def test_weights_completions_and_cards_write_into_the_prompt(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    prompt = inside.get_by_label("Prompt", exact=True)
    prompt.press_sequentially("a pier")
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a (pier:1.1)")
    prompt.press("Control+ArrowUp")
    prompt.press("Control+ArrowDown")
    prompt.press("Control+ArrowDown")
    expect(prompt).to_have_value("a pier")
    prompt.press("End")
    prompt.press_sequentially(", <grai")
    expect(inside.get_by_role("option", name=re.compile("film_grain"))).to_be_visible()
    prompt.press("Tab")
    expect(prompt).to_have_value("a pier, <lora:film_grain:1>")
    prompt.press_sequentially(", film g")
    prompt.press("ArrowDown")
    prompt.press("Enter")
    expect(prompt).to_have_value("a pier, <lora:film_grain:1>, film grain")
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a pier, <lora:film_grain:1>, film (grain:1.1)")
    prompt.press("Control+z")
    expect(prompt).to_have_value("a pier, <lora:film_grain:1>, film grain")
    inside.get_by_role("tab", name="Lora", exact=True).click()
    inside.get_by_role("searchbox", name="Search").fill("film")
    inside.get_by_role("button", name="dusk light").click()
    expect(prompt).to_have_value("a pier, <lora:film_grain:1>, film grain, dusk light")
    card = inside.get_by_role("button", name=re.compile("^film_grain"))
    expect(card).to_have_attribute("aria-pressed", "true")
    card.click()
    expect(prompt).to_have_value("a pier, film grain, dusk light")
    card.click()
    inside.get_by_role("tab", name="Textual Inversion").click()
    inside.get_by_role("button", name=re.compile("^easynegative")).click()
    send(inside)
    job = only_job(api)
    assert job["models"]["lora"] == ["film_grain.safetensors"]
    assert job["models"]["embedding"] == ["easynegative.safetensors"]


def test_styles_are_kept_in_the_browser_and_added_when_a_job_is_sent(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    inside.get_by_role("button", name="Edit styles").click()
    dialog = page.get_by_role("dialog", name="Edit styles")
    dialog.get_by_label("Name").fill("film")
    dialog.get_by_label("Prompt", exact=True).fill("photo of {prompt}, grain")
    dialog.get_by_label("Negative prompt").fill("drawing")
    dialog.get_by_role("button", name="Save").click()
    page.reload()
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("a pier")
    inside.get_by_label("Styles", exact=True).select_option("film")
    send(inside)
    parameters = only_job(api)["parameters"]
    assert (parameters["prompt"], parameters["negative_prompt"]) == ("photo of a pier, grain", "drawing")
    inside.get_by_role("button", name="Apply all selected styles to prompts").click()
    expect(inside.get_by_label("Prompt", exact=True)).to_have_value("photo of a pier, grain")
    inside.get_by_role("button", name="Edit styles").click()
    dialog.get_by_label("Style", exact=True).select_option("film")
    dialog.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Close").click()
    expect(inside.get_by_label("Styles", exact=True)).to_be_disabled()


@pytest.mark.parametrize("way", ["CLIP", "DeepBooru"])
def test_an_interrogation_puts_its_words_into_the_prompt(page: Page, api: Darkroom, way: str) -> None:
    inside = with_checkpoint(page, "img2img")
    drop_in(inside, png())
    expect(inside.get_by_text("96 × 64")).to_be_visible()
    inside.get_by_label("Prompt", exact=True).fill("old words")
    inside.get_by_role("button", name=f"Interrogate {way} on cloud").click()
    expect(inside.get_by_label("Prompt", exact=True)).not_to_have_value("old words")
    assert inside.get_by_label("Prompt", exact=True).input_value() == only_job(api)["caption"]
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(inside.get_by_label("Prompt", exact=True)).to_have_value("old words")


def test_a_text_under_a_picture_fills_the_form(page: Page, api: Darkroom) -> None:
    inside = with_checkpoint(page)
    text = (
        "a castle\nNegative prompt: fog\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 77, Size: 768x512, "
        "Denoising strength: 0.4, Clip skip: 2, RNG: CPU, Hires upscale: 1.5, Hires upscaler: Latent (bicubic)"
    )
    inside.get_by_label("Prompt", exact=True).fill(text)
    inside.get_by_role("button", name="Read generation parameters").click()
    expect(inside.get_by_label("Prompt", exact=True)).to_have_value("a castle")
    send(inside)
    parameters = only_job(api)["parameters"]
    assert (
        parameters.items()
        >= {
            "prompt": "a castle",
            "negative_prompt": "fog",
            "steps": 30,
            "sampler_name": "DPM++ 2M",
            "scheduler": "Karras",
            "cfg_scale": 6.5,
            "seed": 77,
            "width": 768,
            "height": 512,
            "enable_hr": True,
            "denoising_strength": 0.4,
            "hr_scale": 1.5,
            "hr_upscaler": "Latent (bicubic)",
        }.items()
    )
    assert parameters["override_settings"] == {"CLIP_stop_at_last_layers": 2, "randn_source": "CPU"}


# -- the page ------------------------------------------------------------------------------------------


def test_the_form_of_each_tab_is_there_again_after_a_reload(page: Page) -> None:
    inside = with_checkpoint(page)
    inside.get_by_label("Prompt", exact=True).fill("kept words")
    number(inside, "Sampling steps", 41)
    inside.get_by_label("Hires. fix").check()
    other = tab(page, "img2img")
    other.get_by_label("Prompt", exact=True).fill("others")
    page.reload()
    inside = tab(page, "txt2img")
    expect(inside.get_by_label("Prompt", exact=True)).to_have_value("kept words")
    expect(inside.get_by_label("Sampling steps, value")).to_have_value("41")
    expect(inside.get_by_label("Hires. fix")).to_be_checked()
    expect(inside.get_by_label(CHECKPOINT_LABEL)).to_have_value(CHECKPOINT)
    expect(tab(page, "img2img").get_by_label("Prompt", exact=True)).to_have_value("others")


def test_a_new_file_is_there_after_a_refresh(page: Page, stack: Running) -> None:
    inside = tab(page, "txt2img")
    name = shelf.put(stack.client, "stable-diffusion", "another-checkpoint.safetensors")
    inside.get_by_role("button", name="Refresh the model files").first.click()
    expect(inside.get_by_label(CHECKPOINT_LABEL).locator("option").filter(has_text=name)).to_be_attached()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_and_axe_finds_nothing(opened: Opened, artist: Person, width: int, scheme: str) -> None:
    page = opened(artist.key, width=width, color_scheme=scheme)
    for name in TABS:
        inside = tab(page, name)
        if name != "extras":
            inside.get_by_label("Refiner").check()
        inside.locator(".accordion-line button[aria-expanded=false]").evaluate_all(
            "all => all.forEach(one => one.click())"
        )
        assert (name, violations(page), cut_off(page)) == (name, [], [])
