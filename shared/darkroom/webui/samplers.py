"""Samplers by the names that the WebUI and Forge show (their modules/sd_samplers.py)."""

from darkroom.webui.spelling import folded

_SAMPLERS = (
    "DPM++ 2M, DPM++ SDE, DPM++ 2M SDE, DPM++ 2M SDE Heun, DPM++ 2S a, DPM++ 3M SDE, Euler a, Euler, LMS, Heun, DPM2, "
    "DPM2 a, DPM fast, DPM adaptive, Restart, DDIM, DDIM CFG++, PLMS, UniPC, LCM, HeunPP2, IPNDM, IPNDM_V, DEIS, DDPM"
)
_SCHEDULES = ("", " karras", " exponential", " polyexponential")
"""What older versions put behind a sampler's name."""
_NAMES = frozenset(folded(name) + schedule for name in _SAMPLERS.split(", ") for schedule in _SCHEDULES)


def is_sampler(name: str) -> bool:
    """Whether a text is the name of a sampler."""
    return folded(name.strip()) in _NAMES
