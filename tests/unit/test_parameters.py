"""Bodies of the WebUI as parameters: nothing is lost, known fields have types and bounds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from darkroom.jobs.parameters import Parameters, passed_on_styles, rounded

# What the WebUI's own /docs page offers as an example of /sdapi/v1/img2img, with its pictures left out.
WEBUI_IMG2IMG: dict[str, Any] = {
    "prompt": "", "negative_prompt": "", "styles": ["string"], "seed": -1, "subseed": -1, "subseed_strength": 0,
    "seed_resize_from_h": -1, "seed_resize_from_w": -1, "sampler_name": None, "scheduler": None, "batch_size": 1,
    "n_iter": 1, "steps": 50, "cfg_scale": 7, "width": 512, "height": 512, "restore_faces": None, "tiling": None,
    "do_not_save_samples": False, "do_not_save_grid": False, "eta": None, "denoising_strength": 0.75,
    "s_min_uncond": None, "s_churn": None, "s_tmax": None, "s_tmin": None, "s_noise": None,
    "override_settings": {}, "override_settings_restore_afterwards": True, "refiner_checkpoint": None,
    "refiner_switch_at": None, "disable_extra_networks": False, "firstpass_image": None, "comments": {},
    "init_images": [], "resize_mode": 0, "image_cfg_scale": None, "mask": None, "mask_blur_x": 4, "mask_blur_y": 4,
    "mask_blur": None, "mask_round": True, "inpainting_fill": 0, "inpaint_full_res": True,
    "inpaint_full_res_padding": 0, "inpainting_mask_invert": 0, "initial_noise_multiplier": None, "latent_mask": None,
    "force_task_id": None, "sampler_index": "Euler", "include_init_images": False, "script_name": None,
    "script_args": [], "send_images": True, "save_images": False, "alwayson_scripts": {}, "infotext": None,
}  # fmt: skip


def test_a_body_of_the_webui_is_not_changed() -> None:
    assert Parameters.model_validate(WEBUI_IMG2IMG).fields() == WEBUI_IMG2IMG


def test_no_field_is_added() -> None:
    assert Parameters.model_validate({}).fields() == {}


def test_infinity_is_accepted_and_stored_as_a_string() -> None:
    body = json.loads('{"s_tmax": Infinity, "alwayson_scripts": {"x": {"args": [-Infinity, NaN]}}}')
    fields = Parameters.model_validate(body).fields()
    assert fields == {"s_tmax": "Infinity", "alwayson_scripts": {"x": {"args": ["-Infinity", "NaN"]}}}
    json.dumps(fields, allow_nan=False)
    assert Parameters.model_validate(fields).fields() == fields


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("steps", (1, 150), (0, 151, 1.5, "many")),
        ("width", (64, 2048, 520, 998), (63, 56, 2049)),
        ("height", (64, 2048, 65), (0, -64, 63)),
        ("batch_size", (1, 8), (0, 9)),
        ("n_iter", (1, 100), (0, 101)),
        ("denoising_strength", (0, 1, 0.5), (-0.1, 1.1, float("nan"))),
        ("cfg_scale", (0, 30, 7.5), (-1, 31, float("inf"))),
        ("seed", (-1, 0, 2**32), (-2, 2**63)),
        ("mask_blur", (0, 64), (-1, 65)),
        ("inpainting_mask_invert", (0, 1), (2,)),
        ("resize_mode", (0, 3), (4,)),
        ("prompt", ("", "x"), (5, ["x"])),
        ("alwayson_scripts", ({},), ([], "x")),
    ],
)
def test_known_fields_are_bounded(field: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    for value in (*good, None):
        Parameters.model_validate({field: value})
    for value in bad:
        with pytest.raises(ValidationError) as refused:
            Parameters.model_validate({field: value})
        assert refused.value.errors()[0]["loc"][0] == field


def test_more_pictures_than_a_job_makes_are_refused() -> None:
    Parameters.model_validate({"n_iter": 16, "batch_size": 8})
    with pytest.raises(ValidationError) as refused:
        Parameters.model_validate({"n_iter": 17, "batch_size": 8})
    assert refused.value.errors()[0]["loc"] == ("n_iter",)


def test_sides_are_rounded_down_to_multiples_of_8_with_a_notice() -> None:
    fields, notices = rounded({"width": 998, "height": 64, "hr_resize_x": None})
    assert fields == {"width": 992, "height": 64, "hr_resize_x": None}
    assert notices == ("`width` 998 was rounded down to 992, a multiple of 8, as in the WebUI.",)


def test_styles_are_passed_on_with_a_notice() -> None:
    assert passed_on_styles({"styles": []}) == passed_on_styles({}) == passed_on_styles({"styles": ["None", ""]}) == ()
    (notice,) = passed_on_styles({"styles": ["Noir", *map(str, range(9))]})
    assert "(Noir, 0, 1, 2, 3, …)" in notice


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=8).map("x_".__add__), json_values, max_size=4))
def test_unknown_fields_are_kept_and_can_always_be_written_as_json(unknown: dict[str, Any]) -> None:
    fields = Parameters.model_validate(unknown).fields()
    assert set(fields) == set(unknown)
    assert Parameters.model_validate(json.loads(json.dumps(fields, allow_nan=False))).fields() == fields
