"""The runs of a job: a job whose worker is stopped is handed over again, and that is its next run."""

import re
from dataclasses import dataclass

from darkroom import ids

MAX_RUNS = 3
"""A job is handed over again at most twice after its worker was stopped."""
WORKER_STOPPED = "worker_stopped"
"""The error of a worker whose container was shut down while it had the job."""
_NAME = re.compile(r"(?P<job>[0-9a-f-]{36})(?:\.(?P<number>[2-9]))?")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, counted from 1."""

    job_id: str
    number: int = 1

    @property
    def name(self) -> str:
        """The inference id that SageMaker gets, and tells in its messages: so each belongs to one run."""
        return self.job_id if self.number == 1 else f"{self.job_id}.{self.number}"

    @classmethod
    def named(cls, name: object) -> "Run | None":
        """The run that an inference id names, None for what is none."""
        found = _NAME.fullmatch(name) if isinstance(name, str) else None
        if found is None or not ids.is_id(found["job"]):
            return None
        return cls(found["job"], int(found["number"] or 1))
