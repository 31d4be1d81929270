"""The generation parameters as the WebUI writes them into a picture, so that its PNG Info tab reads them back.

Order, names and quoting follow `create_infotext` in the WebUI's `modules/processing.py` and `quote` in its
`modules/infotext_utils.py` (1.10).
"""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from darkroom.jobs.contract import ModelFile, PaintedImage, WorkRequest
from darkroom.webui.prompt import without_comments
from darkroom.webui.samplers import own_choice
from worker.findings import NOTHING, Findings
from worker.parameters import GenerationSettings, is_masked, seeds_of
from worker.sampler_labels import hires_schedule, sampler_and_schedule

MASKED_CONTENT = {0: "fill", 2: "latent noise", 3: "latent nothing"}
MAX_INFO = 24 * 1024
HASH = re.compile(r"[0-9a-fA-F]{8,64}")
SHORT = 10
"""Digits of a checkpoint's or a VAE's hash."""
LEFT_OUT_WITHOUT = {
    "add_model_hash_to_info": ("Model hash",),
    "add_model_name_to_info": ("Model",),
    "add_vae_hash_to_info": ("VAE hash",),
    "add_vae_name_to_info": ("VAE",),
    "add_version_to_infotext": ("Version",),
    "lora_add_hashes_to_infotext": ("Lora hashes",),
    "textual_inversion_add_hashes_to_infotext": ("TI hashes",),
}
"""The options of the WebUI that leave fields out when they are off."""


def infotext(
    request: WorkRequest,
    settings: GenerationSettings,
    *,
    seed: int,
    subseed: int,
    size: tuple[int, int],
    version: str,
    found: Findings = NOTHING,
) -> str:
    """The text of one picture; `size` is the requested width and height, `version` names the engine."""
    fields = _fields(request, settings, seed, subseed, size, found) | _extra(request, settings, found)
    fields["Version"] = version
    options = settings.override_settings
    hidden = {name for option, names in LEFT_OUT_WITHOUT.items() if options.get(option) is False for name in names}
    prompt, negative = _plain(settings, settings.prompt), _plain(settings, settings.negative_prompt)
    line = line_of({name: value for name, value in fields.items() if name not in hidden})
    return "\n".join([prompt, *([f"Negative prompt: {negative}"] if negative else []), line]).strip()


def line_of(fields: Mapping[str, Any]) -> str:
    """Fields in one line, without those whose value is None."""
    shown = ((name, value) for name, value in fields.items() if value is not None)
    return ", ".join(name if name == value else f"{name}: {quote(value)}" for name, value in shown)


def info(
    request: WorkRequest,
    settings: GenerationSettings,
    images: list[PaintedImage],
    version: str,
    found: Findings = NOTHING,
) -> dict[str, Any]:
    """The `info` that the WebUI's API answers together with its pictures, for `images` (at least one)."""
    seeds = seeds_of(request, settings)[: len(images)]
    prompt, negative = _plain(settings, settings.prompt), _plain(settings, settings.negative_prompt)
    return {
        "prompt": prompt,
        "all_prompts": [prompt] * len(images),
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * len(images),
        "seed": images[0].seed,
        "all_seeds": [image.seed for image in images],
        "subseed": seeds[0][1],
        "all_subseeds": [subseed for _, subseed in seeds],
        "subseed_strength": settings.subseed_strength,
        "width": settings.width or images[0].width,
        "height": settings.height or images[0].height,
        "sampler_name": sampler_and_schedule(settings.sampler, settings.scheduler)[0],
        "cfg_scale": settings.cfg_scale,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "restore_faces": settings.restore_faces,
        "face_restoration_model": _face_restorer(settings),
        "sd_model_name": _model(request.checkpoint)[0],
        "sd_model_hash": _model_hash(request, found),
        "sd_vae_name": _vae(request),
        "sd_vae_hash": _short(found.vae_hash),
        "seed_resize_from_w": settings.seed_resize_from_w,
        "seed_resize_from_h": settings.seed_resize_from_h,
        "denoising_strength": settings.denoising_strength,
        "extra_generation_params": {k: v for k, v in _extra(request, settings, found).items() if v is not None},
        "index_of_first_image": 0,
        "infotexts": [image.infotext for image in images],
        "clip_skip": settings.clip_skip,
        "is_using_inpainting_conditioning": found.mask_weight is not None,
        "version": version,
    }


def bounded(told: dict[str, Any]) -> dict[str, Any] | None:
    """What `info` told, or None if it is longer than MAX_INFO characters: it repeats the prompt for every picture."""
    return told if _characters(told) <= MAX_INFO else None


def _characters(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    if isinstance(value, list):
        return sum(map(_characters, value))
    return len(value) if isinstance(value, str) else 0


def quote(value: object) -> str:
    """`value` as text; in JSON quotes when it contains a comma, a colon or a line break, which would end it too
    early."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text


def short_title(name: str, sha256: str) -> str:
    """A checkpoint as the WebUI names it in fields: the file's stem and the first digits of its hash."""
    return f"{_stem(name)} [{sha256[:SHORT]}]"


def _fields(
    request: WorkRequest, settings: GenerationSettings, seed: int, subseed: int, size: tuple[int, int], found: Findings
) -> dict[str, Any]:
    sampler, schedule = sampler_and_schedule(settings.sampler, settings.scheduler)
    varied = settings.subseed_strength != 0
    from_w, from_h = settings.seed_resize_from_w, settings.seed_resize_from_h
    redrawn = request.type == "img2img" or settings.enable_hr
    noise = settings.override_settings.get("randn_source")
    return {
        "Steps": settings.steps,
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": settings.cfg_scale,
        "Seed": seed,
        "Face restoration": _face_restorer(settings),
        "Size": f"{size[0]}x{size[1]}",
        "Model hash": _model_hash(request, found),
        "Model": _model(request.checkpoint)[0],
        "VAE hash": _short(found.vae_hash),
        "VAE": _vae(request),
        "Variation seed": subseed if varied else None,
        "Variation seed strength": settings.subseed_strength if varied else None,
        "Seed resize from": f"{from_w}x{from_h}" if from_w > 0 and from_h > 0 else None,
        "Denoising strength": settings.denoising_strength if redrawn else None,
        "Conditional mask weight": found.mask_weight,
        "Clip skip": settings.clip_skip if settings.clip_skip > 1 else None,
        "ENSD": found.noise_seed_delta,
        "Init image hash": found.start_hash,
        "RNG": noise if noise in ("CPU", "NV") else None,
        "Tiling": "True" if settings.tiling else None,
    }


def _extra(request: WorkRequest, settings: GenerationSettings, found: Findings) -> dict[str, Any]:
    """The fields that the WebUI adds behind those that every picture has; None for a field that it leaves out."""
    fields = dict(found.scripts)
    if is_masked(request):
        fields |= _mask(settings, found)
    elif request.type == "txt2img" and settings.enable_hr:
        fields |= _hires(settings, found)
    return fields | dict(found.painted)


def _mask(settings: GenerationSettings, found: Findings) -> dict[str, Any]:
    blur = settings.blur
    unused = settings.inpaint_full_res and found.empty_mask
    only_masked = settings.inpaint_full_res and not unused
    return {
        "Mask mode": "Inpaint not masked" if settings.inpainting_mask_invert else None,
        "Mask blur": blur[0] if blur[0] == blur[1] and blur[0] > 0 else None,
        "Inpaint area": "Only masked" if only_masked else None,
        "Masked area padding": settings.inpaint_full_res_padding if only_masked else None,
        "Masked content": None if unused else MASKED_CONTENT.get(settings.inpainting_fill),
    }


def _hires(settings: GenerationSettings, found: Findings) -> dict[str, Any]:
    resize = settings.hr_resize_x or settings.hr_resize_y
    sampler = own_choice(settings.hr_sampler_name)
    prompt, negative = _plain(settings, settings.prompt), _plain(settings, settings.negative_prompt)
    return {
        "Hires checkpoint": short_title(*found.hires_checkpoint) if found.hires_checkpoint else None,
        "Hires sampler": sampler if sampler != settings.sampler else None,
        "Hires prompt": _if_different(_plain(settings, settings.hr_prompt), prompt),
        "Hires negative prompt": _if_different(_plain(settings, settings.hr_negative_prompt), negative),
        "Hires schedule type": hires_schedule(
            settings.sampler, settings.scheduler, sampler, own_choice(settings.hr_scheduler)
        ),
        "Hires upscale": None if resize else settings.hr_scale,
        "Hires resize": f"{settings.hr_resize_x}x{settings.hr_resize_y}" if resize else None,
        "Hires steps": settings.hr_second_pass_steps or None,
        "Hires upscaler": settings.hr_upscaler,
    }


def _plain(settings: GenerationSettings, text: str) -> str:
    return without_comments(text, settings.override_settings.get("enable_prompt_comments") is not False)


def _if_different(text: str, first: str) -> str | None:
    return text if text and text != first else None


def _face_restorer(settings: GenerationSettings) -> str | None:
    if not settings.restore_faces:
        return None
    return str(settings.override_settings.get("face_restoration_model") or "CodeFormer")


def _model_hash(request: WorkRequest, found: Findings) -> str | None:
    return _short(found.model_hash) or _model(request.checkpoint)[1]


def _short(sha256: str | None) -> str | None:
    return sha256[:SHORT] if sha256 else None


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _model(checkpoint: ModelFile | None) -> tuple[str | None, str | None]:
    """A checkpoint's name as the WebUI shows it (no folder, no extension) and the hash in its title, if any."""
    if checkpoint is None:
        return None, None
    # Cut and not searched: a pattern that may begin with any blank takes the square of their number.
    name, _, bracketed = checkpoint.name.rpartition("[")
    found = HASH.fullmatch(bracketed.removesuffix("]")) if bracketed.endswith("]") else None
    return _stem(name.rstrip() if found else checkpoint.name), found.group() if found else None


def _vae(request: WorkRequest) -> str | None:
    """The VAE's file name, None when the job names none (the WebUI's Automatic and None)."""
    chosen = [vae.name for vae in request.models.get("vae", []) if vae.s3]
    return PurePosixPath(chosen[0]).name if chosen else None
