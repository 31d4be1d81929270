"""What the jobs feature needs from the outside; `aws` has the real ones."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.checkpoints.model import ModelKey
from darkroom.jobs.history import Filters, Slice, Stream
from darkroom.jobs.model import Change, Idempotency, Job


@dataclass(frozen=True)
class Changed:
    """What a conditional write met: whether it was applied, and whether the job is there at all."""

    applied: bool
    exists: bool


class KeyUsed(Exception):
    """The idempotency key was used before: `digest` is of that request, `job_id` the job it made."""

    def __init__(self, job_id: str, digest: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id
        self.digest = digest


class ModelsNotActive(Exception):
    """Model files that are missing or not active: the transaction was refused as a whole."""

    def __init__(self, models: tuple[ModelKey, ...]) -> None:
        super().__init__(", ".join(f"{m.kind}/{m.name}" for m in models))
        self.models = models


class EndpointRefused(Exception):
    """SageMaker would not take the invoke: the endpoint is gone or not in service. The text is SageMaker's."""


class JobStore(Protocol):
    """The jobs table."""

    def create(self, job: Job, models: tuple[ModelKey, ...], idempotency: Idempotency | None) -> None:
        """Write the job if all models are active and the key is new; raises ModelsNotActive or KeyUsed."""

    def idempotency(self, owner: str, key: str) -> KeyUsed | None:
        """The use of an idempotency key that still counts."""

    def get(self, job_id: str) -> Job | None:
        """The job as it is now (a consistent read)."""

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """See `history.Read`: one read of one index partition."""

    def open_by_endpoint(self) -> dict[str, int]:
        """How many open jobs each endpoint has; an endpoint without any is not named."""

    def change(self, job_id: str, change: Change) -> Changed:
        """Carry out a transition if the state machine allows it from where the job stands."""

    def progress(self, job_id: str, progress: float, started_at: str) -> Changed:
        """Note progress of an open job; it never goes back."""

    def delete(self, job_id: str) -> bool:
        """Remove the row; False when there was none."""


class Inference(Protocol):
    """SageMaker asynchronous inference."""

    def invoke(self, endpoint: str, job_id: str, body: bytes) -> tuple[str, str | None]:
        """Hand over a request; returns output and failure location. Raises EndpointRefused."""


class Outputs(Protocol):
    """What jobs leave in the pictures bucket."""

    def read_answer(self, job_id: str) -> bytes | None:
        """The worker's answer as SageMaker stored it, None when it is not there."""

    def write_picture(self, job_id: str, number: int, content: bytes) -> str:
        """Store the bytes of a picture as they are; returns the key."""

    def delete(self, job_id: str, failure_location: str | None = None) -> None:
        """Remove everything under `jobs/<id>/`, and SageMaker's failure file (an S3 URI) if there is one."""

    def url(self, key: str) -> str:
        """A presigned GET for a key, valid for 15 minutes."""
