"""Masks and sketches that are drawn in a browser, and what the worker got of them, pixel by pixel."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Page, expect

from darkroom_client import Darkroom
from local.seed import CHECKPOINT
from tests.page.browser import WIDTHS, cut_off, go, violations
from tests.page.canvas import Fingers, covered, sheet
from tests.page.conftest import Opened, Person
from tests.support.waiting import eventually

WIDTH, HEIGHT = 320, 240


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture in which every pixel is another one."""
    return saved(tmp_path / "photo.png", gradient(WIDTH, HEIGHT))


def gradient(width: int, height: int) -> Image.Image:
    """A picture whose pixels tell where they are."""
    across = Image.frombytes("L", (width, 1), bytes(x % 256 for x in range(width))).resize((width, height))
    down = Image.frombytes("L", (1, height), bytes(y % 256 for y in range(height))).resize((width, height))
    return Image.merge("RGB", (across, down, ImageChops.add_modulo(across, down)))


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def begun(page: Page, tab: str, photo: Path) -> None:
    """The sub-tab of img2img with a picture on its canvas, and a checkpoint chosen."""
    go(page, "#/img2img")
    page.get_by_label("Stable Diffusion Checkpoint Used on Cloud").last.select_option(label=CHECKPOINT)
    page.get_by_role("tab", name=tab, exact=True).click()
    opened_on_canvas(page, tab, photo)


def opened_on_canvas(page: Page, tab: str, photo: Path) -> None:
    page.get_by_label(f"Choose a picture: {tab}", exact=True).set_input_files(photo)
    expect(page.locator("canvas.canvas-area:visible")).to_have_count(1)


def brush(page: Page, size: int) -> None:
    page.get_by_label("Brush size, value").fill(str(size))
    page.get_by_label("Brush size, value").press("Enter")


def sent(page: Page, api: Darkroom) -> dict[str, Any]:
    """Click Generate on Cloud; the job that came of it, once it has succeeded."""
    before = len(api.page()["jobs"])
    page.get_by_role("button", name="Generate on Cloud").click()
    eventually(lambda: len(api.page()["jobs"]) > before)
    job = api.settled(api.page()["jobs"][0]["id"], 60)
    assert job["status"] == "succeed", job
    return dict(job)


def pictures(job: dict[str, Any], api: Darkroom) -> dict[str, bytes]:
    """The bytes that the worker of a job was given, by name."""
    return {each["name"]: api.download(each["url"]) for each in job["inputs"]}


def expect_picture(content: bytes, expected: Image.Image) -> None:
    """A PNG with just these pixels, in the mode of `expected`."""
    image = Image.open(io.BytesIO(content), formats=["PNG"])
    assert (image.format, image.mode, image.size) == ("PNG", expected.mode, expected.size)
    # Without alpha: a difference where alpha is equal has none, and Pillow would look at nothing else.
    channels = zip(image.split(), expected.split(), strict=True)
    wrong = [ImageChops.difference(one, other).getbbox() for one, other in channels]
    assert wrong == [None] * len(wrong)


def painted(photo: Image.Image, colour: tuple[int, ...], under: Image.Image) -> Image.Image:
    """A picture with a colour where a brush was."""
    return Image.composite(Image.new(photo.mode, photo.size, colour), photo, under)


def test_a_mask_drawn_by_mouse_arrives_as_it_was_drawn(page: Page, api: Darkroom, photo: Path) -> None:
    begun(page, "Inpaint", photo)
    brush(page, 21)
    way = sheet(page, WIDTH, HEIGHT).draw([(60, 60), (150, 90), (220, 70), (230, 180), (90, 200)])
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], covered(WIDTH, HEIGHT, 21, way))
    assert inputs["init"] == photo.read_bytes()


def test_a_mask_drawn_by_finger_on_a_phone_arrives_as_it_was_drawn(
    opened: Opened, artist: Person, api: Darkroom, photo: Path
) -> None:
    page = opened(artist.key, width=WIDTHS[0], has_touch=True, is_mobile=True)
    begun(page, "Inpaint", photo)
    brush(page, 16)
    on = sheet(page, WIDTH, HEIGHT)
    way = on.draw_by_finger([(40, 50), (100, 50), (260, 50), (260, 120), (260, 190), (120, 190)])
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], covered(WIDTH, HEIGHT, 16, way))


def test_a_mask_drawn_by_keys_alone(page: Page, api: Darkroom, photo: Path) -> None:
    """Eight pixels of the screen a step, one pixel of the picture with Shift; the space bar paints."""
    begun(page, "Inpaint", photo)
    brush(page, 9)
    scale = sheet(page, WIDTH, HEIGHT).scale
    step = round(8 / scale)
    page.locator("canvas.canvas-area:visible").focus()
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.keyboard.press(" ")
    page.keyboard.down(" ")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.up(" ")
    at = (WIDTH / 2 + 0.5 + step + 1, HEIGHT / 2 + 0.5 + step)
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], covered(WIDTH, HEIGHT, 9, [at, (at[0] - 3 * step, at[1])]))


def test_a_mask_is_erased_turned_round_and_taken_back(page: Page, api: Darkroom, photo: Path) -> None:
    begun(page, "Inpaint", photo)
    brush(page, 40)
    on = sheet(page, WIDTH, HEIGHT)
    drawn = covered(WIDTH, HEIGHT, 40, on.draw([(100, 120), (200, 120)]))
    page.get_by_role("button", name="Eraser").click()
    erased = covered(WIDTH, HEIGHT, 40, on.draw([(150, 80), (150, 160)]))
    page.get_by_role("button", name="Brush", exact=True).click()
    on.draw([(20, 20), (60, 30)])
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Invert mask").click()
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], ImageChops.invert(ImageChops.subtract(drawn, erased)))


def test_a_mask_drawn_close_up_is_as_fine_as_the_picture(page: Page, api: Darkroom, tmp_path: Path) -> None:
    """A picture that is many times larger than its window is painted in its own pixels."""
    width, height = 2400, 1800
    begun(page, "Inpaint", saved(tmp_path / "large.jpg", gradient(width, height), quality=90))
    brush(page, 5)
    on = sheet(page, width, height)
    assert on.scale < 0.5
    # Zoomed by the wheel, the pixel under the pointer stays where it is.
    spot = on.inside_a_pixel((width / 2, height / 2))
    page.mouse.move(*spot)
    page.keyboard.down("Control")
    before = page.locator(".canvas-scale:visible").inner_text()
    for _ in range(12):
        page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    expect(page.locator(".canvas-scale:visible")).not_to_have_text(before)
    near = on.picture(spot)
    page.mouse.down()
    page.mouse.up()
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], covered(width, height, 5, [near]))


def test_two_fingers_zoom_and_paint_nothing(opened: Opened, artist: Person, photo: Path) -> None:
    page = opened(artist.key, width=WIDTHS[0], has_touch=True, is_mobile=True)
    begun(page, "Inpaint", photo)
    on = sheet(page, WIDTH, HEIGHT)
    scale = page.locator(".canvas-scale:visible")
    before = scale.inner_text()
    one, other = on.screen((140, 120)), on.screen((180, 120))
    fingers = Fingers(page)
    fingers.touch("touchStart", one)
    fingers.touch("touchMove", (one[0] - 30, one[1]))
    fingers.touch("touchStart", (one[0] - 30, one[1]), other)
    for apart in range(10, 80, 10):
        fingers.touch("touchMove", (one[0] - 30 - apart, one[1]), (other[0] + apart, other[1]))
    fingers.touch("touchEnd")
    expect(scale).not_to_have_text(before)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_sketch_is_painted_over_the_picture_and_nothing_else_is_sent(page: Page, api: Darkroom, photo: Path) -> None:
    begun(page, "Sketch", photo)
    brush(page, 30)
    page.get_by_label("Colour", exact=True).fill("#20c0ff")
    under = covered(WIDTH, HEIGHT, 30, sheet(page, WIDTH, HEIGHT).draw([(80, 80), (240, 160)]))
    inputs = pictures(sent(page, api), api)
    assert sorted(inputs) == ["init"]
    expect_picture(inputs["init"], painted(gradient(WIDTH, HEIGHT), (0x20, 0xC0, 0xFF), under))


def test_an_inpaint_sketch_sends_the_painted_picture_and_its_mask(page: Page, api: Darkroom, photo: Path) -> None:
    begun(page, "Inpaint sketch", photo)
    brush(page, 24)
    way = sheet(page, WIDTH, HEIGHT).draw([(60, 120), (260, 120)])
    under = covered(WIDTH, HEIGHT, 24, way)
    job = sent(page, api)
    inputs = pictures(job, api)
    assert job["mode"] == "inpaint"
    expect_picture(inputs["mask"], under)
    expect_picture(inputs["init"], painted(gradient(WIDTH, HEIGHT), (255, 0, 0), under))


def test_copy_image_to_keeps_every_pixel(page: Page, api: Darkroom, photo: Path) -> None:
    """Sketched, then copied to inpaint: the sketch is part of the picture there."""
    begun(page, "Sketch", photo)
    brush(page, 18)
    under = covered(WIDTH, HEIGHT, 18, sheet(page, WIDTH, HEIGHT).draw([(50, 50), (120, 200)]))
    page.get_by_role("group", name="Copy image to").get_by_role("button", name="Inpaint", exact=True).click()
    expect(page.get_by_role("tab", name="Inpaint", exact=True)).to_have_attribute("aria-selected", "true")
    brush(page, 12)
    way = sheet(page, WIDTH, HEIGHT).draw([(200, 60), (280, 60)])
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], covered(WIDTH, HEIGHT, 12, way))
    expect_picture(inputs["init"], painted(gradient(WIDTH, HEIGHT), (255, 0, 0), under))


def test_a_photo_that_lies_on_its_side_is_painted_upright(page: Page, api: Darkroom, tmp_path: Path) -> None:
    """The API turns it by its EXIF, so the mask must be upright, too."""
    lying = Image.Exif()
    lying[274] = 6
    path = saved(tmp_path / "phone.jpg", gradient(HEIGHT, WIDTH).transpose(Image.Transpose.ROTATE_90), exif=lying)
    begun(page, "Inpaint", path)
    expect(page.get_by_text("240 × 320")).to_be_visible()
    brush(page, 20)
    way = sheet(page, HEIGHT, WIDTH).draw([(60, 60), (60, 260)])
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["mask"], covered(HEIGHT, WIDTH, 20, way))
    assert inputs["init"] == path.read_bytes()


def test_alpha_is_kept_where_nothing_is_painted(page: Page, api: Darkroom, tmp_path: Path) -> None:
    clear = gradient(WIDTH, HEIGHT).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize((WIDTH, HEIGHT)))
    begun(page, "Sketch", saved(tmp_path / "clear.png", clear))
    brush(page, 20)
    under = covered(WIDTH, HEIGHT, 20, sheet(page, WIDTH, HEIGHT).draw([(40, 200), (280, 200)]))
    inputs = pictures(sent(page, api), api)
    expect_picture(inputs["init"], painted(clear, (255, 0, 0, 255), under))


def test_an_uploaded_mask_becomes_black_and_white(page: Page, api: Darkroom, photo: Path, tmp_path: Path) -> None:
    grey = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    begun(page, "Inpaint upload", photo)
    page.get_by_label("Choose a picture: Mask").set_input_files(saved(tmp_path / "mask.png", grey))
    expect(page.get_by_text("A mask is black or white")).to_be_visible()
    job = sent(page, api)
    assert job["mode"] == "inpaint_upload"
    expect_picture(pictures(job, api)["mask"], grey.point(lambda value: 255 if value > 127 else 0))


def test_a_mask_of_another_size_is_refused_at_once(page: Page, photo: Path, tmp_path: Path) -> None:
    begun(page, "Inpaint upload", photo)
    small = saved(tmp_path / "small.png", Image.new("L", (64, 64), 255))
    page.get_by_label("Choose a picture: Mask").set_input_files(small)
    expect(page.get_by_text("The mask is 64 × 64 pixels, but the picture is 320 × 240.")).to_be_visible()


def test_what_is_no_picture_is_refused_in_words(page: Page, photo: Path, tmp_path: Path) -> None:
    begun(page, "Inpaint", photo)
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    page.get_by_label("Another picture", exact=True).set_input_files(broken)
    expect(page.get_by_text("This file is no picture that can be opened")).to_be_visible()
    expect(page.get_by_text("320 × 240")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_canvas_is_usable_at_each_width(opened: Opened, artist: Person, photo: Path, scheme: str) -> None:
    for width in WIDTHS:
        page = opened(artist.key, width=width, color_scheme=scheme)
        for tab in ("Inpaint", "Inpaint sketch"):
            begun(page, tab, photo)
            found = [one for one in violations(page) if "canvas" in one or "picture" in one]
            assert (found, cut_off(page)) == ([], []), (width, tab)
