"""Every sub-tab of img2img, the arguments of other extensions with pictures, and interrogation."""

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from tests.extension.conftest import Stage
from tests.extension.looks import Tab

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
GRADIO_3 = gradio.__version__.startswith("3.")
SUBTABS = ("img2img", "sketch", "inpaint", "inpaint_sketch", "upload", "batch")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture to start from: red above, blue below."""
    image = Image.new("RGB", (512, 512), (200, 30, 30))
    ImageDraw.Draw(image).rectangle((0, 256, 512, 512), fill=(30, 30, 200))
    path = tmp_path / "photo.png"
    image.save(path)
    return path


@pytest.fixture
def inputs(stage: Stage) -> Callable[[str], dict[str, Image.Image]]:
    """Reads the pictures that a job was given, by name."""

    def read(job_id: str) -> dict[str, Image.Image]:
        client = stage.client()
        given = client.job(job_id)["inputs"]
        return {one["name"]: Image.open(BytesIO(client.download(one["url"])), formats=["png"]) for one in given}

    return read


def turn_to(tab: Tab, name: str) -> None:
    """Turn to a sub-tab of img2img."""
    tab.page.locator("#mode_img2img div").first.locator("button").nth(SUBTABS.index(name)).click()


def paint_on(tab: Tab, elem_id: str, photo: Path) -> None:
    """Give a picture to a canvas, and paint a stroke on it where the canvas can be painted on."""
    page = tab.page
    if GRADIO_3:
        tab.upload(f"#{elem_id}", photo)
        canvas = page.locator(f"#{elem_id} canvas").last
        canvas.wait_for(state="visible")
        page.wait_for_timeout(1000)
        box = canvas.bounding_box()
        assert box
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(middle[0] - 40, middle[1])
        page.mouse.down()
        page.mouse.move(middle[0] + 40, middle[1], steps=8)
        page.mouse.up()
        page.wait_for_timeout(800)
        return
    stroke = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    ImageDraw.Draw(stroke).line((200, 256, 312, 256), fill=(0, 160, 0, 255), width=30)
    put(tab, f"{elem_id}_bg", Image.open(photo, formats=["png"]))
    put(tab, f"{elem_id}_fg", stroke)


def put(tab: Tab, elem_id: str, image: Image.Image) -> None:
    """Give a picture to a hidden text, as Forge's canvas does."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    text = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    tab.page.locator(f"#{elem_id} textarea, #{elem_id} input").first.fill(text)


def start_from(tab: Tab, photo: Path) -> None:
    """Give a picture to the first sub-tab."""
    if GRADIO_3:
        tab.upload("#img2img_image", photo)
        expect(tab.page.locator("#img2img_image img").first).to_be_visible()
    else:
        put(tab, "img2img_image_bg", Image.open(photo, formats=["png"]))


def colour(image: Image.Image, x: int, y: int) -> Any:
    """A pixel."""
    return image.convert("RGB").getpixel((x, y))


def test_img2img_starts_from_the_picture(img2img: Tab, photo: Path, stage: Stage, inputs: Any) -> None:
    img2img.on_cloud(CHECKPOINT)
    start_from(img2img, photo)
    img2img.write("prompt", "a red sky")
    job_id = img2img.generate()
    img2img.shown(job_id)
    job = stage.client().job(job_id)
    assert (job["type"], job["mode"]) == ("img2img", "img2img")
    assert job["parameters"]["denoising_strength"] == 0.75
    given = inputs(job_id)
    assert list(given) == ["init"]
    assert (given["init"].size, colour(given["init"], 5, 5)) == ((512, 512), (200, 30, 30))


def test_what_is_sketched_is_part_of_the_picture(img2img: Tab, photo: Path, stage: Stage, inputs: Any) -> None:
    img2img.on_cloud(CHECKPOINT)
    turn_to(img2img, "sketch")
    paint_on(img2img, "img2img_sketch", photo)
    job_id = img2img.generate()
    given = inputs(job_id)
    assert list(given) == ["init"]
    assert stage.client().job(job_id)["mode"] == "img2img"
    assert colour(given["init"], 256, 256) not in ((200, 30, 30), (30, 30, 200))


@pytest.mark.parametrize(("name", "elem_id"), [("inpaint", "img2maskimg"), ("inpaint_sketch", "inpaint_sketch")])
def test_what_is_painted_over_is_the_mask(
    name: str, elem_id: str, img2img: Tab, photo: Path, stage: Stage, inputs: Any
) -> None:
    img2img.on_cloud(CHECKPOINT)
    turn_to(img2img, name)
    paint_on(img2img, elem_id, photo)
    job_id = img2img.generate()
    img2img.shown(job_id)
    assert stage.client().job(job_id)["mode"] == "inpaint"
    given = inputs(job_id)
    assert set(given) == {"init", "mask"}
    mask = given["mask"].convert("L")
    assert mask.size == given["init"].size
    assert (mask.getpixel((256, 256)), mask.getpixel((10, 10))) == (255, 0)
    assert set(mask.getdata()) <= {0, 255}
    painted = colour(given["init"], 256, 256) not in ((200, 30, 30), (30, 30, 200))
    assert painted is (name == "inpaint_sketch")


def test_an_uploaded_mask_of_another_size_is_made_to_fit(
    img2img: Tab, photo: Path, tmp_path: Path, inputs: Any
) -> None:
    mask = Image.new("L", (256, 256), 0)
    ImageDraw.Draw(mask).rectangle((64, 64, 192, 192), fill=255)
    mask.save(tmp_path / "mask.png")
    img2img.on_cloud(CHECKPOINT)
    turn_to(img2img, "upload")
    img2img.upload("#img_inpaint_base", photo)
    img2img.upload("#img_inpaint_mask", tmp_path / "mask.png")
    expect(img2img.page.locator("#img_inpaint_mask img").first).to_be_visible()
    given = inputs(img2img.generate())
    assert given["mask"].size == (512, 512)
    assert colour(given["mask"], 256, 256) == (255, 255, 255)


def test_a_batch_makes_a_job_for_each_picture(img2img: Tab, photo: Path, tmp_path: Path, inputs: Any) -> None:
    blue = tmp_path / "blue.png"
    Image.new("RGB", (512, 512), (0, 0, 255)).save(blue)
    img2img.on_cloud(CHECKPOINT)
    turn_to(img2img, "batch")
    img2img.upload("#img2img_batch_upload", [photo, blue])
    expect(img2img.page.locator("#img2img_batch_upload").get_by_text("blue").first).to_be_visible()
    img2img.button.click()
    lines = img2img.part("tickets").locator(".darkroom-line:not([data-job=''])")
    expect(lines).to_have_count(2)
    colours = {colour(inputs(job)["init"], 5, 5) for job in img2img.known()}
    assert colours == {(200, 30, 30), (0, 0, 255)}


def test_a_large_picture_is_uploaded_and_a_controlnet_unit_brings_its_own(
    img2img: Tab, tmp_path: Path, stage: Stage, inputs: Any
) -> None:
    noise = tmp_path / "noise.png"
    Image.effect_noise((1024, 1024), 90).convert("RGB").save(noise)
    green = tmp_path / "green.png"
    Image.new("RGB", (64, 64), (0, 200, 0)).save(green)
    img2img.on_cloud(CHECKPOINT)
    start_from(img2img, noise)
    img2img.upload("#script_img2img_controlnet_image", green)
    expect(img2img.page.locator("#script_img2img_controlnet_image img").first).to_be_visible()
    img2img.page.locator("#script_img2img_controlnet_enable input").check()
    img2img.page.wait_for_timeout(500)
    job_id = img2img.generate()
    given = inputs(job_id)
    assert given["init"].size == (1024, 1024)
    (unit,) = stage.client().job(job_id)["parameters"]["alwayson_scripts"]["ControlNet"]["args"]
    assert (unit["enabled"], unit["resize_mode"]) == (True, "Crop and Resize")
    assert colour(given[unit["image"].removeprefix("image:")], 5, 5) == (0, 200, 0)


@pytest.mark.parametrize(("kind", "type_"), [("clip", "interrogate_clip"), ("deepbooru", "interrogate_deepbooru")])
def test_an_interrogation_answers_into_the_prompt(
    kind: str, type_: str, img2img: Tab, photo: Path, stage: Stage
) -> None:
    start_from(img2img, photo)
    img2img.press(f"interrogate_{kind}")
    prompt = img2img.page.locator("#img2img_prompt textarea")
    expect(prompt).not_to_have_value("")
    (line,) = stage.client().page(limit=1, type=type_)["jobs"]
    assert stage.client().job(line["id"])["caption"] == prompt.input_value()


def test_without_a_picture_the_click_says_what_to_do(img2img: Tab) -> None:
    img2img.on_cloud(CHECKPOINT)
    img2img.button.click()
    img2img.expect_log("There is no picture to start from")
    img2img.press("interrogate_clip")
    expect(img2img.part("message")).to_contain_text("There is no picture to interrogate")
