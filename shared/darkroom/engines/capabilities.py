"""The table of the engines. What it says of an engine is compared with the engine itself by the worker's tests."""

from collections.abc import Mapping

from darkroom.engines.model import Capabilities, EngineName, Named

SAMPLERS = (
    Named("DPM++ 2M", ("k_dpmpp_2m",)),
    Named("DPM++ SDE", ("k_dpmpp_sde",)),
    Named("DPM++ 2M SDE", ("k_dpmpp_2m_sde",)),
    Named("DPM++ 2M SDE Heun", ("k_dpmpp_2m_sde_heun",)),
    Named("DPM++ 2S a", ("k_dpmpp_2s_a",)),
    Named("DPM++ 3M SDE", ("k_dpmpp_3m_sde",)),
    Named("Euler a", ("k_euler_a", "k_euler_ancestral")),
    Named("Euler", ("k_euler",)),
    Named("LMS", ("k_lms",)),
    Named("Heun", ("k_heun",)),
    Named("DPM2", ("k_dpm_2",)),
    Named("DPM2 a", ("k_dpm_2_a",)),
    Named("DPM fast", ("k_dpm_fast",)),
    Named("DPM adaptive", ("k_dpm_ad",)),
    Named("Restart", ("restart",)),
    Named("DDIM", ("ddim",)),
    Named("DDIM CFG++", ("ddim_cfgpp",)),
    Named("PLMS", ("plms",)),
    Named("UniPC", ("unipc",)),
    Named("LCM", ("k_lcm",)),
)
SCHEDULERS = (
    Named("Automatic", ("automatic",)),
    Named("Uniform", ("uniform",)),
    Named("Karras", ("karras",)),
    Named("Exponential", ("exponential",)),
    Named("Polyexponential", ("polyexponential",)),
    Named("SGM Uniform", ("sgm_uniform", "SGMUniform")),
    Named("KL Optimal", ("kl_optimal",)),
    Named("Align Your Steps", ("align_your_steps",)),
    Named("Simple", ("simple",)),
    Named("Normal", ("normal",)),
    Named("DDIM", ("ddim",)),
    Named("Beta", ("beta",)),
)
LATENT = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)

ENGINES: Mapping[EngineName, Capabilities] = {
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
