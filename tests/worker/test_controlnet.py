"""Whole jobs with ControlNet units, on tiny checkpoints and ControlNets."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from tests.worker.files import CPU
from tests.worker.jobs import SIZE, engine, file, img2img, paint, photo, picture, request_of, task_of
from tests.worker.test_painting import apart, changed
from tests.worker.units import controlnet, job, refused, square, steered, unit
from worker.engines.diffusers.control.colours import ColourFix, softened
from worker.engines.diffusers.control.controls import Acting, Controls
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.guidance import Told
from worker.engines.diffusers.models import Models, Placement
from worker.engines.diffusers.plan import plan_of
from worker.errors import JobError
from worker.model_files import ModelFiles
from worker.store import Store

FAMILIES = {
    "tiny-sd15": Family.SD1,
    "tiny-sd15-inpainting": Family.SD1,
    "tiny-sd2-v": Family.SD2,
    "tiny-sdxl": Family.SDXL,
}


@pytest.mark.parametrize("checkpoint", FAMILIES)
def test_a_controlnet_bends_the_picture_of_every_family(checkpoint: str) -> None:
    file_of_family = controlnet(FAMILIES[checkpoint])
    one = unit(model=file_of_family.name)
    models = {"controlnet": [file_of_family]}
    bent = steered(one, checkpoint=checkpoint, models=models)
    assert apart(bent, picture(checkpoint)) > 0.1
    assert apart(bent, steered(one, checkpoint=checkpoint, models=models)) == 0
    other = steered(one, checkpoint=checkpoint, models=models, pictures={"pose": photo()})
    assert apart(bent, other) > 0.01


def test_it_leaves_no_trace_in_the_next_job() -> None:
    before = picture()
    steered(unit())
    assert apart(picture(), before) == 0


def test_weight_says_how_much_it_bends() -> None:
    plain = picture()
    assert apart(steered(unit(weight=0)), plain) == 0
    little, much = (apart(steered(unit(weight=weight)), plain) for weight in (0.1, 1.5))
    assert 0 < little < much


def test_a_unit_that_is_switched_off_does_nothing() -> None:
    assert apart(steered(unit(enabled=False, module="no such", model="no such")), picture()) == 0


def test_two_units_add_up() -> None:
    other = controlnet(seed=1)
    models = {"controlnet": [controlnet(), other]}
    both = steered(unit(), unit(model=other.name), models=models)
    assert apart(both, steered(unit())) > 0.1
    assert apart(both, steered(unit(model=other.name), models=models)) > 0.1
    # Twice the same with half the weight is once the same.
    assert apart(steered(unit(weight=0.5), unit(weight=0.5)), steered(unit())) < 0.01


def test_start_and_end_are_shares_of_the_steps() -> None:
    plain, whole = picture(steps=10), steered(unit(), steps=10)
    early = steered(unit(guidance_end=0.3), steps=10)
    late = steered(unit(guidance_start=0.6), steps=10)
    for part in (early, late):
        assert apart(part, plain) > 0.01
        assert apart(part, whole) > 0.01
    assert apart(early, late) > 0.01
    # The WebUI counts a step once the next has begun: of ten steps the last that begins is the ninth.
    assert apart(steered(unit(guidance_start=0.85), steps=10), plain) == 0
    assert apart(steered(unit(guidance_start=0.8), steps=10), plain) > 0


def test_a_unit_with_an_end_of_nothing_acts_in_the_first_two_steps() -> None:
    assert apart(steered(unit(guidance_end=0), steps=4), picture(steps=4)) > 0.01
    assert apart(steered(unit(guidance_end=0), steps=4), steered(unit(guidance_end=0.2), steps=4)) == 0
    assert apart(steered(unit(guidance_end=0), steps=4), steered(unit(guidance_end=0.25), steps=4)) > 0


def test_a_sampler_that_asks_more_often_than_expected_is_steered_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []
    steer = Acting.residuals

    def noted(self: Acting, latents: Any, timestep: Any, told: Told, share: float) -> Any:
        shares.append(share)
        return steer(self, latents, timestep, told, share)

    monkeypatch.setattr(Acting, "residuals", noted)
    steered(unit(), sampler_name="DPM adaptive", steps=3)
    assert len(shares) > 4
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_control_modes_differ() -> None:
    modes = ["Balanced", "My prompt is more important", "ControlNet is more important"]
    results = [steered(unit(control_mode=mode)) for mode in modes]
    for number, one in enumerate(results):
        assert apart(one, steered(unit(control_mode=number))) == 0
        for other in results[:number]:
            assert apart(one, other) > 0.01


def test_weights_of_each_layer_take_the_place_of_the_weight() -> None:
    soft = [0.825 ** (12 - number) for number in range(5)]
    assert apart(steered(unit(advanced_weighting=soft)), steered(unit(control_mode=1))) == 0
    with pytest.raises(JobError, match=r"this ControlNet takes 5 weights, not 13"):
        refused(unit(advanced_weighting=[1.0] * 13))


def test_a_region_keeps_the_unit_away_from_the_rest() -> None:
    left = Image.new("L", SIZE)
    ImageDraw.Draw(left).rectangle((0, 0, 31, 63), fill=255)
    whole, plain = steered(unit()), picture()
    nowhere = steered(unit(mask_image="image:region"), pictures={"region": Image.new("L", SIZE)})
    assert apart(nowhere, whole) == 0
    everywhere = steered(unit(mask_image="image:region"), pictures={"region": Image.new("L", SIZE, 255)})
    assert apart(everywhere, whole) == 0
    for field in ("mask_image", "effective_region_mask"):
        half = steered(unit(**{field: "image:region"}), pictures={"region": left})
        assert apart(half, whole) > 0.01
        assert apart(half, plain) > 0.01


def test_a_controlnet_of_shuffled_pictures_adds_no_places() -> None:
    shuffled = controlnet(name="control_shuffle")
    models = {"controlnet": [controlnet(), shuffled]}
    assert apart(steered(unit(model=shuffled.name), models=models), steered(unit(), models=models)) > 0.01


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_resize_modes_put_a_wide_picture_elsewhere(mode: int) -> None:
    names = ["Just Resize", "Crop and Resize", "Resize and Fill"]
    wide = {"pose": square((160, 64))}
    result = steered(unit(resize_mode=names[mode]), pictures=wide)
    assert apart(result, steered(unit(resize_mode=mode), pictures=wide)) == 0
    assert apart(result, steered(unit(resize_mode=(mode + 1) % 3), pictures=wide)) > 0.001


def test_units_take_part_in_both_passes_of_hires_fix() -> None:
    hires: dict[str, Any] = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7}
    plain = picture(**hires)
    results = [steered(unit(hr_option=option), **hires) for option in ("Both", "Low res only", "High res only")]
    assert results[0].size == (96, 96)
    for number, one in enumerate(results):
        assert apart(one, plain) > 0.01
        for other in results[:number]:
            assert apart(one, other) > 0.01


def test_canny_is_softer_in_the_second_pass() -> None:
    second: dict[str, Any] = {"module": "canny", "hr_option": "High res only"}
    hires: dict[str, Any] = {"enable_hr": True, "hr_scale": 1.5}
    soft = steered(unit(control_mode="My prompt is more important", **second), **hires)
    assert apart(steered(unit(**second), **hires), soft) == 0
    second["module"] = "threshold"
    assert apart(steered(unit(**second), **hires), steered(unit(control_mode=1, **second), **hires)) > 0.01


def test_a_unit_steers_in_half_precision() -> None:
    from tests.worker.files import folder, loaded

    model = loaded("tiny-sdxl")
    half = replace(model, placement=Placement("cpu", torch.float16, torch.float32))
    file_of_family = controlnet(Family.SDXL)
    request = request_of("tiny-sdxl", **job(unit(model=file_of_family.name), models={"controlnet": [file_of_family]}))
    task = task_of(request, {"pose": square()})
    files = ModelFiles(Store(), cache=folder() / "cache", local=folder())
    [acting] = Controls(task, plan_of(request, task.settings), files, "cpu", pickles=False)(half, SIZE, False)
    told = Told(torch.zeros(2, 77, 64), torch.zeros(2, 32), torch.zeros(2, 6), pictures=1, wanted=1)
    residuals = acting.residuals(torch.randn(2, 4, 8, 8), torch.tensor([900, 900]), told, 0.0)
    assert residuals
    down, middle = residuals
    assert [each.shape[0] for each in (*down, middle)] == [2] * 5
    assert all(torch.isfinite(each).all() for each in (*down, middle))


def test_a_refiner_of_another_family_goes_on_without_the_units() -> None:
    from tests.worker.files import checkpoint_file

    control = controlnet(Family.SDXL)
    refiner = file(checkpoint_file("tiny-sdxl-refiner").name)
    models = {"controlnet": [control], "stable-diffusion": [refiner]}

    def refined(**fields: Any) -> Image.Image:
        return steered(
            unit(model=control.name, **fields),
            checkpoint="tiny-sdxl",
            models=models,
            refiner_checkpoint="tiny-sdxl-refiner",
            refiner_switch_at=0.5,
            steps=8,
        )

    assert apart(refined(), refined(weight=0)) > 0.01
    assert apart(refined(guidance_start=0.8), refined(weight=0)) == 0
    # refined() paints a job of this number.
    assert engine().notices(task_of(request_of("tiny-sdxl"))) == [
        f"The ControlNet {control.name} was left out where a checkpoint of another family painted."
    ]
    assert engine().notices(task_of(request_of("tiny-sdxl"))) == []


def test_img2img_lends_its_picture_to_a_unit_without_one() -> None:
    inputs = {"init": photo(), "pose": photo()}
    own = img2img(**job(unit(), pictures=inputs))
    assert apart(img2img(**job(unit(image=None), pictures=inputs)), own) == 0
    assert apart(img2img(**job(unit(image=None), pictures=inputs | {"init": photo(seed=2)})), own) > 0.01


def test_only_masked_paints_with_the_part_of_the_map_that_lies_there() -> None:
    init, mask = photo((128, 128)), Image.new("L", (128, 128))
    ImageDraw.Draw(mask).rectangle((64, 64, 95, 95), fill=255)
    fields: dict[str, Any] = {"inpaint_full_res": True, "inpaint_full_res_padding": 0, "mask_blur": 0}

    def painted(pose: Image.Image, **more: Any) -> Image.Image:
        pictures = {"init": init, "mask": mask, "pose": pose}
        return img2img(mode="inpaint", **job(unit(**more), pictures=pictures), **fields)

    pose = photo((128, 128), seed=3)
    elsewhere = pose.copy()
    elsewhere.paste("white", (0, 0, 60, 60))
    assert apart(painted(pose), painted(elsewhere)) == 0
    assert apart(painted(pose), painted(pose.crop((64, 64, 96, 96)), inpaint_crop_input_image=False)) < 0.5
    assert apart(painted(pose, inpaint_crop_input_image=False), painted(elsewhere, inpaint_crop_input_image=False)) > 0
    assert not changed(painted(pose), init)[np.asarray(mask) == 0].any()


def test_a_scribble_over_the_picture_takes_its_place() -> None:
    scribble = ImageOps.invert(square())
    seen = {"scribble": scribble, "pose": photo()}
    drawn = steered(unit(mask="image:scribble"), pictures=seen)
    assert apart(drawn, steered(unit(), pictures={"pose": scribble})) == 0
    blank = {"scribble": Image.new("RGB", SIZE), "pose": photo()}
    assert apart(steered(unit(mask="image:scribble"), pictures=blank), steered(unit(), pictures=blank)) == 0


def test_the_colour_fix_gives_clean_latents_the_soft_shades_of_the_picture() -> None:
    torch.manual_seed(0)
    own, clean = torch.randn(1, 4, 16, 16), torch.randn(4, 4, 16, 16)
    told = Told(torch.zeros(4, 77, 32), None, None, pictures=2, wanted=1)
    fixed = ColourFix(own, radius=3, weight=1.0, sharpness=0.0).corrected(clean, told)
    expected = clean - softened(clean, 3) + softened(own, 3)
    assert torch.allclose(fixed, expected, atol=1e-6)
    half = ColourFix(own, radius=3, weight=0.5, sharpness=0.0).corrected(clean, told)
    assert torch.allclose(half, (clean + expected) / 2, atol=1e-6)
    sharp = ColourFix(own, radius=3, weight=1.0, sharpness=2.0).corrected(clean, told)
    assert torch.equal(sharp[:2], fixed[:2])
    assert torch.allclose(sharp[2:], 0.98 * fixed[2:] + 0.02 * softened(fixed[2:], 3), atol=1e-6)
    assert torch.allclose(softened(torch.ones(1, 4, 8, 8), 32), torch.ones(1, 4, 8, 8))


def test_tile_colorfix_bends_more_than_its_controlnet() -> None:
    tile, sharp = (steered(unit(module=name)) for name in ("tile_colorfix", "tile_colorfix+sharp"))
    assert apart(tile, steered(unit())) > 0.01
    assert apart(tile, sharp) > 0
    assert apart(tile, steered(unit(module="tile_colorfix", threshold_a=32))) > 0.001
    assert apart(steered(unit(module="tile_colorfix", weight=0)), picture()) == 0


def test_pictures_of_a_batch_are_those_alone() -> None:
    request = request_of(**job(unit(), batch_size=2))
    task = task_of(request, {"pose": square()})
    from tests.worker.jobs import pictures_of

    first, second = pictures_of([*engine().paint(task)])
    assert apart(first, steered(unit())) < 0.01
    assert apart(second, steered(unit(), seed=8)) < 0.01


def test_a_cancelled_job_ends_before_its_controlnet_is_read() -> None:
    def look(share: float) -> None:
        raise JobError("cancelled", "The job was cancelled.")

    request = request_of(**job(unit()))
    with pytest.raises(JobError, match=r"cancelled"):
        [*engine().paint(task_of(request, {"pose": square()}, look))]


def test_a_controlnet_for_another_family_is_refused_by_its_words() -> None:
    other = controlnet(Family.SDXL)
    with pytest.raises(JobError) as error:
        refused(unit(model=other.name), models={"controlnet": [other]})
    assert error.value.code == "model_unsupported"
    assert other.name in error.value.message


@pytest.mark.parametrize("name", ["control-sd1-0", "control-sd1-0 [aca30ff0]", "Control-SD1-0.safetensors"])
def test_a_model_is_found_by_the_spellings_of_the_extension(name: str) -> None:
    assert apart(steered(unit(model=name)), steered(unit())) == 0


def test_what_a_unit_lacks_is_named() -> None:
    for wrong, code, words in (
        (unit(model=None), "model_missing", "unit 1 names no model"),
        (unit(model="other"), "model_missing", "'other'"),
        (unit(image=None), "image_missing", "unit 1 is switched on, but has no picture"),
        (unit(image="image:nowhere"), "image_missing", "'nowhere'"),
        (unit(module="lineart_anime"), "preprocessor_unknown", "'lineart_anime'. It has: blur_gaussian, canny, "),
        (unit(weight=3), "parameter_invalid", "unit 1: weight"),
        (unit(resize_mode="Sideways"), "parameter_invalid", "unit 1: resize_mode"),
        (unit(guidance_start=0.6, guidance_end=0.4), "parameter_invalid", "guidance_start (0.6) is after"),
        (unit(image=[{"image": "image:pose"}] * 2), "parameter_invalid", "one picture a unit"),
        (unit(input_mode="merge"), "parameter_invalid", "input_mode"),
    ):
        with pytest.raises(JobError) as error:
            refused(wrong)
        assert error.value.code == code
        assert words in error.value.message


def test_what_cannot_be_done_is_refused_before_the_checkpoint_is_read() -> None:
    task = task_of(request_of("tiny-sd15", **job(unit(module="mlsd"))))
    fresh = DiffusersEngine(ModelFiles(Store()), Models(CPU))
    with pytest.raises(JobError, match=r"preprocessor_unknown"):
        fresh.load(task)
    assert fresh.models_loaded() == []


@pytest.mark.parametrize(
    ("module", "purpose", "what"),
    [
        ("openpose", "openpose", "RT-DETR"),
        ("openpose_full", "openpose", "ViTPose"),
        ("depth_midas", "depth_anything", "Depth Anything V2"),
    ],
)
def test_missing_files_of_a_preprocessor_are_named_with_the_way_to_bring_them(
    module: str, purpose: str, what: str
) -> None:
    with pytest.raises(JobError) as error:
        refused(unit(module=module))
    assert error.value.code == "files_missing"
    assert what in error.value.message
    assert f"darkroom checkpoints upload --kind engine-file --for {purpose} FILE" in error.value.message


def test_the_owner_is_told_what_stands_for_another_preprocessor() -> None:
    request = request_of(**job(unit(module="openpose_full"), unit(module="canny"), unit(module="depth")))
    assert engine().notices(task_of(request)) == [
        "The ControlNet preprocessor openpose_full was replaced by openpose: it draws bodies, without hands and faces.",
        "The ControlNet preprocessor depth was replaced by depth_anything_v2: Depth Anything V2 drew the map.",
    ]


def test_a_unit_paints_every_picture_of_a_job() -> None:
    assert len(paint(**job(unit(), n_iter=2))) == 2
