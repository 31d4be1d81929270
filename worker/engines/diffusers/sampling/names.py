"""The samplers and schedules by the names that the WebUI gives them. Needs no torch."""

from dataclasses import dataclass

from darkroom.webui import samplers
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
    rho: float | None = None


SAMPLERS = (
    Sampler("DPM++ 2M", "Karras"),
    Sampler("DPM++ SDE", "Karras", ("eta", "s_noise"), second_order=True, brownian=True),
    Sampler("DPM++ 2M SDE", "Exponential", ("eta", "s_noise"), brownian=True),
    Sampler("DPM++ 2M SDE Heun", "Exponential", ("eta", "s_noise"), brownian=True),
    Sampler("DPM++ 2S a", "Karras", ("eta", "s_noise"), second_order=True, seeds_noise=True),
    Sampler("DPM++ 3M SDE", "Exponential", ("eta", "s_noise"), drops_penultimate=True, brownian=True),
    Sampler("Euler a", takes=("eta",), seeds_noise=True),
    Sampler("Euler", takes=CHURN),
    Sampler(
        "LMS",
    ),
    Sampler("Heun", takes=CHURN, second_order=True),
    Sampler("DPM2", "Karras", CHURN, second_order=True, drops_penultimate=True),
    Sampler(
        "DPM2 a",
        "Karras",
        ("eta", "s_noise"),
        second_order=True,
        drops_penultimate=True,
        seeds_noise=True,
    ),
    Sampler("DPM fast", takes=("eta", "s_noise"), seeds_noise=True),
    Sampler("DPM adaptive", takes=("eta",), seeds_noise=True),
    Sampler("Restart", "Karras", second_order=True),
    Sampler("DDIM", takes=("eta",), timesteps=True),
    Sampler("DDIM CFG++", takes=("eta",), timesteps=True, guidance=1 / 12.5),
    Sampler("PLMS", timesteps=True),
    Sampler("UniPC", timesteps=True),
    Sampler(
        "LCM",
    ),
)

_RHO = {"Karras": 7.0, "Polyexponential": 1.0}
SCHEDULERS = tuple(Scheduler(each.name, each.aliases[0], _RHO.get(each.name)) for each in samplers.SCHEDULERS)
_BY_NAME = {sampler.name: sampler for sampler in SAMPLERS}
_BY_LABEL = {scheduler.label: scheduler for scheduler in SCHEDULERS}


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
    found = samplers.scheduler_named(name)
    if found is None:
        known = ", ".join(scheduler.label for scheduler in SCHEDULERS)
        raise JobError("parameter_invalid", f"There is no schedule {name!r} here. There are: {known}.")
    return _BY_LABEL[found.name]


def _split(name: str) -> tuple[Sampler, Scheduler | None]:
    if found := samplers.sampler_named(name):
        sampler, schedule = found
        return _BY_NAME[sampler.name], _BY_LABEL[schedule.name] if schedule else None
    known = ", ".join(sampler.name for sampler in SAMPLERS)
    raise JobError("parameter_invalid", f"There is no sampler {name!r} here. There are: {known}.")
