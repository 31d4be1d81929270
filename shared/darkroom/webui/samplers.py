"""Samplers and schedules by the names that the WebUI and Forge show.

From their modules/sd_samplers.py and sd_schedulers.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from darkroom.webui.spelling import folded


@dataclass(frozen=True)
class Named:
    """A sampler or a schedule: its name and the other words for it."""

    name: str
    aliases: tuple[str, ...] = ()


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
"""Those of the WebUI 1.10."""
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
"""Those of the WebUI 1.10; the first of the other words is its short name."""
_OF_FORGE = ("HeunPP2", "IPNDM", "IPNDM_V", "DEIS", "DDPM")
_OLD_ENDINGS = {"_ka": "Karras", "_exp": "Exponential"}
"""WebUIs before 1.9 listed each pair of sampler and schedule as a sampler, whose alias ended so."""
SAME = frozenset({"", "none", "use same sampler", "use same scheduler", "use same checkpoint"})
"""What the WebUI calls no choice of its own for the second pass."""


def own_choice(name: str | None) -> str | None:
    """What a field of the second pass chooses, None for what means the same as in the first."""
    return name if name and name.strip().casefold() not in SAME else None


def _by_word(table: Iterable[Named]) -> dict[str, Named]:
    return {word.casefold(): each for each in table for word in (each.name, *each.aliases)}


_SAMPLERS, _SCHEDULERS = _by_word(SAMPLERS), _by_word(SCHEDULERS)
_ENDINGS = {f" {word}": each for word, each in _SCHEDULERS.items()} | {
    ending: _SCHEDULERS[name.casefold()] for ending, name in _OLD_ENDINGS.items()
}


def scheduler_named(text: str) -> Named | None:
    """The schedule that a text means, in any case; None for none."""
    return _SCHEDULERS.get(text.strip().casefold())


def sampler_named(text: str) -> tuple[Named, Named | None] | None:
    """The sampler that a text means, in any case, and the schedule that an old name has at its end (`DPM++ 2M Karras`).
    None for no sampler."""
    word = text.strip().casefold()
    if word in _SAMPLERS:
        return _SAMPLERS[word], None
    for ending, schedule in _ENDINGS.items():
        if word.endswith(ending) and (sampler := _SAMPLERS.get(word.removesuffix(ending))):
            return sampler, schedule
    return None


_SCHEDULES_BEHIND = ("", " karras", " exponential", " polyexponential")
_SHOWN = frozenset(
    folded(name) + schedule
    for name in (*(each.name for each in SAMPLERS), *_OF_FORGE)
    for schedule in _SCHEDULES_BEHIND
)


def is_sampler(text: str) -> bool:
    """Whether a text is a sampler's name as some version of the WebUI or Forge shows it."""
    return folded(text.strip()) in _SHOWN
