"""The answers of the WebUI's API (1.10) as a table of shapes, and a comparison that says where an answer differs.

A type stands for a value of it, a list with one shape for a list of such values, a dictionary for exactly these keys.
`Maybe` may be null, `Each` is an object with any keys, `Text` is JSON inside a text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from json import loads
from typing import Any


@dataclass(frozen=True)
class Maybe:
    """The shape, or null."""

    shape: Any


@dataclass(frozen=True)
class Each:
    """An object whose every value has the shape."""

    shape: Any


@dataclass(frozen=True)
class Text:
    """A text with JSON of the shape."""

    shape: Any


NUMBER = float
ANY = object
STATE = {
    "skipped": bool,
    "interrupted": bool,
    "stopping_generation": bool,
    "job": str,
    "job_count": int,
    "job_timestamp": str,
    "job_no": int,
    "sampling_step": int,
    "sampling_steps": int,
}
INFO = {
    "prompt": str,
    "all_prompts": [str],
    "negative_prompt": str,
    "all_negative_prompts": [str],
    "seed": int,
    "all_seeds": [int],
    "subseed": int,
    "all_subseeds": [int],
    "subseed_strength": NUMBER,
    "width": int,
    "height": int,
    "sampler_name": str,
    "cfg_scale": NUMBER,
    "steps": int,
    "batch_size": int,
    "restore_faces": bool,
    "face_restoration_model": Maybe(str),
    "sd_model_name": Maybe(str),
    "sd_model_hash": Maybe(str),
    "sd_vae_name": Maybe(str),
    "sd_vae_hash": Maybe(str),
    "seed_resize_from_w": int,
    "seed_resize_from_h": int,
    "denoising_strength": Maybe(NUMBER),
    "extra_generation_params": Each(ANY),
    "index_of_first_image": int,
    "infotexts": [str],
    "styles": [str],
    "job_timestamp": str,
    "clip_skip": int,
    "is_using_inpainting_conditioning": bool,
    "version": str,
}
"""What `Processed.js()` makes, in its order."""
PAINTED = {"images": [str], "parameters": Each(ANY), "info": Text(INFO)}
ERROR = {"error": str, "detail": str, "body": str, "errors": str}
INVALID = {"detail": [{"loc": [ANY], "msg": str, "type": str}]}
_ARGUMENT = {
    "label": Maybe(str),
    "value": ANY,
    "minimum": ANY,
    "maximum": ANY,
    "step": ANY,
    "choices": Maybe([ANY]),
}
_EMBEDDING = {
    "step": Maybe(int),
    "sd_checkpoint": Maybe(str),
    "sd_checkpoint_name": Maybe(str),
    "shape": int,
    "vectors": int,
}
_UPSCALER = {
    "name": str,
    "model_name": Maybe(str),
    "model_path": Maybe(str),
    "model_url": Maybe(str),
    "scale": Maybe(NUMBER),
}
_MODEL = {
    "title": str,
    "model_name": str,
    "hash": Maybe(str),
    "sha256": Maybe(str),
    "filename": str,
    "config": Maybe(str),
}
_SCHEDULER = {
    "name": str,
    "label": str,
    "aliases": Maybe([str]),
    "default_rho": Maybe(NUMBER),
    "need_inner_model": Maybe(bool),
}
_EXTENSION = {
    "name": str,
    "remote": str,
    "branch": str,
    "commit_hash": str,
    "version": str,
    "commit_date": ANY,
    "enabled": bool,
}
PROGRESS = {
    "progress": NUMBER,
    "eta_relative": NUMBER,
    "state": STATE,
    "current_image": Maybe(str),
    "textinfo": Maybe(str),
}
GETS: dict[str, Any] = {
    "/sdapi/v1/options": Each(ANY),
    "/sdapi/v1/cmd-flags": Each(ANY),
    "/sdapi/v1/progress": PROGRESS,
    "/sdapi/v1/samplers": [{"name": str, "aliases": [str], "options": Each(str)}],
    "/sdapi/v1/schedulers": [_SCHEDULER],
    "/sdapi/v1/upscalers": [_UPSCALER],
    "/sdapi/v1/latent-upscale-modes": [{"name": str}],
    "/sdapi/v1/sd-models": [_MODEL],
    "/sdapi/v1/sd-vae": [{"model_name": str, "filename": str}],
    "/sdapi/v1/hypernetworks": [{"name": str, "path": Maybe(str)}],
    "/sdapi/v1/face-restorers": [{"name": str, "cmd_dir": Maybe(str)}],
    "/sdapi/v1/realesrgan-models": [{"name": str, "path": Maybe(str), "scale": Maybe(int)}],
    "/sdapi/v1/prompt-styles": [{"name": str, "prompt": Maybe(str), "negative_prompt": Maybe(str)}],
    "/sdapi/v1/embeddings": {"loaded": Each(_EMBEDDING), "skipped": Each(_EMBEDDING)},
    "/sdapi/v1/loras": [{"name": str, "alias": str, "path": str, "metadata": Each(ANY)}],
    "/sdapi/v1/scripts": {"txt2img": [str], "img2img": [str]},
    "/sdapi/v1/script-info": [{"name": str, "is_alwayson": bool, "is_img2img": bool, "args": [_ARGUMENT]}],
    "/sdapi/v1/extensions": [_EXTENSION],
    "/sdapi/v1/memory": {"ram": Each(ANY), "cuda": Each(ANY)},
    "/controlnet/version": {"version": int},
    "/controlnet/model_list": {"model_list": [str]},
    "/controlnet/module_list": {
        "module_list": [str],
        "module_detail": Each({"model_free": bool, "sliders": [ANY]}),
    },
    "/controlnet/settings": {"control_net_unit_count": int},
    "/controlnet/control_types": {
        "control_types": Each({"module_list": [str], "model_list": [str], "default_option": str, "default_model": str})
    },
    "/internal/ping": {},
    "/internal/pending-tasks": {"size": int, "tasks": [str]},
}
"""Answers that need no body."""
POSTS: dict[str, Any] = {
    "/sdapi/v1/interrupt": {},
    "/sdapi/v1/skip": None,
    "/sdapi/v1/unload-checkpoint": {},
    "/sdapi/v1/reload-checkpoint": {},
    "/sdapi/v1/refresh-checkpoints": None,
    "/sdapi/v1/refresh-vae": None,
    "/sdapi/v1/refresh-loras": None,
    "/sdapi/v1/refresh-embeddings": None,
    "/sdapi/v1/options": None,
}
"""Answers to an empty body."""
ANSWERS: dict[str, Any] = {
    "/sdapi/v1/txt2img": PAINTED,
    "/sdapi/v1/img2img": PAINTED,
    "/sdapi/v1/extra-single-image": {"html_info": str, "image": str},
    "/sdapi/v1/extra-batch-images": {"html_info": str, "images": [str]},
    "/sdapi/v1/interrogate": {"caption": str},
    "/sdapi/v1/png-info": {"info": str, "items": Each(ANY), "parameters": Each(ANY)},
}
"""Answers of the calls that take pictures or make them."""
NO_MEANING = (
    "/sdapi/v1/create/embedding",
    "/sdapi/v1/create/hypernetwork",
    "/sdapi/v1/train/embedding",
    "/sdapi/v1/train/hypernetwork",
    "/rembg",
    "/controlnet/detect",
    "/run/predict",
    "/info",
)
"""Calls that are answered with 501."""


def differences(shape: Any, value: Any, at: str = "") -> list[str]:
    """Where a value does not have a shape; nothing when it has."""
    return list(_differences(shape, value, at or "the answer"))


def _differences(shape: Any, value: Any, at: str) -> Iterator[str]:
    if isinstance(shape, Maybe):
        if value is not None:
            yield from _differences(shape.shape, value, at)
    elif isinstance(shape, Text):
        if isinstance(value, str):
            yield from _differences(shape.shape, loads(value), at)
        else:
            yield f"{at} is no text"
    elif isinstance(shape, (dict, Each)):
        yield from _of_object(shape, value, at)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for number, item in enumerate(value):
            yield from _differences(shape[0], item, f"{at}[{number}]")
    elif shape is None:
        if value is not None:
            yield f"{at} is not null"
    elif not _is(shape, value):
        yield f"{at} is {value!r}, no {shape.__name__}"


def _of_object(shape: Any, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at} is no object"
    elif isinstance(shape, Each):
        for key, item in value.items():
            yield from _differences(shape.shape, item, f"{at}.{key}")
    elif list(value) != list(shape):
        yield f"{at} has the keys {list(value)}, not {list(shape)}"
    else:
        for key, item in value.items():
            yield from _differences(shape[key], item, f"{at}.{key}")


def _is(kind: type, value: Any) -> bool:
    if kind is NUMBER:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
