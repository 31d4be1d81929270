"""What an img2img job is painted on, and what stays of the picture it starts from."""

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from worker.engines.diffusers.canvas import Canvas, Size, blurred, canvas, filled, latent_mask
from worker.parameters import GenerationSettings

SIZE = (96, 64)
BOX = (32, 16, 63, 47)


def photo(size: Size = SIZE) -> Image.Image:
    return Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))


def mask_over(size: Size = SIZE, box: tuple[int, int, int, int] = BOX) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def made(size: Size = SIZE, init: Image.Image | None = None, mask: Image.Image | None = None, **fields: Any) -> Canvas:
    fields = {"mask_blur": 4, "inpainting_fill": 1, "inpaint_full_res": False} | fields
    return canvas(init or photo(), mask or mask_over(), GenerationSettings.model_validate(fields), size)


def changed(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.any(np.asarray(one) != np.asarray(other), axis=2)


@pytest.mark.parametrize("fill", [0, 1, 2, 3])
@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("blur", [0, 4])
def test_what_the_mask_and_its_soft_edge_do_not_cover_stays(fill: int, only_masked: bool, blur: int) -> None:
    on = made(mask_blur=blur, inpaint_full_res=only_masked, inpaint_full_res_padding=8, inpainting_fill=fill)
    assert on.start.size == SIZE
    result = on.finish(Image.new("RGB", on.start.size, (1, 2, 3)))
    assert result.size == SIZE
    reach = int(2.5 * blur + 0.5)
    free = np.asarray(mask_over(box=(BOX[0] - reach, BOX[1] - reach, BOX[2] + reach, BOX[3] + reach))) == 0
    assert not changed(result, photo())[free].any()
    # The middle of the mask is painted all over.
    assert result.getpixel((48, 32)) == (1, 2, 3)


def test_an_inverted_mask_changes_everything_else() -> None:
    result = made(mask=ImageOps.invert(mask_over()), mask_blur=0).finish(Image.new("RGB", SIZE))
    assert np.array_equal(changed(result, photo()), np.asarray(mask_over()) == 0)


def test_only_masked_paints_the_part_around_the_mask_in_the_size_that_was_asked_for() -> None:
    init, mask = photo((400, 300)), mask_over((400, 300), (200, 100, 219, 119))
    on = made((64, 64), init, mask, inpaint_full_res=True, inpaint_full_res_padding=10, mask_blur=0)
    assert on.paste == (190, 90, 230, 130)
    assert on.start.size == (64, 64)
    result = on.finish(Image.new("RGB", (64, 64)))
    assert result.size == (400, 300)
    assert np.array_equal(changed(result, init), np.asarray(mask) > 0)


@pytest.mark.parametrize("size", [(64, 64), (128, 64), (64, 128), (8, 800)])
def test_the_part_holds_the_mask_and_its_padding_in_the_proportions_asked_for(size: Size) -> None:
    mask = mask_over((400, 300), (0, 10, 49, 54))
    on = made(size, photo((400, 300)), mask, inpaint_full_res=True, inpaint_full_res_padding=5, mask_blur=0)
    assert on.paste is not None
    left, top, right, bottom = on.paste
    assert 0 <= left <= 0 < 55 <= right <= 400
    assert 0 <= top <= 5 < 60 <= bottom <= 300
    if bottom - top < 300:
        assert abs((right - left) * size[1] / size[0] - (bottom - top)) <= 1


def test_an_empty_mask_leaves_the_picture_as_it_is() -> None:
    on = made(mask=Image.new("L", SIZE), inpaint_full_res=True)
    assert not changed(on.finish(Image.new("RGB", SIZE)), photo()).any()


def test_the_masked_content_fill_has_the_colours_around() -> None:
    init = Image.new("RGB", SIZE, (200, 100, 50))
    ImageDraw.Draw(init).rectangle(BOX, fill=(0, 0, 255))
    around = np.asarray(filled(init, mask_over()), dtype=int)
    assert abs(around - (200, 100, 50)).max() <= 6
    assert made(init=init, inpainting_fill=1).start.getpixel((48, 32)) == (0, 0, 255)


def test_a_blur_reaches_both_ways_as_far_as_its_kernel() -> None:
    soft = np.asarray(blurred(mask_over(), (4, 0)))
    assert 0 < soft[32, BOX[0] - 10] < 10
    assert soft[32, BOX[0] - 11] == 0
    assert 245 < soft[32, BOX[0] + 9] < 255
    assert soft[BOX[1] - 1].max() == 0


def test_the_mask_of_the_latents_is_all_or_nothing() -> None:
    small = latent_mask(blurred(mask_over(), (4, 4)), (12, 8))
    assert small.shape == (8, 12)
    assert set(np.unique(small)) == {0, 1}
    assert small[4, 6] == 1
    assert small[0, 0] == 0


def test_without_a_mask_the_resize_mode_decides() -> None:
    def start(mode: int) -> Image.Image:
        return canvas(photo(), None, GenerationSettings(resize_mode=mode), (48, 64)).start

    assert start(0).size == start(1).size == start(2).size == (48, 64)
    assert start(0).tobytes() != start(1).tobytes() != start(2).tobytes()
    # Latents are stretched later, so the picture stays as it is.
    assert start(3).size == SIZE


def test_resize_and_fill_repeats_the_edges() -> None:
    init = Image.new("RGB", (64, 64), "red")
    ImageDraw.Draw(init).rectangle((0, 0, 7, 63), fill="blue")
    wide = canvas(init, None, GenerationSettings(resize_mode=2), (128, 64)).start
    assert wide.getpixel((0, 30)) == wide.getpixel((31, 30)) == (0, 0, 255)
    assert wide.getpixel((127, 30)) == (255, 0, 0)
