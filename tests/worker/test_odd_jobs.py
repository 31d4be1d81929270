"""Jobs at the edges: refiners and options of inpainting models, and sizes that cannot be painted."""

from typing import Any

import pytest
import torch
from PIL import Image

from tests.worker.files import checkpoint_file
from tests.worker.jobs import SIZE, engine, file, img2img, paint, photo, picture, request_of, task_of
from tests.worker.test_painting import apart
from worker.engines.diffusers.guidance import Guidance
from worker.errors import JobError

PLAIN, INPAINTING = "tiny-sd15", "tiny-sd15-inpainting"


def middle() -> Image.Image:
    """A mask over the middle of a picture."""
    mask = Image.new("L", SIZE)
    mask.paste(255, (16, 16, 48, 48))
    return mask


@pytest.mark.parametrize(("first", "refiner"), [(PLAIN, INPAINTING), (INPAINTING, PLAIN)])
@pytest.mark.parametrize("over", [False, True])
def test_a_refiner_may_see_the_mask_where_the_first_checkpoint_does_not(first: str, refiner: str, over: bool) -> None:
    models = {"stable-diffusion": [file(checkpoint_file(refiner).name)]}
    fields: dict[str, Any] = {}
    if over:
        fields = {"job": "img2img", "mode": "inpaint", "pictures": {"init": photo(), "mask": middle()}}
    refined = picture(first, refiner_checkpoint=refiner, refiner_switch_at=0.5, models=models, **fields)
    assert apart(refined, picture(first, **fields)) > 0.01


def test_an_inpainting_model_is_shown_as_much_of_the_masked_part_as_the_option_says() -> None:
    def painted(weight: float) -> Any:
        options = {"randn_source": "CPU", "inpainting_mask_weight": weight}
        pictures = {"init": photo(), "mask": middle()}
        [one] = paint(INPAINTING, job="img2img", mode="inpaint", pictures=pictures, override_settings=options)
        return one

    assert "Conditional mask weight: 0.25" in painted(0.25).infotext
    assert painted(0.25).content != painted(1.0).content
    with pytest.raises(JobError, match="inpainting_mask_weight"):
        painted(2.0)


def test_the_size_that_a_seed_comes_from_has_a_limit() -> None:
    with pytest.raises(JobError, match="pixels") as refused:
        paint(seed_resize_from_w=1_000_000_000, seed_resize_from_h=1_000_000_000)
    assert refused.value.code == "parameter_invalid"


@pytest.mark.parametrize(
    ("sizes", "code"),
    [([(500, 3)], "parameter_invalid"), ([(64, 64), (80, 96)], "sizes_differ"), ([(8192, 4096)], "parameter_invalid")],
)
def test_latents_are_not_stretched_of_what_has_none(sizes: list[tuple[int, int]], code: str) -> None:
    names = ["init", "init_2"][: len(sizes)]
    pictures = {name: Image.new("RGB", size) for name, size in zip(names, sizes, strict=True)}
    inits = [f"image:{name}" for name in names]
    with pytest.raises(JobError) as refused:
        paint(job="img2img", pictures=pictures, init_images=inits, batch_size=len(sizes), resize_mode=3)
    assert refused.value.code == code
    # With a mask the pictures are stretched and not the latents.
    if len(sizes) == 1 and code == "parameter_invalid" and sizes[0][0] < 1000:
        mask = Image.new("L", sizes[0], 255)
        assert img2img(mode="inpaint", pictures={**pictures, "mask": mask}, resize_mode=3).size == sizes[0]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"scheduler": "Karras", "override_settings": {"rho": 1e-9}}, "parameter_invalid"),
        ({"sampler_name": "DDIM", "eta": 50}, "nothing_painted"),
    ],
)
def test_options_that_leave_no_picture_are_said(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(JobError) as refused:
        paint(**fields)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"n_iter": 3},
        {"n_iter": 2, "enable_hr": True, "hr_upscaler": "Lanczos"},
        {"n_iter": 2, "job": "img2img", "pictures": {"init": photo()}},
    ],
)
def test_progress_never_falls_and_is_whole_at_the_end_alone(fields: dict[str, Any]) -> None:
    told: list[float] = []
    paint(look=told.append, **fields)
    assert told == sorted(told)
    assert told[-1] == 1
    assert 0.3 < told[len(told) // 2] < 1


def test_options_that_the_engine_lacks_are_left_out_with_a_notice() -> None:
    options = {"randn_source": "CPU", "token_merging_ratio": 0.5, "img2img_color_correction": False}
    task = task_of(request_of(override_settings=options))
    assert [*engine().paint(task)]
    assert engine().notices(task) == ["The option token_merging_ratio was left out: this engine does not have it."]


def test_too_little_memory_is_told_and_the_next_job_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(Guidance, "denoise_both", full)
        with pytest.raises(JobError, match="smaller size") as refused:
            paint()
    assert refused.value.code == "out_of_memory"
    assert paint()
