"""The pictures of the preview engine: sizes, seeds, masks, and the same picture for the same job."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from darkroom.jobs.contract import ModelFile, WorkRequest
from worker.engines import Painting, Task
from worker.engines.preview import PreviewEngine
from worker.errors import JobError
from worker.parameters import settings_of

SIZE = (160, 128)
HOLE = (40, 30, 119, 99)


def request_of(pictures: Mapping[str, Image.Image] | None = None, **fields: Any) -> WorkRequest:
    images = {name: f"s3://bucket/{name}" for name in pictures or {}}
    basic = {"job_id": "job-1", "type": "txt2img", "output": "s3://bucket/jobs/job-1/output/", **fields}
    return WorkRequest.model_validate({**basic, "images": images})


def paint(pictures: Mapping[str, Image.Image] | None = None, **fields: Any) -> list[Painting]:
    request = request_of(pictures, **fields)
    task = Task(request, settings_of(request), pictures or {}, lambda progress: None)
    return list(PreviewEngine().paint(task))


def pixels(painting: Painting) -> Image.Image:
    image = Image.open(io.BytesIO(painting.content), formats=["png"])
    assert (image.mode, image.size) == ("RGB", (painting.width, painting.height))
    return image


def txt2img(**parameters: Any) -> Painting:
    return paint(parameters={"width": 128, "height": 96, **parameters})[0]


def img2img(pictures: Mapping[str, Image.Image], mode: str = "img2img", **parameters: Any) -> Image.Image:
    paintings = paint(pictures, type="img2img", mode=mode, parameters={"prompt": "eyes", "seed": 4, **parameters})
    return pixels(paintings[0])


def photo(size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture in which every pixel differs from its neighbours, so that every change is seen."""
    image = Image.new("RGB", size)
    image.putdata([(x * 3 % 256, y * 5 % 256, (x * y) % 256) for y in range(size[1]) for x in range(size[0])])
    return image


def mask_of_hole() -> Image.Image:
    """White in the rectangle HOLE, black elsewhere."""
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).rectangle(HOLE, fill=255)
    return mask


def changed(result: Image.Image, init: Image.Image) -> Image.Image:
    """A mask that is white where the two pictures differ."""
    bands = ImageChops.difference(result, init).split()
    difference = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    return difference.point(lambda value: 255 if value else 0)


def share_changed(result: Image.Image, init: Image.Image, where: Image.Image) -> float:
    """Which share of the pixels in a white part of `where` differs."""
    inside = where.histogram()[255]
    return ImageChops.multiply(changed(result, init), where).histogram()[255] / inside


# -- the same job, the same picture --------------------------------------------------------------------


def test_the_same_job_paints_the_same_bytes() -> None:
    assert txt2img(prompt="a pier", seed=7).content == txt2img(prompt="a pier", seed=7).content


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 8},
        {"prompt": "a bridge"},
        {"negative_prompt": "fog"},
        {"steps": 30},
        {"cfg_scale": 3},
        {"sampler_name": "DDIM"},
        {"subseed_strength": 0.5},
    ],
)
def test_every_setting_that_a_model_uses_changes_the_picture(other: dict[str, Any]) -> None:
    first = pixels(txt2img(prompt="a pier", seed=7))
    second = pixels(txt2img(**{"prompt": "a pier", "seed": 7, **other}))
    # Without the strip at the bottom, which shows the seed and the prompt as text.
    above = (0, 0, 128, 50)
    assert first.crop(above).tobytes() != second.crop(above).tobytes()


def test_another_checkpoint_paints_another_picture() -> None:
    parameters = {"prompt": "a pier", "seed": 7, "width": 64, "height": 64}
    one, other = (
        paint(checkpoint=ModelFile(name=name, s3=None), parameters=parameters)[0].content for name in ("a", "b")
    )
    assert pixels_of(one) != pixels_of(other)


def pixels_of(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png), formats=["png"]).tobytes()


@pytest.mark.parametrize("parameters", [{}, {"seed": -1}, {"seed": None}])
def test_a_missing_seed_comes_from_the_job_id_so_that_a_second_attempt_is_the_same(
    parameters: dict[str, Any],
) -> None:
    first, again = paint(parameters=parameters), paint(parameters=parameters)
    assert first[0].seed == again[0].seed
    assert first[0].seed is not None
    assert first[0].seed >= 0
    assert first[0].content == again[0].content
    assert paint(job_id="job-2", parameters=parameters)[0].seed != first[0].seed


# -- how many, how large, which seeds -------------------------------------------------------------------


def test_the_seed_grows_by_one_in_a_batch() -> None:
    paintings = paint(parameters={"seed": 100, "batch_size": 2, "n_iter": 3, "width": 64, "height": 64})
    assert [painting.seed for painting in paintings] == [100, 101, 102, 103, 104, 105]
    assert len({pixels_of(painting.content) for painting in paintings}) == 6


def test_with_a_variation_only_the_variation_seed_grows() -> None:
    paintings = paint(
        parameters={
            "seed": 100,
            "subseed": 7,
            "subseed_strength": 0.2,
            "batch_size": 2,
            "width": 64,
            "height": 64,
        }
    )
    assert [painting.seed for painting in paintings] == [100, 100]
    assert "Variation seed: 7," in paintings[0].infotext
    assert "Variation seed: 8," in paintings[1].infotext
    assert pixels_of(paintings[0].content) != pixels_of(paintings[1].content)


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({}, (512, 512)),
        ({"width": 192, "height": 64}, (192, 64)),
        ({"width": 2048, "height": 64}, (2048, 64)),
        ({"width": 64, "height": 64, "enable_hr": True, "hr_scale": 1.5}, (96, 96)),
        ({"width": 64, "height": 128, "enable_hr": True, "hr_resize_x": 128}, (128, 256)),
        ({"width": 64, "height": 64, "enable_hr": True, "hr_resize_x": 96, "hr_resize_y": 80}, (96, 80)),
    ],
)
def test_txt2img_has_the_size_asked_for(parameters: dict[str, Any], size: tuple[int, int]) -> None:
    painting = paint(parameters=parameters)[0]
    assert pixels(painting).size == size


def test_the_picture_has_a_strip_with_text() -> None:
    """A dark strip at the bottom has bright text."""
    picture = pixels(txt2img(prompt="a pier", seed=7, width=256, height=256))
    strip = picture.crop((0, 216, 256, 256)).convert("L")
    dark, bright = strip.histogram()[:90], strip.histogram()[200:]
    assert sum(dark) > 256 * 40 * 0.7
    assert sum(bright) > 100


def test_invalid_parameters_are_refused_with_the_name_of_the_field() -> None:
    with pytest.raises(JobError, match="width") as refused:
        paint(parameters={"width": "wide"})
    assert refused.value.code == "parameter_invalid"


# -- img2img -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["img2img", "sketch"])
def test_strength_0_returns_the_init_picture(mode: str) -> None:
    init = photo()
    assert img2img({"init": init}, mode, denoising_strength=0).tobytes() == init.tobytes()


def test_strength_1_shows_nothing_of_the_init_picture() -> None:
    one = img2img({"init": photo()}, denoising_strength=1)
    other = img2img({"init": Image.new("RGB", SIZE, "red")}, denoising_strength=1)
    assert one.tobytes() == other.tobytes()


def test_a_weaker_strength_stays_closer_to_the_init_picture() -> None:
    init = Image.new("RGB", SIZE, (128, 128, 128))
    differences = [
        sum(ImageChops.difference(img2img({"init": init}, **strength), init).convert("L").histogram()[40:])
        for strength in ({"denoising_strength": 0.2}, {}, {"denoising_strength": 1})
    ]
    assert differences[0] < differences[1] < differences[2]


def test_img2img_without_a_size_takes_that_of_its_init_picture() -> None:
    assert img2img({"init": photo()}).size == SIZE


@pytest.mark.parametrize("resize_mode", [0, 1, 2, 3])
def test_img2img_resizes_its_init_picture(resize_mode: int) -> None:
    result = img2img({"init": photo()}, width=64, height=96, resize_mode=resize_mode, denoising_strength=0)
    assert result.size == (64, 96)


def test_crop_and_resize_keeps_the_middle_of_the_picture() -> None:
    init = Image.new("RGB", (96, 32), "red")
    init.paste("blue", (32, 0, 64, 32))
    result = img2img({"init": init}, width=32, height=32, resize_mode=1, denoising_strength=0)
    assert result.tobytes() == Image.new("RGB", (32, 32), "blue").tobytes()


BATCH = {"init_images": ["image:init", "image:init_2"], "batch_size": 2, "seed": 9, "denoising_strength": 0}


def batch(mode: str = "img2img", extra: Mapping[str, Image.Image] | None = None, **more: Any) -> list[Painting]:
    pictures = {"init": photo(), "init_2": Image.new("RGB", SIZE, "red"), **(extra or {})}
    return paint(pictures, type="img2img", mode=mode, parameters={**BATCH, **more})


def test_each_picture_of_a_batch_starts_from_its_own() -> None:
    made = batch(n_iter=2)
    assert [pixels(painting).getpixel((80, 60)) for painting in made[1::2]] == [(255, 0, 0)] * 2
    assert [pixels(painting).tobytes() for painting in made[::2]] == [photo().tobytes()] * 2
    assert [painting.seed for painting in made] == [9, 10, 11, 12]


def test_a_batch_is_never_larger_than_its_pictures_are_many_as_in_the_webui() -> None:
    assert len(batch(batch_size=8)) == 2


def test_a_batch_that_is_too_small_for_its_pictures_is_refused() -> None:
    with pytest.raises(JobError, match="init_images has 2 pictures") as refused:
        batch(batch_size=1)
    assert refused.value.code == "parameter_invalid"


def test_the_pictures_of_a_batch_all_get_the_size_of_the_first() -> None:
    made = batch(extra={"init_2": Image.new("RGB", (64, 64), "red")})
    assert [(painting.width, painting.height) for painting in made] == [SIZE, SIZE]


def test_one_mask_lies_over_every_picture_of_a_batch() -> None:
    first, second = batch("inpaint", {"mask": mask_of_hole()}, denoising_strength=1, mask_blur=0)
    assert share_changed(pixels(first), photo(), mask_of_hole()) > 0.9
    outside = ImageChops.invert(mask_of_hole())
    assert share_changed(pixels(second), Image.new("RGB", SIZE, "red"), outside) == 0


def test_img2img_without_an_init_picture_is_refused() -> None:
    with pytest.raises(JobError) as refused:
        paint(type="img2img", mode="img2img")
    assert refused.value.code == "image_missing"


# -- masks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["inpaint", "inpaint_upload", "img2img"])
@pytest.mark.parametrize("blur", [0, 4, 40])
@pytest.mark.parametrize("whole", [True, False])
def test_nothing_outside_the_mask_changes(mode: str, blur: int, whole: bool) -> None:
    init, mask = photo(), mask_of_hole()
    result = img2img({"init": init, "mask": mask}, mode, mask_blur=blur, inpaint_full_res=whole, denoising_strength=1)
    assert ImageChops.multiply(changed(result, init), ImageChops.invert(mask)).getbbox() is None
    assert share_changed(result, init, mask) > 0.9


def test_nothing_outside_the_sketched_part_changes() -> None:
    init = photo()
    sketch = init.copy()
    ImageDraw.Draw(sketch).ellipse(HOLE, fill="yellow")
    drawn = changed(sketch, init)
    result = img2img({"init": init, "sketch": sketch}, "inpaint_sketch", mask_blur=4)
    assert ImageChops.multiply(changed(result, init), ImageChops.invert(drawn)).getbbox() is None
    assert share_changed(result, init, drawn) > 0.9


def test_a_difference_of_one_level_is_sketched_too() -> None:
    init = Image.new("RGB", SIZE, (100, 100, 100))
    sketch = init.copy()
    ImageDraw.Draw(sketch).rectangle(HOLE, fill=(100, 100, 101))
    result = img2img({"init": init, "sketch": sketch}, "inpaint_sketch", denoising_strength=1, mask_blur=0)
    assert share_changed(result, init, mask_of_hole()) > 0.9


def test_inpaint_sketch_starts_from_the_sketch() -> None:
    init = photo()
    sketch = init.copy()
    ImageDraw.Draw(sketch).rectangle(HOLE, fill="yellow")
    result = img2img({"init": init, "sketch": sketch}, "inpaint_sketch", denoising_strength=0, mask_blur=0)
    assert result.tobytes() == sketch.tobytes()


def test_a_sketch_may_be_a_layer_of_strokes_only() -> None:
    init, layer = photo(), Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(layer).rectangle(HOLE, fill=(255, 255, 0, 255))
    result = img2img({"init": init, "sketch": layer}, "inpaint_sketch", denoising_strength=0, mask_blur=0)
    assert ImageChops.multiply(changed(result, init), ImageChops.invert(mask_of_hole())).getbbox() is None
    assert result.getpixel((80, 64)) == (255, 255, 0)


@pytest.mark.parametrize("mode", ["inpaint", "inpaint_upload"])
def test_an_inverted_mask_keeps_what_is_painted_white(mode: str) -> None:
    init, mask = photo(), mask_of_hole()
    result = img2img({"init": init, "mask": mask}, mode, inpainting_mask_invert=1, mask_blur=4, denoising_strength=1)
    assert ImageChops.multiply(changed(result, init), mask).getbbox() is None
    assert share_changed(result, init, ImageChops.invert(mask)) > 0.9


def test_strength_0_keeps_the_masked_part_too() -> None:
    init = photo()
    result = img2img({"init": init, "mask": mask_of_hole()}, "inpaint", denoising_strength=0)
    assert result.tobytes() == init.tobytes()


def test_an_empty_mask_changes_nothing() -> None:
    init = photo()
    result = img2img({"init": init, "mask": Image.new("L", SIZE, 0)}, "inpaint", denoising_strength=1)
    assert result.tobytes() == init.tobytes()


def brush_layer() -> Image.Image:
    layer = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    ImageDraw.Draw(layer).rectangle(HOLE, fill=(0, 0, 0, 255))
    return layer


@pytest.mark.parametrize(
    "mask",
    [
        mask_of_hole().convert("RGB"),
        mask_of_hole().convert("RGBA"),
        mask_of_hole().convert("1"),
        mask_of_hole().convert("P"),
        mask_of_hole().convert("LA"),
        mask_of_hole().convert("I").point(lambda value: value * 257).convert("I;16"),
        brush_layer(),
    ],
    ids=["RGB", "opaque RGBA", "1", "P", "LA", "16 bit", "brush layer"],
)
def test_a_mask_may_be_in_any_picture_mode(mask: Image.Image) -> None:
    init = photo()
    expected = img2img({"init": init, "mask": mask_of_hole()}, "inpaint", denoising_strength=1)
    assert img2img({"init": init, "mask": mask}, "inpaint", denoising_strength=1).tobytes() == expected.tobytes()


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(JobError, match="64x64 and 160x128") as refused:
        img2img({"init": photo(), "mask": Image.new("L", (64, 64))}, "inpaint")
    assert refused.value.code == "sizes_differ"


def test_only_masked_keeps_the_size_of_the_init_picture_and_whole_picture_does_not() -> None:
    pictures = {"init": photo(), "mask": mask_of_hole()}
    assert img2img(pictures, "inpaint", width=64, height=64, inpaint_full_res=True).size == SIZE
    assert img2img(pictures, "inpaint", width=64, height=64, inpaint_full_res=False).size == (64, 64)
