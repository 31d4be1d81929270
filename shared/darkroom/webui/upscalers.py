"""Upscalers by the names that the WebUI shows.

From its modules/realesrgan_model.py, esrgan_model.py, dat_model.py, and extensions-builtin (SwinIR, ScuNET), and
modules/shared.py (`latent_upscale_modes`).
"""

from darkroom.webui.spelling import folded

LATENT = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)
"""Those of the second pass that stretch latents."""
BUILT_IN = frozenset(folded(name) for name in ("None", "Lanczos", "Nearest", *LATENT))
"""Upscalers that need no file."""
FILES = {
    "ESRGAN_4x": "ESRGAN_4x.pth",
    "R-ESRGAN General 4xV3": "realesr-general-x4v3.pth",
    "R-ESRGAN General WDN 4xV3": "realesr-general-wdn-x4v3.pth",
    "R-ESRGAN AnimeVideo": "realesr-animevideov3.pth",
    "R-ESRGAN 4x+": "RealESRGAN_x4plus.pth",
    "R-ESRGAN 4x+ Anime6B": "RealESRGAN_x4plus_anime_6B.pth",
    "R-ESRGAN 2x+": "RealESRGAN_x2plus.pth",
    "DAT x2": "DAT_x2.pth",
    "DAT x3": "DAT_x3.pth",
    "DAT x4": "DAT_x4.pth",
    "SwinIR 4x": "SwinIR_4x.pth",
    "ScuNET GAN": "scunet_color_real_gan.pth",
    "ScuNET PSNR": "scunet_color_real_psnr.pth",
}
_FILE_OF = {folded(name): file for name, file in FILES.items()}


def needs_file(name: str) -> bool:
    """Whether an upscaler of this name is painted with a model file."""
    return folded(name.strip()) not in BUILT_IN


def file_of(name: str) -> str:
    """The model file that the WebUI paints this upscaler with: a known one, or the file with the upscaler's name."""
    return _FILE_OF.get(folded(name.strip()), name.strip())
