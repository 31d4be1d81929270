"""The WebUI's options, its styles, and its folders."""

import atexit
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PAINTING = (
    "CLIP_stop_at_last_layers",
    "always_discard_next_to_last_sigma",
    "beta_dist_alpha",
    "beta_dist_beta",
    "code_former_weight",
    "comma_padding_backtrack",
    "ddim_discretize",
    "emphasis",
    "enable_batch_seeds",
    "enable_prompt_comments",
    "eta_ancestral",
    "eta_ddim",
    "eta_noise_seed_delta",
    "extra_networks_default_multiplier",
    "face_restoration_model",
    "forge_additional_modules",
    "hires_fix_refiner_pass",
    "hires_fix_use_firstpass_conds",
    "img2img_background_color",
    "img2img_color_correction",
    "img2img_extra_noise",
    "img2img_fix_steps",
    "initial_noise_multiplier",
    "inpainting_mask_weight",
    "jpeg_quality",
    "no_dpmpp_sde_batch_determinism",
    "overlay_inpaint",
    "pad_cond_uncond",
    "pad_cond_uncond_v0",
    "randn_source",
    "refiner_switch_by_sample_steps",
    "rho",
    "s_churn",
    "s_min_uncond",
    "s_min_uncond_all",
    "s_noise",
    "s_tmax",
    "s_tmin",
    "samples_format",
    "sd_hypernetwork",
    "sd_lora",
    "sd_noise_schedule",
    "sd_vae",
    "sd_vae_decode_method",
    "sd_vae_encode_method",
    "sdxl_clip_l_skip",
    "sdxl_crop_left",
    "sdxl_crop_top",
    "sdxl_refiner_high_aesthetic_score",
    "sdxl_refiner_low_aesthetic_score",
    "sgm_noise_multiplier",
    "sigma_max",
    "sigma_min",
    "skip_early_cond",
    "token_merging_ratio",
    "token_merging_ratio_hr",
    "token_merging_ratio_img2img",
    "uni_pc_lower_order_final",
    "uni_pc_order",
    "uni_pc_skip_type",
    "uni_pc_variant",
    "upscaler_for_img2img",
    "use_downcasted_alpha_bar",
    "use_old_emphasis_implementation",
    "use_old_karras_scheduler_sigmas",
    "use_old_scheduling",
    "webp_lossless",
)
"""Options that change what is painted. All others are about this machine or about the page."""


def changed() -> "dict[str, Any]":
    """The options of `PAINTING` that this WebUI has and that are not at their defaults."""
    from modules import shared

    labels = shared.opts.data_labels
    known = ((name, getattr(shared.opts, name, None)) for name in PAINTING if name in labels)
    return {name: value for name, value in known if value is not None and value != labels[name].default}


def expand(prompt: str, styles: "Sequence[str]") -> str:
    """A prompt with the texts of these styles, which only this machine has."""
    from modules import shared

    return str(shared.prompt_styles.apply_styles_to_prompt(prompt, list(styles)))


def expand_negative(prompt: str, styles: "Sequence[str]") -> str:
    """The same for a negative prompt."""
    from modules import shared

    return str(shared.prompt_styles.apply_negative_styles_to_prompt(prompt, list(styles)))


def results_folder(is_img2img: bool) -> Path:
    """Where the WebUI stores the pictures of a tab; a temporary folder of this user where it is set to store none."""
    from modules import shared

    opts = shared.opts
    if not getattr(opts, "samples_save", True):
        return _temporary()
    own = opts.outdir_img2img_samples if is_img2img else opts.outdir_txt2img_samples
    return Path(getattr(opts, "outdir_samples", "") or own).absolute()


def name_no_checkpoint() -> None:
    """Make Forge read infotexts where no checkpoint of its own was ever chosen. It searches the name of its checkpoint
    whenever it reads one (Save, ✨, PNG Info), and fails where that is None. An empty name means the same to it."""
    from modules import shared

    if find_spec("modules_forge") and getattr(shared.opts, "sd_model_checkpoint", "") is None:
        shared.opts.data["sd_model_checkpoint"] = ""


@cache
def _temporary() -> Path:
    """A folder that nobody else can read, for as long as this process runs."""
    folder = tempfile.TemporaryDirectory(prefix="darkroom-webui-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def model_folders() -> "list[Path]":
    """The folders of this WebUI that hold model files, also those that the command line names."""
    from modules import paths, shared

    named = ("ckpt_dir", "vae_dir", "lora_dir", "embeddings_dir", "hypernetwork_dir", "esrgan_models_path")
    chosen = [Path(folder) for name in named if (folder := getattr(shared.cmd_opts, name, None))]
    models = Path(paths.models_path)
    folders = [models.parent, *([] if models.name == "models" else [models]), *chosen]
    return list(dict.fromkeys(folder.resolve() for folder in folders))
