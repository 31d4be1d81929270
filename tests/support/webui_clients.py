"""What clients of the WebUI send, request by request, and what they read from the answers.

Written from what is known of these clients and from reading two of their sources, not recorded: Open WebUI 0.12,
SillyTavern, the Photoshop plugin (Auto-Photoshop-SD), and a Discord bot (aiyabot).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answers = list[Any]
"""The answers to the requests before, the first one first."""


@dataclass(frozen=True)
class Step:
    """A request, and what the client reads from its answer: something false means that it cannot go on. A body may be
    made from the answers before it."""

    path: str
    reads: Callable[[Any], object] = lambda answer: True
    body: "dict[str, Any] | Callable[[Answers], dict[str, Any]] | None" = None
    post: bool = False

    @property
    def method(self) -> str:
        """POST for what has a body, or none and is still sent so."""
        return "POST" if self.body is not None or self.post else "GET"


PAINT = {"prompt": "a pier", "steps": 3, "width": 64, "height": 64}
IDLE: Callable[[Any], object] = lambda told: told["progress"] == 0 and told["state"]["job_count"] == 0  # noqa: E731
PICTURE: Callable[[Any], object] = lambda told: told["images"][0]  # noqa: E731


def open_webui(picture: str) -> list[Step]:
    """An administrator opens the settings, saves them, and paints."""
    return [
        Step("/sdapi/v1/options", lambda told: told["sd_model_checkpoint"]),
        Step("/sdapi/v1/sd-models", lambda told: all(each["title"] and each["model_name"] for each in told)),
        Step("/sdapi/v1/options", body=lambda told: {**told[0], "sd_model_checkpoint": told[1][0]["title"]}),
        Step(
            "/sdapi/v1/txt2img",
            lambda told: PICTURE(told) and told["info"],
            {**PAINT, "batch_size": 1, "cfg_scale": 7.0, "sampler_name": "Euler", "scheduler": "Automatic"},
        ),
    ]


def silly_tavern(picture: str) -> list[Step]:
    """A person connects, chooses a checkpoint, waits for it to load, paints, and leaves the page."""
    return [
        Step("/sdapi/v1/options", lambda told: told["sd_model_checkpoint"]),
        Step("/sdapi/v1/samplers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/sd-models", lambda told: [each["title"] for each in told]),
        Step("/sdapi/v1/upscalers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/latent-upscale-modes", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/schedulers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/sd-vae", lambda told: isinstance(told, list)),
        Step("/sdapi/v1/options", body=lambda told: {"sd_model_checkpoint": told[2][0]["title"]}),
        Step("/sdapi/v1/progress", IDLE),
        Step(
            "/sdapi/v1/txt2img",
            PICTURE,
            {
                **PAINT,
                "sampler_name": "DPM++ 2M",
                "scheduler": "karras",
                "negative_prompt": "fog",
                "seed": -1,
                "restore_faces": False,
                "enable_hr": False,
                "hr_upscaler": "Latent",
                "hr_scale": 2,
                "hr_additional_modules": [],
                "denoising_strength": 0.7,
                "override_settings": {"CLIP_stop_at_last_layers": 1},
                "override_settings_restore_afterwards": True,
                "save_images": True,
                "send_images": True,
                "do_not_save_grid": False,
            },
        ),
        Step("/sdapi/v1/interrupt", post=True),
    ]


def photoshop(picture: str) -> list[Step]:
    """The panel opens, paints from a text and over a layer, and reads the text under each picture."""
    unit = {"enabled": False, "input_image": "", "mask": "", "module": "none", "model": "None", "weight": 1}
    return [
        Step("/sdapi/v1/options", lambda told: told["sd_model_checkpoint"]),
        Step("/sdapi/v1/samplers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/sd-models", lambda told: [each["title"] for each in told]),
        Step("/sdapi/v1/upscalers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/loras", lambda told: isinstance(told, list)),
        Step("/sdapi/v1/embeddings", lambda told: isinstance(told["loaded"], dict)),
        Step("/sdapi/v1/scripts", lambda told: told["txt2img"] and told["img2img"]),
        Step("/controlnet/module_list?alias_names=1", lambda told: "canny" in told["module_list"]),
        Step("/controlnet/model_list", lambda told: isinstance(told["model_list"], list)),
        Step("/controlnet/version", lambda told: told["version"]),
        Step("/controlnet/settings", lambda told: told["control_net_unit_count"]),
        Step("/config", lambda told: elem(told, "txt2img_hr_upscaler")["choices"]),
        Step("/sdapi/v1/options", body={"inpainting_mask_weight": 0.9}),
        Step("/sdapi/v1/txt2img", lambda told: PICTURE(told) and told["info"], {**PAINT, "batch_size": 2}),
        Step(
            "/sdapi/v1/img2img",
            lambda told: PICTURE(told) and told["info"],
            {**PAINT, "init_images": [picture], "alwayson_scripts": {"controlnet": {"args": [unit]}}},
        ),
        Step("/sdapi/v1/progress?skip_current_image=false", IDLE),
        Step(
            "/sdapi/v1/png-info",
            lambda told: "Steps: 3" in told["info"],
            lambda told: {"image": f"data:image/png;base64,{told[13]['images'][1]}"},
        ),
        Step("/sdapi/v1/interrupt", post=True),
    ]


def elem(config: Any, elem_id: str) -> Any:
    """A component of Gradio's configuration."""
    return next(each["props"] for each in config["components"] if each["props"].get("elem_id") == elem_id)


def discord_bot(picture: str) -> list[Step]:
    """The bot starts, and serves one command of each kind."""
    return [
        Step("/sdapi/v1/cmd-flags", lambda told: isinstance(told, dict)),
        Step("/sdapi/v1/samplers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/prompt-styles", lambda told: isinstance(told, list)),
        Step("/sdapi/v1/face-restorers", lambda told: isinstance(told, list)),
        Step("/sdapi/v1/embeddings", lambda told: all("shape" in each for each in told["loaded"].values()) or True),
        Step("/sdapi/v1/hypernetworks", lambda told: isinstance(told, list)),
        Step("/sdapi/v1/upscalers", lambda told: [each["name"] for each in told]),
        Step("/sdapi/v1/sd-models", lambda told: [(each["title"], each["model_name"]) for each in told]),
        Step("/sdapi/v1/loras", lambda told: isinstance(told, list)),
        Step("/sdapi/v1/options", body=lambda told: {"sd_model_checkpoint": told[7][0]["title"]}),
        Step("/sdapi/v1/txt2img", PICTURE, {**PAINT, "sampler_index": "Euler a", "n_iter": 2}),
        Step("/sdapi/v1/img2img", PICTURE, {**PAINT, "sampler_index": "DPM++ 2M Karras", "init_images": [picture]}),
        Step("/sdapi/v1/progress", lambda told: told["state"]["job"] == ""),
        Step("/sdapi/v1/interrogate", lambda told: told["caption"], {"image": picture, "model": "clip"}),
        Step(
            "/sdapi/v1/extra-single-image",
            lambda told: told["image"],
            {
                "resize_mode": 0,
                "upscaling_resize": 2,
                "upscaler_1": "Lanczos",
                "gfpgan_visibility": 0,
                "image": picture,
            },
        ),
        Step("/sdapi/v1/skip", post=True),
        Step("/sdapi/v1/interrupt", post=True),
    ]


CLIENTS = (open_webui, silly_tavern, photoshop, discord_bot)
