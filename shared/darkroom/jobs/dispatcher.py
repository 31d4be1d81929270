"""Handing a written job to SageMaker: the request a worker gets, the invoke, the mark."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from darkroom.checkpoints.model import ModelKey
from darkroom.errors import Busy
from darkroom.images.service import Images
from darkroom.jobs.contract import ModelFile, WorkError, WorkRequest
from darkroom.jobs.model import Job, Transition, output_prefix
from darkroom.jobs.ports import EndpointRefused, Inference, JobStore, Outputs
from darkroom.jobs.submit import NO_VAE
from darkroom.times import moment, precise

REFUSED = "endpoint_refused"


@dataclass(frozen=True)
class StageResources:
    """Where things lie: bucket names, the URL of the progress queue, how long all is kept, shards of the feed, and
    what an hour of each instance type costs."""

    pictures_bucket: str
    models_bucket: str
    progress_queue: str
    retention_days: int
    feed_shards: int
    prices: Mapping[str, float] = field(default_factory=dict)


class Dispatcher:
    """Invokes and marks, for new jobs and for those that the sweeper finds never invoked."""

    def __init__(
        self,
        store: JobStore,
        images: Images,
        outputs: Outputs,
        inference: Inference,
        resources: StageResources,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._images = images
        self._outputs = outputs
        self._inference = inference
        self._resources = resources
        self._clock = clock

    def __call__(self, job: Job) -> Job:
        """The job as it stands afterwards. One that AWS was too busy to take stays `created`, for the sweeper.

        A job that was deleted meanwhile has its worker stopped.
        """
        body = as_json(self.work_request(job))
        try:
            output, failure = self._inference.invoke(job.line.endpoint, job.line.id, body)
            transition = Transition(
                "in_progress",
                "invoke",
                output_location=output,
                failure_location=failure,
                submitted_at=self._now(),
            )
        except EndpointRefused as refused:
            error = WorkError(code=REFUSED, message=f"SageMaker refused the job: {refused}")
            transition = Transition("fail", "invoke", error=error, completed_at=self._now())
        except Busy:
            return job
        try:
            changed = self._store.apply(job.line.id, transition)
            # If the callback overtook the mark, what it wrote is the truth.
            overtaken = None if changed.applied else self._overtaken(job.line.id, transition.failure_location)
        except Busy:
            return job
        line = replace(job.line, status=transition.status, completed_at=transition.completed_at)
        return overtaken or replace(job, line=line, error=transition.error)

    def _overtaken(self, job_id: str, failure_location: str | None) -> Job | None:
        """The job that was settled, or deleted, before its mark came; only the mark knows the failure file."""
        job = self._store.get(job_id)
        if job is None:
            self._outputs.mark_cancelled(job_id, failure_location)
        elif failure_location and job.failure_location is None:
            self._store.note_failure(job_id, failure_location)
        return job

    def work_request(self, job: Job) -> dict[str, object]:
        """The job as the worker gets it."""

        def file(key: ModelKey) -> ModelFile:
            return ModelFile(name=key.name, s3=f"s3://{self._resources.models_bucket}/{key.s3_key}")

        keys = [ModelKey(kind, name) for kind, names in job.models.items() for name in names]  # type: ignore[arg-type]
        models: dict[str, list[ModelFile]] = {}
        for key in keys:
            no_vae = key.kind == "vae" and key.name == NO_VAE
            models.setdefault(key.kind, []).append(ModelFile(name=NO_VAE, s3=None) if no_vae else file(key))
        checkpoint = job.line.checkpoint
        return WorkRequest(
            job_id=job.line.id,
            type=job.line.type,
            mode=job.line.mode,
            parameters=job.parameters,
            images={name: self._images.uri(job.line.owner, image) for name, image in job.inputs.items()},
            checkpoint=file(ModelKey("stable-diffusion", checkpoint)) if checkpoint else None,
            models=models,
            output=f"s3://{self._resources.pictures_bucket}/{output_prefix(job.line.id)}",
            progress_queue=self._resources.progress_queue,
        ).model_dump(mode="json")

    def _now(self) -> str:
        return precise(moment(self._clock()))


def as_json(value: object) -> bytes:
    """JSON as it is stored and sent: UTF-8, no blanks, nothing that JSON cannot say."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
