"""The table of the engines. What it says of an engine is compared with the engine itself by the worker's tests."""

from collections.abc import Mapping

from darkroom.engines.model import Capabilities
from darkroom.webui.samplers import SAMPLERS, SCHEDULERS
from darkroom.webui.upscalers import LATENT

ENGINES: Mapping[str, Capabilities] = {
    "diffusers": Capabilities(
        "diffusers",
        samplers=SAMPLERS,
        schedulers=SCHEDULERS,
        scripts=("controlnet", "refiner"),
        preprocessors=(
            "none",
            "canny",
            "invert",
            "tile_resample",
            "tile_colorfix",
            "tile_colorfix+sharp",
            "blur_gaussian",
            "scribble_xdog",
            "threshold",
            "openpose",
            "depth_anything_v2",
        ),
        upscalers=("None", "Lanczos", "Nearest", *LATENT),
        model_kinds=("stable-diffusion", "vae", "lora", "hypernetwork", "embedding", "controlnet", "upscaler"),
        families=("SD 1.x", "SD 2.x", "SDXL", "SDXL refiner"),
        restores_faces=False,
        steps=1000,
        pixels=4096 * 4096,
    ),
    "preview": Capabilities("preview", upscalers=("None", "Lanczos", "Nearest"), model_kinds=()),
}
"""Every engine of the worker by its name."""
