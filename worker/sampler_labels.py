"""Samplers and schedules as they stand under a picture, for every engine: what is not known stays as it was written."""

from worker.engines.diffusers.sampling.names import AUTOMATIC, Sampler, labels
from worker.errors import JobError


def sampler_and_schedule(sampler: str, scheduler: str | None) -> tuple[str, str]:
    """The names of a sampler and of its schedule, as the WebUI writes them: `DPM++ 2M Karras` is sampler and
    schedule."""
    known = _known(sampler, scheduler)
    return (known[0].name, known[1]) if known else (sampler, scheduler or AUTOMATIC)


def hires_schedule(sampler: str, scheduler: str | None, second: str | None, own: str | None) -> str | None:
    """The schedule of the second pass where the WebUI writes it: the sampler goes by a schedule, it is not Automatic,
    and not that of the first pass. `second` and `own` are what the second pass chooses for itself."""
    first, then = _known(sampler, scheduler), _known(second or sampler, own or scheduler)
    if then is None or then[0].timesteps or then[1] == AUTOMATIC:
        return None
    written = first[1] if first and not first[0].timesteps and first[1] != AUTOMATIC else None
    return then[1] if then[1] != written else None


def _known(sampler: str, scheduler: str | None) -> tuple[Sampler, str] | None:
    try:
        return labels(sampler, scheduler)
    except JobError:
        return None
