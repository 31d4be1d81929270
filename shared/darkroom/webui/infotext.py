"""The text under a picture (`infotext`), read back into fields of a body.

The WebUI's API fills the fields that a body leaves out from its `infotext` (modules/api/api.py, `apply_infotext`;
modules/infotext_utils.py). A text is the prompt, a line that begins with `Negative prompt:`, and last a line of
`Label: value` pairs, where a value with a comma or a colon is a JSON string.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_PAIR = re.compile(r'(\w[\w \-/]{1,100}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""A label has an end, or a long text without a colon would take the square of its length."""
_SIZE = re.compile(r"(\d{1,9})x(\d{1,9})")
_NEGATIVE = "Negative prompt:"
_CALLS = ("txt2img", "img2img")
_LEAST_PAIRS = 3
"""A last line with fewer pairs is part of the prompt."""


def _whole(text: str) -> int:
    return int(float(text))


def _truth(text: str) -> bool:
    return text.strip().casefold() not in ("", "false", "0", "none")


FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "Steps": ("steps", _whole),
    "Sampler": ("sampler_name", str),
    "Schedule type": ("scheduler", str),
    "CFG scale": ("cfg_scale", float),
    "Image CFG scale": ("image_cfg_scale", float),
    "Seed": ("seed", _whole),
    "Variation seed": ("subseed", _whole),
    "Variation seed strength": ("subseed_strength", float),
    "Denoising strength": ("denoising_strength", float),
    "Batch size": ("batch_size", _whole),
    "Hires upscale": ("hr_scale", float),
    "Hires upscaler": ("hr_upscaler", str),
    "Hires steps": ("hr_second_pass_steps", _whole),
    "Hires checkpoint": ("hr_checkpoint_name", str),
    "Hires sampler": ("hr_sampler_name", str),
    "Hires schedule type": ("hr_scheduler", str),
    "Hires prompt": ("hr_prompt", str),
    "Hires negative prompt": ("hr_negative_prompt", str),
    "Refiner": ("refiner_checkpoint", str),
    "Refiner switch at": ("refiner_switch_at", float),
    "Tiling": ("tiling", _truth),
    "Face restoration": ("restore_faces", _truth),
}
"""The field of a body that each label means, and what reads its value."""
SETTINGS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "Model hash": ("sd_model_checkpoint", str),
    "VAE": ("sd_vae", str),
    "Clip skip": ("CLIP_stop_at_last_layers", _whole),
    "ENSD": ("eta_noise_seed_delta", _whole),
    "RNG": ("randn_source", str),
    "Emphasis": ("emphasis", str),
    "Conditional mask weight": ("inpainting_mask_weight", float),
    "Noise multiplier": ("initial_noise_multiplier", float),
    "Extra noise": ("img2img_extra_noise", float),
    "Eta": ("eta_ancestral", float),
    "Eta DDIM": ("eta_ddim", float),
    "Sigma churn": ("s_churn", float),
    "Sigma tmin": ("s_tmin", float),
    "Sigma tmax": ("s_tmax", float),
    "Sigma noise": ("s_noise", float),
    "Schedule min sigma": ("sigma_min", float),
    "Schedule max sigma": ("sigma_max", float),
    "Schedule rho": ("rho", float),
    "Beta schedule alpha": ("beta_dist_alpha", float),
    "Beta schedule beta": ("beta_dist_beta", float),
    "Discard penultimate sigma": ("always_discard_next_to_last_sigma", _truth),
    "SGM noise multiplier": ("sgm_noise_multiplier", _truth),
    "Noise Schedule": ("sd_noise_schedule", str),
    "Downcast alphas_cumprod": ("use_downcasted_alpha_bar", _truth),
    "Skip Early CFG": ("skip_early_cond", float),
    "NGMS": ("s_min_uncond", float),
    "NGMS all steps": ("s_min_uncond_all", _truth),
    "Hires refiner": ("hires_fix_refiner_pass", str),
    "Refiner switch by sampling steps": ("refiner_switch_by_sample_steps", _truth),
    "VAE Encoder": ("sd_vae_encode_method", str),
    "VAE Decoder": ("sd_vae_decode_method", str),
}
"""The same for the settings."""
_TYPES: Final = {_whole: "whole", float: "real", str: "text", _truth: "truth"}
_CONTENTS = {"fill": 0, "original": 1, "latent noise": 2, "latent nothing": 3}
_MASK: dict[str, tuple[str, Callable[[str], Any], Any]] = {
    "Mask blur": ("mask_blur", _whole, 0),
    "Mask mode": ("inpainting_mask_invert", lambda text: int(text == "Inpaint not masked"), 0),
    "Masked content": ("inpainting_fill", lambda text: _CONTENTS[text], 1),
    "Inpaint area": ("inpaint_full_res", lambda text: text == "Only masked", False),
    "Masked area padding": ("inpaint_full_res_padding", _whole, 32),
}
"""The fields of a mask, and what the WebUI's form shows for a label that is not there. A picture that was painted with
a mask has at least one of them."""
_SIZES = {
    "Size": ("width", "height"),
    "Hires resize": ("hr_resize_x", "hr_resize_y"),
    "Seed resize from": ("seed_resize_from_w", "seed_resize_from_h"),
}


def labels() -> dict[str, dict[str, list[str]]]:
    """The labels that stand for one field or setting each: its name, and the type of its value as `calls` says it."""
    tables = {"fields": FIELDS, "settings": SETTINGS}
    return {
        kind: {label: [name, _TYPES[reads]] for label, (name, reads) in table.items()} for kind, table in tables.items()
    }


def filled_in(fields: dict[str, Any], call: str) -> dict[str, Any]:
    """The body with what its `infotext` says added, as far as the body does not say it; the same without one, and for
    any call but `txt2img` and `img2img`. A value that cannot be read is left out."""
    text = fields.get("infotext")
    if call not in _CALLS or not isinstance(text, str) or not text.strip():
        return fields
    found, settings = read(text)
    if call == "txt2img" and found.keys() & {"hr_scale", "hr_upscaler", "hr_resize_x"}:
        found.setdefault("enable_hr", True)
    said = fields.get("override_settings")
    settings = {**settings, **(said if isinstance(said, dict) else {})}
    given = {name: value for name, value in fields.items() if name != "override_settings"}
    return {**found, **given, **({"override_settings": settings} if settings or said is not None else {})}


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields and the settings that an infotext says."""
    lines = text.strip().split("\n")
    pairs = dict(_PAIR.findall(lines[-1]))
    if len(_PAIR.findall(lines[-1])) < _LEAST_PAIRS:
        pairs = {}
    else:
        lines.pop()
    fields = _prompts(lines)
    settings: dict[str, Any] = {}
    if net := _unquoted(pairs.get("Hypernet", "").strip()):
        strength = _unquoted(pairs.get("Hypernet strength", "1.0").strip())
        fields["prompt"] += f"<hypernet:{net}:{strength}>"
    if modules := _modules(pairs, "Module "):
        settings["forge_additional_modules"] = modules
    if modules := _modules(pairs, "Hires Module "):
        fields["hr_additional_modules"] = modules
    for label, written in pairs.items():
        value = _unquoted(written.strip())
        if label in _SIZES and (size := _SIZE.fullmatch(value)):
            fields |= dict(zip(_SIZES[label], (int(size[1]), int(size[2])), strict=True))
        for table, into in ((FIELDS, fields), (SETTINGS, settings)):
            if label in table:
                name, reads = table[label]
                try:
                    into[name] = reads(value)
                except (ValueError, OverflowError):
                    continue
    return fields | _mask(pairs), settings


def _mask(pairs: dict[str, str]) -> dict[str, Any]:
    """The fields of the mask; empty for a picture that was painted without one."""
    if not pairs.keys() & _MASK.keys():
        return {}
    fields = {name: usual for name, _, usual in _MASK.values()}
    for label, (name, reads, _) in _MASK.items():
        if label in pairs:
            try:
                fields[name] = reads(_unquoted(pairs[label].strip()))
            except (ValueError, OverflowError, KeyError):
                del fields[name]
    return fields


def _prompts(lines: list[str]) -> dict[str, Any]:
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for line in lines:
        bare = line.strip()
        if bare.startswith(_NEGATIVE):
            current = negative
            bare = bare[len(_NEGATIVE) :].strip()
        current.append(bare)
    return {"prompt": "\n".join(prompt).strip(), "negative_prompt": "\n".join(negative).strip()}


def _modules(pairs: dict[str, str], label: str) -> list[str]:
    """The text encoders and VAEs that Forge lists one by one: `Module 1: ae, Module 2: clip_l`."""
    return [_unquoted(value.strip()) for name, value in pairs.items() if re.fullmatch(rf"{label}\d+", name)]


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if isinstance(read, str) else value
