"""What an open job is doing: waiting for an instance to wake, waiting in line, or running."""

from dataclasses import dataclass
from typing import Literal

from darkroom.endpoints.service import Endpoints
from darkroom.jobs.model import Job

PhaseName = Literal["waking", "in_line", "running"]


@dataclass(frozen=True)
class Phase:
    """The phase and a sentence about it."""

    name: PhaseName
    detail: str


def phase_of(job: Job, endpoints: Endpoints) -> Phase | None:
    """The phase of an open job; None for a settled job, and when its endpoint is gone or takes no jobs.

    That a job is running is known from its worker's reports. For other jobs SageMaker is asked about the endpoint, and
    the answer is used for a few seconds.
    """
    line = job.line
    if line.settled:
        return None
    if job.started_at is not None:
        return Phase("running", f"It is being painted since {job.started_at}.")
    if line.endpoint is None:
        return Phase("in_line", "It waits for an endpoint.")
    details = endpoints.details(line.endpoint)
    if details is None or not details.endpoint.serving:
        return None
    if details.current:
        return Phase("in_line", f"It waits in line; {line.endpoint} has {_counted(details.current)} running.")
    durations = endpoints.wakeups(line.endpoint)
    experience = "How long that takes is not known yet; minutes often."
    if durations:
        experience = f"The last wake-ups took {_joined(durations)}."
    return Phase("waking", f"{line.endpoint} sleeps, and the job wakes it. {experience}")


def _counted(instances: int) -> str:
    return "1 instance" if instances == 1 else f"{instances} instances"


def _joined(seconds: list[float]) -> str:
    return ", ".join(f"{second:.0f} s" for second in seconds)
