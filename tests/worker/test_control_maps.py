"""Maps for ControlNets: preprocessors without model files, their sizes, and bodies as openpose draws them."""

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.worker.jobs import photo, request_of, task_of
from tests.worker.units import job, square, unit
from worker.engines.diffusers.control.arrays import enlarged, fitted, looked_at, pixel_perfect
from worker.engines.diffusers.control.maps import look_of, map_of
from worker.engines.diffusers.control.names import PREPROCESSORS, REPLACED, Fit, preprocessor
from worker.engines.diffusers.control.poses import COLOURS, body, drawn
from worker.engines.diffusers.control.units import units_of
from worker.engines.diffusers.plan import controls_of
from worker.errors import JobError


def mapped(picture: Image.Image, size: tuple[int, int] = (512, 512), **fields: Any) -> np.ndarray:
    """The map that a unit's preprocessor makes of a picture, for a result of `size`."""
    request = request_of(**job(unit(**fields)))
    [(one, _)] = units_of(request, [*controls_of(request)])
    look = look_of(task_of(request, {"pose": picture}), one, 1, size)
    return map_of(one, look, size, lambda made, seen: seen)


def squares(size: tuple[int, int]) -> Image.Image:
    """A picture of even squares."""
    return photo((8, 8)).resize(size, Image.Resampling.NEAREST)


def test_none_is_the_picture_itself() -> None:
    picture = photo((100, 70))
    assert np.array_equal(mapped(picture), np.asarray(picture))


def test_what_is_transparent_is_white() -> None:
    assert (mapped(Image.new("RGBA", (64, 64), (0, 0, 0, 0))) == 255).all()


def test_canny_is_that_of_opencv_at_the_resolution_of_the_preprocessor() -> None:
    picture = squares((256, 192))
    resized = cv2.resize(np.asarray(picture), (683, 512), interpolation=cv2.INTER_CUBIC)
    padded = np.pad(resized, [(0, 0), (0, 704 - 683), (0, 0)], mode="edge")
    thresholds: dict[str, Any] = {"threshold_a": 20, "threshold_b": 60}
    for fields, low, high in (({}, 100, 200), (thresholds, 20, 60)):
        expected = cv2.Canny(padded, low, high)[:512, :683]
        found = mapped(picture, module="canny", **fields)
        assert np.array_equal(found, np.repeat(expected[:, :, None], 3, axis=2))
        assert 0 < (found > 0).mean() < 0.5


def test_a_number_outside_of_its_limits_means_the_default() -> None:
    picture = squares((128, 128))
    default = mapped(picture, module="canny")
    odd = mapped(picture, module="canny", processor_res=4000, threshold_a=0, threshold_b=256)
    assert np.array_equal(odd, default)
    assert mapped(picture, module="canny", processor_res=64).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("size", "mode", "resolution"),
    [((512, 512), "Crop and Resize", 512), ((512, 768), "Crop and Resize", 768), ((512, 768), "Resize and Fill", 256)],
)
def test_pixel_perfect_looks_at_the_picture_in_the_size_of_the_result(
    size: tuple[int, int], mode: str, resolution: int
) -> None:
    wide = squares((200, 100))
    found = mapped(wide, size, module="canny", pixel_perfect=True, resize_mode=mode, processor_res=64)
    assert found.shape == (resolution, 2 * resolution, 3)
    fit = Fit.FILL if "Fill" in mode else Fit.CROP
    assert pixel_perfect(np.asarray(wide), size, fit) == resolution


def test_a_unit_is_said_as_the_extension_says_it() -> None:
    request = request_of(
        **job(
            unit(),
            unit(module="canny", model="control-sd1-0 [aca30ff0]", weight=0.8, threshold_b=150.5, pixel_perfect=True),
            unit(module="invert", resize_mode=2, control_mode="ControlNet is more important", guidance_end=0.5),
        )
    )
    model = "Model: control-sd1-0"
    assert [one.said for one, _ in units_of(request, [*controls_of(request)])] == [
        f"Module: none, {model}.safetensors, Weight: 1.0, Resize Mode: Crop and Resize, Processor Res: 512, "
        "Threshold A: 0.5, Threshold B: 0.5, Guidance Start: 0.0, Guidance End: 1.0, Pixel Perfect: False, "
        "Control Mode: Balanced",
        f"Module: canny, {model} [aca30ff0], Weight: 0.8, Resize Mode: Crop and Resize, Processor Res: 512, "
        "Threshold A: 100, Threshold B: 150.5, Guidance Start: 0.0, Guidance End: 1.0, Pixel Perfect: True, "
        "Control Mode: Balanced",
        f"Module: invert, {model}.safetensors, Weight: 1.0, Resize Mode: Resize and Fill, Processor Res: 0.5, "
        "Threshold A: 0.5, Threshold B: 0.5, Guidance Start: 0.0, Guidance End: 0.5, Pixel Perfect: False, "
        "Control Mode: ControlNet is more important",
    ]


def test_invert_threshold_and_tile_do_what_they_say() -> None:
    picture = photo((64, 64))
    shades = np.asarray(picture)
    assert np.array_equal(mapped(picture, module="invert"), 255 - shades)
    assert np.array_equal(mapped(picture, module="invert (from white bg & black line)"), 255 - shades)
    dark = mapped(picture, module="threshold", processor_res=64, threshold_a=100)
    assert np.array_equal(dark[:, :, 0] == 255, shades.min(axis=2) > 100)
    assert np.array_equal(mapped(picture, module="tile_resample"), shades)
    assert mapped(picture, module="tile_resample", threshold_a=4).shape == (16, 16, 3)
    blurred = mapped(picture, module="blur_gaussian", processor_res=64, threshold_a=2)
    assert np.array_equal(blurred, cv2.GaussianBlur(shades, (0, 0), 2))


def test_scribble_draws_the_dark_side_of_edges() -> None:
    page = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(page).line((20, 64, 108, 64), fill="black", width=3)
    lines = mapped(page, module="scribble_xdog", processor_res=128)
    assert (lines[64, 30:100] == 255).all()
    assert not lines[:50].any()
    assert not lines[80:].any()


@pytest.mark.parametrize("name", ["pidinet", "scribble_hed", "softedge_pidinet", "reference_only", "inpaint_only", "x"])
def test_a_preprocessor_that_is_not_there_is_refused_with_the_list_of_those_that_are(name: str) -> None:
    with pytest.raises(JobError) as error:
        preprocessor(name)
    assert error.value.code == "preprocessor_unknown"
    assert repr(name) in error.value.message
    for known in (*PREPROCESSORS, *REPLACED):
        assert known in error.value.message


def test_every_preprocessor_is_found_in_any_case() -> None:
    for name, made in PREPROCESSORS.items():
        assert preprocessor(name.upper()) is made
    assert preprocessor("None") is preprocessor("") is PREPROCESSORS["none"]


def test_just_resize_stretches() -> None:
    assert fitted(np.asarray(photo((40, 20))), (64, 48), Fit.STRETCH).shape == (48, 64, 3)


def test_crop_and_resize_keeps_the_middle() -> None:
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, 32:96] = (255, 100, 0)
    assert (fitted(wide, (64, 64), Fit.CROP) == (255, 100, 0)).all()


def test_resize_and_fill_puts_the_colour_of_the_edges_around() -> None:
    wide = np.full((64, 128, 3), (10, 20, 30), np.uint8)
    wide[16:48, 16:112] = (200, 100, 50)
    result = fitted(wide, (128, 128), Fit.FILL)
    assert result.shape == (128, 128, 3)
    assert (result[:32] == (10, 20, 30)).all()
    assert (result[96:] == (10, 20, 30)).all()
    assert (result[32:96] == wide).all()


def test_lines_of_one_pixel_stay_as_thin_when_they_are_enlarged() -> None:
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[32, 8:56] = lines[8:56, 20] = 255
    larger = enlarged(lines, (256, 256))
    assert {*np.unique(larger)} == {0, 255}
    across = (larger[:, 160, 0] > 0).sum()
    assert across == 1
    assert (larger[60, :, 0] > 0).sum() == 1


def test_shapes_of_two_colours_get_no_others() -> None:
    assert {*np.unique(enlarged(np.asarray(square()), (150, 150)))} == {0, 255}
    assert {*np.unique(enlarged(np.asarray(square()), (40, 40)))} == {0, 255}


def test_maps_of_few_colours_get_no_others() -> None:
    pose = drawn([[(10 + 3 * n, 60 - 3 * n) for n in range(18)]], (64, 64))
    before = {tuple(colour) for colour in pose.reshape(-1, 3)}
    assert {tuple(colour) for colour in enlarged(pose, (200, 130)).reshape(-1, 3)} <= before


def test_a_picture_that_would_fill_the_memory_is_refused() -> None:
    line = np.zeros((1, 8000, 3), np.uint8)
    with pytest.raises(JobError, match=r"image_too_large"):
        looked_at(line, 2048)
    with pytest.raises(JobError, match=r"image_too_large"):
        fitted(line, (1024, 1024), Fit.CROP)


# A body that stands, with COCO's points: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; each pair
# left, then right, as the body sees it.
STANDING = [
    (100.0, 40.0),
    (106.0, 34.0),
    (94.0, 34.0),
    (114.0, 38.0),
    (86.0, 38.0),
    (130.0, 70.0),
    (70.0, 70.0),
    (150.0, 110.0),
    (50.0, 110.0),
    (160.0, 150.0),
    (40.0, 150.0),
    (118.0, 150.0),
    (82.0, 150.0),
    (120.0, 200.0),
    (80.0, 200.0),
    (122.0, 245.0),
    (78.0, 245.0),
]


def test_the_neck_is_the_middle_of_the_shoulders() -> None:
    points = body(STANDING)
    assert points[1] == (100.0, 70.0)
    # Openpose counts the right arm first.
    assert points[2:8] == [STANDING[number] for number in (6, 8, 10, 5, 7, 9)]
    hidden = [None if number == 5 else point for number, point in enumerate(STANDING)]
    assert body(hidden)[1] is None


def test_a_body_is_drawn_in_the_colours_of_openpose() -> None:
    paper = drawn([body(STANDING)], (200, 256))
    for point, colour in zip(body(STANDING), COLOURS, strict=True):
        assert point
        assert tuple(paper[int(point[1]), int(point[0])]) == colour
    # Half way along limbs: neck to the right shoulder is the first colour, neck to the left the second, both darker.
    assert tuple(paper[70, 85]) == (153, 0, 0)
    assert tuple(paper[70, 115]) == (153, 51, 0)
    assert tuple(paper[55, 100]) == (0, 0, 153)
    assert tuple(paper[222, 79]) == (0, 153, 102)
    assert not paper[10].any()
    assert COLOURS[0] == (255, 0, 0)
    assert COLOURS[13] == (85, 0, 255)


def test_points_that_are_not_seen_are_not_drawn() -> None:
    legs_hidden = [point if number < 11 else None for number, point in enumerate(STANDING)]
    paper = drawn([body(legs_hidden)], (200, 256))
    assert not paper[170:].any()
    assert paper[:160].any()


def test_several_bodies_stand_in_one_map_and_none_makes_it_black() -> None:
    aside = [(x + 180, y) for x, y in STANDING]
    paper = drawn([body(STANDING), body(aside)], (400, 256))
    assert np.array_equal(paper[:, :200], paper[:, 180:380])
    assert not drawn([], (64, 32)).any()
    assert drawn([], (64, 32)).shape == (32, 64, 3)
