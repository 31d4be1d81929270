"""The generation parameters as the WebUI writes them into a PNG, so that its PNG Info tab reads them back.

Order, names and quoting follow `create_infotext` in the WebUI's `modules/processing.py` and `quote` in its
`modules/infotext_utils.py` (1.10).
"""

import json
import re
from pathlib import PurePosixPath
from typing import Any

from darkroom.jobs.contract import ModelFile, PaintedImage, WorkRequest
from worker.parameters import GenerationSettings, is_masked, seeds_of

MASKED_CONTENT = {0: "fill", 2: "latent noise", 3: "latent nothing"}
MAX_INFO = 24 * 1024
HASH = re.compile(r"[0-9a-fA-F]{8,64}")


def infotext(
    request: WorkRequest, settings: GenerationSettings, *, seed: int, subseed: int, size: tuple[int, int], version: str
) -> str:
    """The text of one picture; `size` is the requested width and height, `version` names the engine."""
    fields = _fields(request, settings, seed, subseed, size) | _extra(request, settings)
    fields["Version"] = version
    line = ", ".join(f"{name}: {quote(value)}" for name, value in fields.items() if value is not None)
    negative = f"\nNegative prompt: {settings.negative_prompt}" if settings.negative_prompt else ""
    return f"{settings.prompt}{negative}\n{line}".strip()


def info(
    request: WorkRequest, settings: GenerationSettings, images: list[PaintedImage], version: str
) -> dict[str, Any]:
    """The `info` that the WebUI's API answers together with its pictures, for `images` (at least one)."""
    seeds = seeds_of(request, settings)[: len(images)]
    name, checksum = _model(request.checkpoint)
    return {
        "prompt": settings.prompt,
        "all_prompts": [settings.prompt] * len(images),
        "negative_prompt": settings.negative_prompt,
        "all_negative_prompts": [settings.negative_prompt] * len(images),
        "seed": images[0].seed,
        "all_seeds": [image.seed for image in images],
        "subseed": seeds[0][1],
        "all_subseeds": [subseed for _, subseed in seeds],
        "subseed_strength": settings.subseed_strength,
        "width": settings.width or images[0].width,
        "height": settings.height or images[0].height,
        "sampler_name": settings.sampler,
        "cfg_scale": settings.cfg_scale,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "restore_faces": settings.restore_faces,
        "sd_model_name": name,
        "sd_model_hash": checksum,
        "sd_vae_name": _vae(request),
        "seed_resize_from_w": settings.seed_resize_from_w,
        "seed_resize_from_h": settings.seed_resize_from_h,
        "denoising_strength": settings.denoising_strength,
        "extra_generation_params": _extra(request, settings),
        "index_of_first_image": 0,
        "infotexts": [image.infotext for image in images],
        "clip_skip": settings.clip_skip,
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


def _fields(
    request: WorkRequest, settings: GenerationSettings, seed: int, subseed: int, size: tuple[int, int]
) -> dict[str, Any]:
    model, checksum = _model(request.checkpoint)
    varied = settings.subseed_strength != 0
    from_w, from_h = settings.seed_resize_from_w, settings.seed_resize_from_h
    redrawn = request.type == "img2img" or settings.enable_hr
    return {
        "Steps": settings.steps,
        "Sampler": settings.sampler,
        # Bodies for WebUIs older than 1.9 have no scheduler; whoever reads the text takes a missing one for Automatic.
        "Schedule type": settings.scheduler,
        "CFG scale": settings.cfg_scale,
        "Seed": seed,
        "Face restoration": "CodeFormer" if settings.restore_faces else None,
        "Size": f"{size[0]}x{size[1]}",
        "Model hash": checksum,
        "Model": model,
        "VAE": _vae(request),
        "Variation seed": subseed if varied else None,
        "Variation seed strength": settings.subseed_strength if varied else None,
        "Seed resize from": f"{from_w}x{from_h}" if from_w > 0 and from_h > 0 else None,
        "Denoising strength": settings.denoising_strength if redrawn else None,
        "Clip skip": settings.clip_skip if settings.clip_skip > 1 else None,
        "Tiling": "True" if settings.tiling else None,
    }


def _extra(request: WorkRequest, settings: GenerationSettings) -> dict[str, Any]:
    """The fields that the WebUI adds for a mask or for the hires pass; None for a field that it leaves out."""
    if is_masked(request):
        blur = settings.blur
        only_masked = settings.inpaint_full_res
        return {
            "Mask mode": "Inpaint not masked" if settings.inpainting_mask_invert else None,
            "Mask blur": blur[0] if blur[0] == blur[1] and blur[0] > 0 else None,
            "Inpaint area": "Only masked" if only_masked else None,
            "Masked area padding": settings.inpaint_full_res_padding if only_masked else None,
            "Masked content": MASKED_CONTENT.get(settings.inpainting_fill),
        }
    if request.type == "txt2img" and settings.enable_hr:
        resize = settings.hr_resize_x or settings.hr_resize_y
        sampler = settings.hr_sampler_name
        return {
            "Hires sampler": sampler if sampler != settings.sampler else None,
            "Hires prompt": _if_different(settings.hr_prompt, settings.prompt),
            "Hires negative prompt": _if_different(settings.hr_negative_prompt, settings.negative_prompt),
            "Hires upscale": None if resize else settings.hr_scale,
            "Hires resize": f"{settings.hr_resize_x}x{settings.hr_resize_y}" if resize else None,
            "Hires steps": settings.hr_second_pass_steps or None,
            "Hires upscaler": settings.hr_upscaler,
        }
    return {}


def _if_different(text: str, first: str) -> str | None:
    return text if text and text != first else None


def _model(checkpoint: ModelFile | None) -> tuple[str | None, str | None]:
    """A checkpoint's name as the WebUI shows it (no folder, no extension) and the hash in its title, if any."""
    if checkpoint is None:
        return None, None
    # Cut and not searched: a pattern that may begin with any blank takes the square of their number.
    name, _, bracketed = checkpoint.name.rpartition("[")
    found = HASH.fullmatch(bracketed.removesuffix("]")) if bracketed.endswith("]") else None
    file = PurePosixPath((name.rstrip() if found else checkpoint.name).replace("\\", "/"))
    return file.stem, found.group() if found else None


def _vae(request: WorkRequest) -> str | None:
    """The VAE's file name, None when the job names none (the WebUI's Automatic and None)."""
    chosen = [vae.name for vae in request.models.get("vae", []) if vae.s3]
    return PurePosixPath(chosen[0]).name if chosen else None
