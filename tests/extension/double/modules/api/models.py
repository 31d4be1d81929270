"""The fields that the WebUI's API takes. Only their names matter here."""

from typing import Any

from pydantic import BaseModel


class _Both(BaseModel):
    prompt: str = ""
    negative_prompt: str = ""
    styles: Any = None
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    sampler_name: Any = None
    scheduler: Any = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: Any = None
    tiling: Any = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    denoising_strength: Any = None
    s_tmax: Any = None
    override_settings: Any = None
    refiner_checkpoint: Any = None
    refiner_switch_at: Any = None
    comments: Any = None
    sampler_index: str = "Euler"
    script_name: Any = None
    script_args: Any = None
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: Any = None
    infotext: Any = None


class StableDiffusionTxt2ImgProcessingAPI(_Both):
    """The body of txt2img."""

    firstpass_image: Any = None
    enable_hr: bool = False
    hr_scale: float = 2.0
    hr_upscaler: Any = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    hr_checkpoint_name: Any = None
    hr_sampler_name: Any = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""


class StableDiffusionImg2ImgProcessingAPI(_Both):
    """The body of img2img."""

    init_images: Any = None
    resize_mode: int = 0
    mask: Any = None
    mask_blur: Any = None
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    latent_mask: Any = None
    include_init_images: bool = False
