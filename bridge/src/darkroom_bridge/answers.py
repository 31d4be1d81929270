"""From jobs that have ended to the WebUI's answers."""

import base64
import html
import json
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from darkroom_bridge.facts import VERSION, with_defaults
from darkroom_bridge.infotexts import Infotext, parsed
from darkroom_bridge.problems import Problem
from darkroom_client.answers import Job

_BASE = frozenset(
    {
        "Steps",
        "Sampler",
        "Schedule type",
        "CFG scale",
        "Image CFG scale",
        "Seed",
        "Face restoration",
        "Size",
        "Model hash",
        "Model",
        "VAE hash",
        "VAE",
        "Variation seed",
        "Variation seed strength",
        "Seed resize from",
        "Denoising strength",
        "Conditional mask weight",
        "Clip skip",
        "ENSD",
        "Init image hash",
        "RNG",
        "Tiling",
        "Version",
        "User",
    }
)
"""What every infotext may say. The WebUI calls what scripts and the second pass add `extra_generation_params`."""


def check(job: Job) -> None:
    """Raises Problem for a job that failed. One that was cancelled has made nothing, as an interrupted call."""
    if job["status"] == "fail":
        error = job["error"] or {"code": "worker_failed", "message": "The job failed."}
        raise Problem(500, error["message"], error["code"], name=error["code"])


def painted(call: str, sent: dict[str, Any], job: Job, pictures: list[bytes]) -> dict[str, Any]:
    """The answer of txt2img and img2img. `sent` is the body of the call."""
    told = with_defaults(call, sent)
    if call == "img2img" and not told["include_init_images"]:
        told |= {"init_images": None, "mask": None}
    images = [] if told["send_images"] is False else [encoded(picture) for picture in pictures]
    return {"images": images, "parameters": told, "info": json.dumps(info(told, job))}


def upscaled(job: Job) -> str:
    """The `html_info` of a picture that was enlarged."""
    text = "<br>\n".join(html.escape(line) for line in "\n".join(job["infotexts"]).split("\n"))
    return f"<p>{text}</p>"


def encoded(content: bytes) -> str:
    """A picture as base64, byte for byte."""
    return base64.b64encode(content).decode("ascii")


def info(sent: dict[str, Any], job: Job) -> dict[str, Any]:
    """The fields of the WebUI's `Processed.js()` (modules/processing.py, 1.10), from what Darkroom tells of a job.

    Grids stand before the pictures and have no seed. The seed of the variation is known only where it decided
    something; elsewhere it is the one asked for.
    """
    images = job["images"]
    grids = next((n for n, image in enumerate(images) if image["seed"] is not None), 0)
    shown = images[grids:]
    texts = [parsed(image["infotext"] or "") for image in shown]
    first = texts[0] if texts and texts[0].pairs else Infotext(sent["prompt"] or "", sent["negative_prompt"] or "", {})
    pairs = first.pairs
    seeds = [image["seed"] if image["seed"] is not None else -1 for image in shown] or [_whole(sent["seed"], -1)]
    subseeds = [_subseed(sent, number, text) for number, text in enumerate(texts)] or [_whole(sent["subseed"], -1)]
    count = len(seeds)
    return {
        "prompt": first.prompt,
        "all_prompts": [text.prompt if text.pairs else first.prompt for text in texts] or [first.prompt] * count,
        "negative_prompt": first.negative,
        "all_negative_prompts": [text.negative if text.pairs else first.negative for text in texts]
        or [first.negative] * count,
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": subseeds[0],
        "all_subseeds": subseeds,
        "subseed_strength": sent["subseed_strength"] or 0,
        **_settings(sent, job, pairs),
        "extra_generation_params": {name: value for name, value in pairs.items() if name not in _BASE},
        "index_of_first_image": grids,
        "infotexts": [image["infotext"] or "" for image in images],
        "styles": sent["styles"] or [],
        "job_timestamp": timestamp(job),
        "clip_skip": _whole(pairs.get("Clip skip"), 1),
        "is_using_inpainting_conditioning": "Conditional mask weight" in pairs,
        "version": pairs.get("Version") or f"v{VERSION}",
    }


def _settings(sent: dict[str, Any], job: Job, pairs: dict[str, str]) -> dict[str, Any]:
    """The fields of `info` that say how a picture was painted; `pairs` are those of its infotext."""
    width, _, height = pairs.get("Size", "").partition("x")
    model = pairs.get("Model") or (PurePosixPath(job["checkpoint"]).stem if job["checkpoint"] else None)
    return {
        "width": _whole(width, sent["width"] or 512),
        "height": _whole(height, sent["height"] or 512),
        "sampler_name": pairs.get("Sampler") or sent["sampler_name"] or sent["sampler_index"],
        "cfg_scale": _real(pairs.get("CFG scale"), sent["cfg_scale"]),
        "steps": _whole(pairs.get("Steps"), sent["steps"]),
        "batch_size": sent["batch_size"] or 1,
        "restore_faces": bool(sent["restore_faces"]),
        "face_restoration_model": pairs.get("Face restoration"),
        "sd_model_name": model,
        "sd_model_hash": pairs.get("Model hash"),
        "sd_vae_name": pairs.get("VAE"),
        "sd_vae_hash": pairs.get("VAE hash"),
        "seed_resize_from_w": _whole(sent["seed_resize_from_w"], -1),
        "seed_resize_from_h": _whole(sent["seed_resize_from_h"], -1),
        "denoising_strength": _real(pairs.get("Denoising strength"), sent["denoising_strength"]),
    }


def timestamp(job: Job) -> str:
    """When a job began, as the WebUI writes it, in the time of this machine."""
    began = datetime.fromisoformat((job["started_at"] or job["created_at"]).replace("Z", "+00:00"))
    return began.astimezone().strftime("%Y%m%d%H%M%S")


def _subseed(sent: dict[str, Any], number: int, text: Infotext) -> int:
    asked = _whole(sent["subseed"], -1)
    return int(_whole(text.pairs.get("Variation seed"), asked + number if asked >= 0 else -1))


def _whole(value: Any, otherwise: Any) -> Any:
    """A whole number, also as text; what it is otherwise when it is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def _real(value: Any, otherwise: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise
