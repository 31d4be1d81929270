"""Whole jobs of the engine on tiny checkpoints: modes, seeds, passes."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.worker.jobs import SIZE, img2img, paint, photo, picture, pictures_of
from worker.engines.diffusers import vaes
from worker.errors import JobError

CHECKPOINTS = [
    "tiny-sd15",
    "tiny-sd15-inpainting",
    "tiny-sd2",
    "tiny-sd2-v",
    "tiny-sdxl",
    "tiny-sdxl-inpainting",
    "tiny-sdxl-v",
    "tiny-sdxl-refiner",
]


def apart(one: Image.Image, other: Image.Image) -> float:
    """The mean distance of two pictures' shades."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def changed(one: Image.Image, other: Image.Image) -> np.ndarray:
    """Where two pictures differ."""
    return np.any(np.asarray(one) != np.asarray(other), axis=2)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_every_family_paints_from_a_prompt(checkpoint: str) -> None:
    painted = picture(checkpoint)
    assert painted.size == SIZE
    assert apart(painted, picture(checkpoint)) == 0
    assert apart(painted, picture(checkpoint, prompt="a forest by day")) > 0.01
    assert apart(painted, picture(checkpoint, seed=8)) > 1


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_every_family_paints_over_a_picture(checkpoint: str) -> None:
    painted = img2img(checkpoint, pictures={"init": photo()}, denoising_strength=0.5)
    assert painted.size == SIZE
    assert apart(painted, img2img(checkpoint, pictures={"init": photo(seed=2)}, denoising_strength=0.5)) > 0.01


def test_a_picture_of_a_batch_is_the_same_alone() -> None:
    together = pictures_of(paint(batch_size=3, n_iter=2))
    assert len(together) == 6
    for number, one in enumerate(together):
        assert apart(one, picture(seed=7 + number)) < 0.01


def test_variations_lie_between_seeds() -> None:
    plain = picture()
    assert apart(picture(subseed=99, subseed_strength=0.0), plain) == 0
    little = apart(picture(subseed=99, subseed_strength=0.05), plain)
    much = apart(picture(subseed=99, subseed_strength=0.6), plain)
    assert 0 < little < much


@pytest.mark.parametrize("fill", [0, 1, 2, 3])
@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("mode", ["inpaint", "inpaint_upload", "inpaint_sketch"])
def test_outside_of_the_mask_every_pixel_stays(fill: int, only_masked: bool, mode: str) -> None:
    init, mask = photo((96, 64)), Image.new("L", (96, 64))
    ImageDraw.Draw(mask).rectangle((32, 16, 63, 47), fill=255)
    sketch = init.copy()
    ImageDraw.Draw(sketch).rectangle((32, 16, 63, 47), fill="yellow")
    fields: dict[str, Any] = {"inpainting_fill": fill, "inpaint_full_res": only_masked, "mask_blur": 0}
    pictures = {"init": init, "sketch": sketch} if mode == "inpaint_sketch" else {"init": init, "mask": mask}
    result = img2img(mode=mode, pictures=pictures, width=96, height=64, **fields)
    where = changed(result, init)
    assert not where[np.asarray(mask) == 0].any()
    assert where[np.asarray(mask) > 0].mean() > 0.9


def test_the_masked_contents_differ() -> None:
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).rectangle((16, 16, 47, 47), fill=255)
    results = [
        img2img(mode="inpaint", pictures={"init": photo(), "mask": mask}, inpainting_fill=fill, denoising_strength=0.6)
        for fill in range(4)
    ]
    for number, one in enumerate(results):
        for other in results[:number]:
            assert apart(one, other) > 0.01


def test_denoising_strength_says_how_much_changes() -> None:
    distances = [
        apart(img2img(pictures={"init": photo()}, denoising_strength=strength, steps=10), photo())
        for strength in (0.0, 0.3, 1.0)
    ]
    assert distances[0] <= distances[1]
    assert distances[1] != distances[2]


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_every_resize_mode_paints_the_size_that_is_asked_for(mode: int) -> None:
    assert img2img(pictures={"init": photo((96, 64))}, resize_mode=mode).size == SIZE


def test_several_pictures_to_start_from_are_one_batch() -> None:
    inits = {"init": photo(), "init_2": photo(seed=2)}
    fields: dict[str, Any] = {"init_images": ["image:init", "image:init_2"], "batch_size": 2, "denoising_strength": 0.3}
    first, second = pictures_of(paint(job="img2img", pictures=inits, **fields))
    assert apart(first, img2img(pictures={"init": photo()}, denoising_strength=0.3)) < 0.01
    assert apart(first, second) > 1


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (128, 128)),
        ({"hr_scale": 1.5}, (96, 96)),
        ({"hr_resize_x": 96}, (96, 96)),
        ({"hr_resize_x": 128, "hr_resize_y": 96}, (128, 96)),
        ({"hr_upscaler": "Latent (nearest-exact)"}, (128, 128)),
        ({"hr_upscaler": "Lanczos"}, (128, 128)),
        ({"hr_upscaler": "Nearest"}, (128, 128)),
        ({"hr_second_pass_steps": 2, "hr_sampler_name": "Euler a", "hr_scheduler": "Karras"}, (128, 128)),
    ],
)
def test_hires_fix_paints_a_larger_picture(fields: dict[str, Any], size: tuple[int, int]) -> None:
    painted = picture(enable_hr=True, denoising_strength=0.7, **fields)
    assert painted.size == size


def test_the_second_pass_may_have_prompts_and_a_checkpoint_of_its_own() -> None:
    plain = picture(enable_hr=True)
    assert apart(plain, picture(enable_hr=True, hr_prompt="a forest by day")) > 0.01
    from tests.worker.files import checkpoint_file
    from tests.worker.jobs import file

    other = checkpoint_file("tiny-sd2").name
    models = {"stable-diffusion": [file(other)]}
    assert apart(plain, picture(enable_hr=True, hr_checkpoint_name="tiny-sd2", models=models)) > 0.1


@pytest.mark.parametrize("by_steps", [False, True])
def test_the_refiner_goes_on_from_its_share(by_steps: bool) -> None:
    from tests.worker.files import checkpoint_file
    from tests.worker.jobs import file

    def refined(at: float) -> Image.Image:
        models = {"stable-diffusion": [file(checkpoint_file("tiny-sdxl-refiner").name)]}
        options = {"randn_source": "CPU", "refiner_switch_by_sample_steps": by_steps}
        return picture(
            "tiny-sdxl",
            models=models,
            refiner_checkpoint="tiny-sdxl-refiner",
            refiner_switch_at=at,
            override_settings=options,
            steps=8,
        )

    base = picture("tiny-sdxl", steps=8)
    assert apart(refined(1.0), base) < 0.01
    assert apart(refined(0.5), base) > 0.01
    assert apart(refined(0.5), refined(0.0)) > 0.01


def test_tiling_lets_the_edges_fit() -> None:
    assert apart(picture(tiling=True), picture()) > 0.01
    assert apart(picture(), picture()) == 0


def test_and_weights_both_prompts() -> None:
    together = picture(prompt="a pier AND a forest", cfg_scale=5)
    assert apart(together, picture(prompt="a pier", cfg_scale=5)) > 0.01
    assert apart(picture(prompt="a pier AND a forest :0", cfg_scale=5), picture(prompt="a pier ", cfg_scale=5)) < 0.01


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"sampler_name": "No such"}, "parameter_invalid", "No such"),
        ({"scheduler": "No such"}, "parameter_invalid", "No such"),
        ({"restore_faces": True}, "parameter_invalid", "restore_faces"),
        ({"steps": 5_000}, "parameter_invalid", "steps"),
        ({"width": 8192, "height": 8192}, "parameter_invalid", "pixels"),
        ({"alwayson_scripts": {"ADetailer": {"args": [True, {"ad_model": "face"}]}}}, "script_unknown", "adetailer"),
        ({"script_name": "X/Y/Z plot", "script_args": [1]}, "script_unknown", "x/y/z plot"),
        ({"prompt": "<lora:not_there:1>"}, "model_missing", "not_there"),
        ({"refiner_checkpoint": "not_there"}, "model_missing", "not_there"),
        ({"enable_hr": True, "hr_upscaler": "4x-UltraSharp"}, "model_missing", "4x-UltraSharp"),
    ],
)
def test_what_it_does_not_do_is_refused_by_name(fields: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(JobError, match=words) as refused:
        paint(**fields)
    assert refused.value.code == code


def test_scripts_that_are_switched_off_are_no_reason_to_refuse() -> None:
    off = {"ADetailer": {"args": [False, {"ad_model": "face"}]}, "ControlNet": {"args": [{"enabled": False}]}}
    assert apart(picture(alwayson_scripts=off), picture()) == 0


def test_a_job_can_be_cancelled_between_all_its_steps() -> None:
    """Each look at cancel may end the job; none comes twice, and the next job paints as if nothing had been."""
    plain = picture()
    looks: list[float] = []
    paint(look=looks.append)
    assert len(looks) >= 8
    assert looks == sorted(looks)
    for number in range(1, len(looks), 3):
        left = [number]

        def look(share: float, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise JobError("cancelled", "The job was cancelled.")

        with pytest.raises(JobError, match="cancelled"):
            paint(look=look)
    assert apart(picture(), plain) == 0


def test_a_batch_from_one_picture_encodes_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    real = vaes.encode

    def encode(model: Any, pictures: Any, *more: Any) -> Any:
        encoded.append(len(pictures))
        return real(model, pictures, *more)

    monkeypatch.setattr(vaes, "encode", encode)
    assert len(paint(job="img2img", pictures={"init": photo()}, denoising_strength=0.3, batch_size=3)) == 3
    assert encoded == [1]
