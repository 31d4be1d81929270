"""The calls of the WebUI's API that paint or read pictures, and the fields of their bodies.

Facts of WebUI 1.10.1's own API document, with the fields that Forge adds, and of the extension rembg (its
`scripts/api.py`). Types: `text`, `whole` and `real` numbers, `truth`, `list`, `map`. A default of None means that the
field may be left out and then stands at whatever the WebUI is set to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

FieldType = Literal["text", "whole", "real", "truth", "list", "map"]


@dataclass(frozen=True)
class Field:
    """A field of a body: its type and its default. `forge` marks one that only Forge has."""

    type: FieldType
    default: Any = None
    forge: bool = False


Fields = Mapping[str, Field]

_BOTH: Fields = {
    "prompt": Field("text", ""),
    "negative_prompt": Field("text", ""),
    "styles": Field("list"),
    "seed": Field("whole", -1),
    "subseed": Field("whole", -1),
    "subseed_strength": Field("real", 0),
    "seed_resize_from_h": Field("whole", -1),
    "seed_resize_from_w": Field("whole", -1),
    "sampler_name": Field("text"),
    "scheduler": Field("text"),
    "batch_size": Field("whole", 1),
    "n_iter": Field("whole", 1),
    "steps": Field("whole", 50),
    "cfg_scale": Field("real", 7.0),
    "width": Field("whole", 512),
    "height": Field("whole", 512),
    "restore_faces": Field("truth"),
    "tiling": Field("truth"),
    "do_not_save_samples": Field("truth", False),
    "do_not_save_grid": Field("truth", False),
    "eta": Field("real"),
    "s_min_uncond": Field("real"),
    "s_churn": Field("real"),
    "s_tmax": Field("real"),
    "s_tmin": Field("real"),
    "s_noise": Field("real"),
    "override_settings": Field("map"),
    "override_settings_restore_afterwards": Field("truth", True),
    "refiner_checkpoint": Field("text"),
    "refiner_switch_at": Field("real"),
    "disable_extra_networks": Field("truth", False),
    "firstpass_image": Field("text"),
    "comments": Field("map"),
    "force_task_id": Field("text"),
    "sampler_index": Field("text", "Euler"),
    "script_name": Field("text"),
    "script_args": Field("list", []),
    "send_images": Field("truth", True),
    "save_images": Field("truth", False),
    "alwayson_scripts": Field("map", {}),
    "infotext": Field("text"),
    "distilled_cfg_scale": Field("real", 3.5, forge=True),
}
"""Fields of txt2img and img2img alike."""
_TXT2IMG: Fields = {
    "denoising_strength": Field("real"),
    "enable_hr": Field("truth", False),
    "firstphase_width": Field("whole", 0),
    "firstphase_height": Field("whole", 0),
    "hr_scale": Field("real", 2.0),
    "hr_upscaler": Field("text"),
    "hr_second_pass_steps": Field("whole", 0),
    "hr_resize_x": Field("whole", 0),
    "hr_resize_y": Field("whole", 0),
    "hr_checkpoint_name": Field("text"),
    "hr_sampler_name": Field("text"),
    "hr_scheduler": Field("text"),
    "hr_prompt": Field("text", ""),
    "hr_negative_prompt": Field("text", ""),
    "hr_additional_modules": Field("list", forge=True),
    "hr_cfg": Field("real", 1.0, forge=True),
    "hr_distilled_cfg": Field("real", 3.5, forge=True),
}
_IMG2IMG: Fields = {
    "denoising_strength": Field("real", 0.75),
    "init_images": Field("list"),
    "resize_mode": Field("whole", 0),
    "image_cfg_scale": Field("real"),
    "mask": Field("text"),
    "mask_blur_x": Field("whole", 4),
    "mask_blur_y": Field("whole", 4),
    "mask_blur": Field("whole"),
    "mask_round": Field("truth", True),
    "inpainting_fill": Field("whole", 0),
    "inpaint_full_res": Field("truth", True),
    "inpaint_full_res_padding": Field("whole", 0),
    "inpainting_mask_invert": Field("whole", 0),
    "initial_noise_multiplier": Field("real"),
    "latent_mask": Field("text"),
    "include_init_images": Field("truth", False),
    "hr_distilled_cfg": Field("real", 3.5, forge=True),
}
_UPSCALING: Fields = {
    "resize_mode": Field("whole", 0),
    "show_extras_results": Field("truth", True),
    "gfpgan_visibility": Field("real", 0),
    "codeformer_visibility": Field("real", 0),
    "codeformer_weight": Field("real", 0),
    "upscaling_resize": Field("real", 2),
    "upscaling_resize_w": Field("whole", 512),
    "upscaling_resize_h": Field("whole", 512),
    "upscaling_crop": Field("truth", True),
    "upscaler_1": Field("text", "None"),
    "upscaler_2": Field("text", "None"),
    "extras_upscaler_2_visibility": Field("real", 0),
    "upscale_first": Field("truth", False),
}
"""Fields of extra-single-image and extra-batch-images alike."""
_REMBG: Fields = {
    "input_image": Field("text", ""),
    "model": Field("text", "u2net"),
    "return_mask": Field("truth", False),
    "alpha_matting": Field("truth", False),
    "alpha_matting_foreground_threshold": Field("whole", 240),
    "alpha_matting_background_threshold": Field("whole", 10),
    "alpha_matting_erode_size": Field("whole", 10),
}
CALLS: Mapping[str, Fields] = {
    "txt2img": {**_BOTH, **_TXT2IMG},
    "img2img": {**_BOTH, **_IMG2IMG},
    "extra-single-image": {**_UPSCALING, "image": Field("text", "")},
    "extra-batch-images": {**_UPSCALING, "imageList": Field("list")},
    "interrogate": {"image": Field("text", ""), "model": Field("text", "clip")},
    "png-info": {"image": Field("text")},
    "rembg": _REMBG,
}
"""Fields by call. The name of a call is the last part of its path."""
CALL_OF: Mapping[str, str] = {"txt2img": "txt2img", "img2img": "img2img", "extras": "extra-single-image"}
"""The call whose body a job of a type takes, by the type."""


def of_other_calls(call: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields of a body that this call does not have and another one does, each with that call."""
    for name in fields:
        if name not in CALLS[call]:
            others = (other for other, has in CALLS.items() if name in has)
            if other := next(others, None):
                yield name, other
