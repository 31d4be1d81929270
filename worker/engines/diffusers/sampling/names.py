"""The samplers and schedules by the names that the WebUI gives them. Needs no torch."""

from dataclasses import dataclass

from worker.errors import JobError

CHURN = ("s_churn", "s_tmin", "s_tmax", "s_noise")
AUTOMATIC = "Automatic"
NO_OWN_SCHEDULE = "Uniform"
"""What Automatic means for a sampler that has no schedule of its own."""


@dataclass(frozen=True)
class Sampler:
    """One sampler.

    `scheduler` is what the schedule Automatic means for it. `takes` are the options that change its steps. A
    `second_order` sampler asks the model twice a step. `drops_penultimate`: its schedule is one level longer, and the
    last level before zero is left out. `brownian`: its noise is a Brownian path between the levels. `timesteps`: it
    goes through whole timesteps of the model and ignores the schedule. `seeds_noise`: the option ENSD changes its
    pictures. `guidance` is multiplied with the CFG scale.
    """

    name: str
    aliases: tuple[str, ...]
    scheduler: str = NO_OWN_SCHEDULE
    takes: tuple[str, ...] = ()
    second_order: bool = False
    drops_penultimate: bool = False
    brownian: bool = False
    timesteps: bool = False
    seeds_noise: bool = False
    guidance: float = 1.0

    def calls(self, steps: int) -> int:
        """How often the WebUI expects the model to be asked in so many steps."""
        return steps * 2 if self.second_order else steps


@dataclass(frozen=True)
class Scheduler:
    """One schedule. `name` is the WebUI's short name, `rho` the exponent that the option `rho` replaces."""

    label: str
    name: str
    aliases: tuple[str, ...] = ()
    rho: float | None = None


SAMPLERS = (
    Sampler("DPM++ 2M", ("k_dpmpp_2m",), "Karras"),
    Sampler("DPM++ SDE", ("k_dpmpp_sde",), "Karras", ("eta", "s_noise"), second_order=True, brownian=True),
    Sampler("DPM++ 2M SDE", ("k_dpmpp_2m_sde",), "Exponential", ("eta", "s_noise"), brownian=True),
    Sampler("DPM++ 2M SDE Heun", ("k_dpmpp_2m_sde_heun",), "Exponential", ("eta", "s_noise"), brownian=True),
    Sampler("DPM++ 2S a", ("k_dpmpp_2s_a",), "Karras", ("eta", "s_noise"), second_order=True, seeds_noise=True),
    Sampler(
        "DPM++ 3M SDE", ("k_dpmpp_3m_sde",), "Exponential", ("eta", "s_noise"), drops_penultimate=True, brownian=True
    ),
    Sampler("Euler a", ("k_euler_a", "k_euler_ancestral"), takes=("eta",), seeds_noise=True),
    Sampler("Euler", ("k_euler",), takes=CHURN),
    Sampler("LMS", ("k_lms",)),
    Sampler("Heun", ("k_heun",), takes=CHURN, second_order=True),
    Sampler("DPM2", ("k_dpm_2",), "Karras", CHURN, second_order=True, drops_penultimate=True),
    Sampler(
        "DPM2 a",
        ("k_dpm_2_a",),
        "Karras",
        ("eta", "s_noise"),
        second_order=True,
        drops_penultimate=True,
        seeds_noise=True,
    ),
    Sampler("DPM fast", ("k_dpm_fast",), takes=("eta", "s_noise"), seeds_noise=True),
    Sampler("DPM adaptive", ("k_dpm_ad",), takes=("eta",), seeds_noise=True),
    Sampler("Restart", ("restart",), "Karras", second_order=True),
    Sampler("DDIM", ("ddim",), takes=("eta",), timesteps=True),
    Sampler("DDIM CFG++", ("ddim_cfgpp",), takes=("eta",), timesteps=True, guidance=1 / 12.5),
    Sampler("PLMS", ("plms",), timesteps=True),
    Sampler("UniPC", ("unipc",), timesteps=True),
    Sampler("LCM", ("k_lcm",)),
)

SCHEDULERS = (
    Scheduler(AUTOMATIC, "automatic"),
    Scheduler("Uniform", "uniform"),
    Scheduler("Karras", "karras", rho=7.0),
    Scheduler("Exponential", "exponential"),
    Scheduler("Polyexponential", "polyexponential", rho=1.0),
    Scheduler("SGM Uniform", "sgm_uniform", ("SGMUniform",)),
    Scheduler("KL Optimal", "kl_optimal"),
    Scheduler("Align Your Steps", "align_your_steps"),
    Scheduler("Simple", "simple"),
    Scheduler("Normal", "normal"),
    Scheduler("DDIM", "ddim"),
    Scheduler("Beta", "beta"),
)

# WebUIs before 1.9 listed each pair of sampler and schedule as a sampler, whose alias ended so.
OLD_ENDINGS = {"_ka": "Karras", "_exp": "Exponential"}

_SAMPLERS = {word.casefold(): sampler for sampler in SAMPLERS for word in (sampler.name, *sampler.aliases)}
_SCHEDULERS = {
    word.casefold(): scheduler
    for scheduler in SCHEDULERS
    for word in (scheduler.label, scheduler.name, *scheduler.aliases)
}


def resolve(sampler: str | None, scheduler: str | None = None) -> tuple[Sampler, Scheduler]:
    """The sampler and the schedule that a body names; the schedule is never Automatic.

    Names and aliases are taken in any case, and so are old names that end in a schedule (`DPM++ 2M Karras`). As in the
    WebUI's API, a schedule that is named by itself comes before one in the sampler's name; only Automatic does not.
    Without a sampler it is Euler. Raises JobError `parameter_invalid`, which names what is not known.
    """
    found, ending = _split(sampler or "Euler")
    named = scheduler_of(scheduler or AUTOMATIC)
    if named.label == AUTOMATIC:
        named = ending or scheduler_of(found.scheduler)
    return found, scheduler_of(found.scheduler) if named.label == AUTOMATIC else named


def labels(sampler: str | None, scheduler: str | None = None) -> tuple[Sampler, str]:
    """The sampler, and the schedule's label as the WebUI writes it under a picture: it stays Automatic where the
    sampler has no schedule of its own. Raises JobError `parameter_invalid`."""
    found, ending = _split(sampler or "Euler")
    named = scheduler_of(scheduler or AUTOMATIC)
    if named.label == AUTOMATIC:
        named = ending or named
    own = found.scheduler if found.scheduler != NO_OWN_SCHEDULE and not found.timesteps else AUTOMATIC
    return found, own if named.label == AUTOMATIC else named.label


def scheduler_of(name: str) -> Scheduler:
    """The schedule of that name, in any of its spellings. Raises JobError `parameter_invalid` for an unknown one."""
    found = _SCHEDULERS.get(name.strip().casefold())
    if found is None:
        known = ", ".join(scheduler.label for scheduler in SCHEDULERS)
        raise JobError("parameter_invalid", f"There is no schedule {name!r} here. There are: {known}.")
    return found


def _split(name: str) -> tuple[Sampler, Scheduler | None]:
    word = name.strip().casefold()
    if word in _SAMPLERS:
        return _SAMPLERS[word], None
    for ending, scheduler in _SCHEDULERS.items():
        sampler = _SAMPLERS.get(word.removesuffix(f" {ending}"))
        if sampler:
            return sampler, scheduler
    for ending, label in OLD_ENDINGS.items():
        sampler = _SAMPLERS.get(word.removesuffix(ending))
        if sampler:
            return sampler, scheduler_of(label)
    known = ", ".join(sampler.name for sampler in SAMPLERS)
    raise JobError("parameter_invalid", f"There is no sampler {name!r} here. There are: {known}.")
