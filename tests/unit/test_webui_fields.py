"""Every field of the WebUI's txt2img and img2img: understood, passed on, or refused by name."""

from typing import Any

import pytest
from pydantic import ValidationError

from darkroom.jobs.api import JobIn
from darkroom.jobs.parameters import Parameters
from darkroom.webui.calls import CALLS, Field

EXAMPLES: dict[str, Any] = {"text": "some text", "whole": 8, "real": 0.5, "truth": True, "list": [], "map": {}}
WRONG: dict[str, Any] = {"text": 5, "whole": "many", "real": "many", "truth": "perhaps", "list": "x", "map": "x"}
BODIES = ("txt2img", "img2img")
LOOKED_AT = {
    "infotext",
    "disable_extra_networks",
    "refiner_checkpoint",
    "hr_checkpoint_name",
    "hr_prompt",
    "hr_negative_prompt",
    "hr_additional_modules",
    "firstpass_image",
}
"""Fields that are not bounded but read: for models, prompts and pictures."""
PASSED_ON = {
    "comments",
    "distilled_cfg_scale",
    "do_not_save_grid",
    "do_not_save_samples",
    "firstphase_height",
    "firstphase_width",
    "force_task_id",
    "hr_cfg",
    "hr_distilled_cfg",
    "hr_sampler_name",
    "hr_scheduler",
    "include_init_images",
    "latent_mask",
    "mask_round",
    "refiner_switch_at",
}
ALL = [(call, name) for call in BODIES for name in CALLS[call]]


def example(field: Field, name: str) -> Any:
    """A value of the field's type that its bounds allow."""
    sides = {"width": 512, "height": 512, "inpainting_fill": 1, "inpainting_mask_invert": 1, "resize_mode": 1}
    return sides.get(name, 1.5 if name == "hr_scale" else EXAMPLES[field.type])


def parameters(call: str, **fields: Any) -> dict[str, Any]:
    """The parameters of a job with this body, with everything switched on."""
    on = {"prompt": "x", "enable_hr": True, "mask": "x", "subseed_strength": 0.5} | fields
    return JobIn.model_validate({"type": call, "parameters": on}).parameters.fields()


@pytest.mark.parametrize(("call", "name"), ALL)
def test_a_field_is_kept_as_it_was_sent(call: str, name: str) -> None:
    value = example(CALLS[call][name], name)
    assert parameters(call, **{name: value})[name] == value


@pytest.mark.parametrize(("call", "name"), ALL)
def test_a_field_is_bounded_or_read_or_passed_on(call: str, name: str) -> None:
    known = [name in Parameters.model_fields, name in LOOKED_AT, name in PASSED_ON]
    assert known.count(True) == 1, (
        f"{name} of {call}: {dict(zip(('bounded', 'read', 'passed on'), known, strict=True))}"
    )


@pytest.mark.parametrize(("call", "name"), [(call, name) for call, name in ALL if name in Parameters.model_fields])
def test_a_value_of_another_type_is_refused_by_the_fields_name(call: str, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parameters(call, **{name: WRONG[CALLS[call][name].type]})
    assert refused.value.errors()[0]["loc"][:2] == ("parameters", name)


FOREIGN = [
    (call, name)
    for call in BODIES
    for name in sorted({name for fields in CALLS.values() for name in fields})
    if name not in CALLS[call] and name != "image"
]


@pytest.mark.parametrize(("call", "name"), FOREIGN)
def test_a_field_of_another_call_is_refused_by_name_where_nothing_says_this_call(call: str, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        JobIn.model_validate({"type": call, "parameters": {name: 1}})
    assert name in str(refused.value)
    JobIn.model_validate({"type": call, "parameters": {}})


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"hr_scale": 0, "enable_hr": False}, "hr_scale"),
        ({"hr_scale": 0}, "hr_scale"),
        ({"hr_second_pass_steps": -5}, "hr_second_pass_steps"),
        ({"denoising_strength": 7}, "denoising_strength"),
        ({"mask_blur": 9000}, "mask_blur"),
        ({"subseed": -9, "subseed_strength": 0}, "subseed"),
        ({"resize_mode": 99}, "resize_mode"),
    ],
)
def test_a_field_that_is_switched_off_decides_nothing(fields: dict[str, Any], name: str) -> None:
    request = JobIn.model_validate({"type": "txt2img", "parameters": {"prompt": "x", **fields}})
    assert name not in request.parameters.fields()


@pytest.mark.parametrize("on", [True, 1, "true", "yes"])
def test_what_is_switched_on_in_any_spelling_is_bounded(on: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        JobIn.model_validate({"type": "txt2img", "parameters": {"enable_hr": on, "hr_scale": 99}})
    assert refused.value.errors()[0]["loc"] == ("parameters", "hr_scale")


@pytest.mark.parametrize(
    ("name", "value"),
    [("upscaling_resize", 0), ("upscaling_resize_w", 0), ("gfpgan_visibility", 1.5), ("upscaler_1", 5)],
)
def test_the_fields_of_extras_are_bounded_for_extras_and_decide_nothing_elsewhere(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        JobIn.model_validate({"type": "extras", "parameters": {name: value}})
    assert refused.value.errors()[0]["loc"] == ("parameters", name)
    other = JobIn.model_validate({"type": "txt2img", "parameters": {"prompt": "x", name: value}})
    assert name not in other.parameters.fields()


@pytest.mark.parametrize("images", [{}, {"init": "0" * 64}])
def test_the_fields_of_a_mask_count_as_soon_as_there_is_one(images: dict[str, str]) -> None:
    body = {"type": "img2img", "images": images, "parameters": {"prompt": "x", "mask_blur": 9000}}
    JobIn.model_validate(body)
    with pytest.raises(ValidationError):
        JobIn.model_validate({**body, "images": {**images, "mask": "0" * 64}})
