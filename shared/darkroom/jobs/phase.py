"""What an open job is doing: waiting for an instance to wake, waiting in line, loading its models, or running; and when
to ask again."""

from dataclasses import dataclass
from typing import Literal

from darkroom import ids
from darkroom.endpoints.model import EndpointDetails
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.wakeups import Forecast, forecast
from darkroom.jobs.model import Job

PhaseName = Literal["waking", "in_line", "loading", "running"]
FRESH_SECONDS = 10.0
"""For so long after its creation a job may be done at any moment, on an endpoint that is awake and idle."""
WAKING_SECONDS = 15
"""When to ask again about a job whose endpoint wakes. That takes minutes, so nobody notices the difference."""
SOONEST, LATEST = 2, 5
"""When to ask again about a job that waits in line, and about one whose endpoint has just been as long awake as its
last wake-ups took."""


@dataclass(frozen=True)
class Phase:
    """The phase, a sentence about it, and in how many seconds it is worth to ask again: None for a job that is worth
    waiting for at once. `forecast` tells of a job that waits for its endpoint to wake what the last wake-ups let
    expect."""

    name: PhaseName
    detail: str
    ask_again: int | None
    forecast: Forecast | None = None

    @property
    def waits(self) -> bool:
        """Whether no worker has the job yet, as far as anybody knows."""
        return self.name in ("waking", "in_line")


def phase_of(job: Job, endpoints: Endpoints, now: float) -> Phase | None:
    """The phase of an open job at `now`, in epoch seconds; None for a settled job, and when its endpoint is gone or
    takes no jobs.

    That a job is loading or running is known from its worker's reports. For other jobs SageMaker is asked about the
    endpoint, and the answer is used for a few seconds.
    """
    line = job.line
    if line.settled:
        return None
    if job.started_at is not None and job.progress is None and job.loading is not None:
        return Phase("loading", f"Its model files are loading: {job.loading:.0%}.", None)
    if job.started_at is not None:
        return Phase("running", f"It is being painted since {job.started_at}.", None)
    age = age_of(job, now)
    if line.endpoint is None:
        return Phase("in_line", "It waits for an endpoint.", _in_line(age))
    details = endpoints.details(line.endpoint)
    if details is None or not details.endpoint.serving:
        return None
    if details.current:
        running = _counted(details)
        return Phase("in_line", f"It waits in line; {line.endpoint} has {running} running.", _in_line(age))
    durations = endpoints.wakeups(line.endpoint)
    experience = "How long that takes is not known yet; minutes often."
    if durations:
        experience = f"The last wake-ups took {_joined(durations)}."
    detail = f"{line.endpoint} sleeps, and the job wakes it. {_tried(job, details)}{experience}"
    expected = forecast(endpoints.last_wake_ups(line.endpoint))
    return Phase("waking", detail, _waking(age, durations), expected)


def age_of(job: Job, now: float) -> float:
    """How many seconds ago a job was made; `now` is in epoch seconds."""
    return now - ids.created_at(job.line.id).timestamp()


def _in_line(age: float) -> int:
    """A tenth of the time it has waited: nobody knows a job's place in SageMaker's queue, but one that has waited long
    stands in a long line."""
    return max(SOONEST, min(LATEST, int(age / 10)))


def _waking(age: float, durations: list[float]) -> int:
    """Seldom while the endpoint cannot be awake yet; `durations` are the seconds that the last wake-ups took."""
    left = min(durations) - age if durations else WAKING_SECONDS
    return max(LATEST, min(WAKING_SECONDS, int(left)))


def _tried(job: Job, details: EndpointDetails) -> str:
    """What is known of the instance types that are tried, as sentences; nothing where there is nothing to say."""
    types = tuple(job.pool) or ((job.instance_type,) if job.instance_type else ())
    lacking = details.lacking(types)
    if not lacking:
        return f"It takes {', else '.join(types)}. " if len(types) > 1 else ""
    names = f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not to be had now"
    left = [each for each in types if each not in lacking]
    return f"{names}, {left[0]} is being tried. " if left else f"{names}, and the job waits until one is. "


def _counted(details: EndpointDetails) -> str:
    instances = details.current
    counted = "1 instance" if instances == 1 else f"{instances} instances"
    types = [name for name, count in details.running.items() if count]
    return f"{counted} ({', '.join(types)})" if types else counted


def _joined(seconds: list[float]) -> str:
    return ", ".join(f"{second:.0f} s" for second in seconds)
