"""Handing a written job to SageMaker: the request for the worker, the invoke, and the mark `in_progress`."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from darkroom.checkpoints.model import ModelKey
from darkroom.errors import Busy
from darkroom.images.service import Images
from darkroom.jobs.contract import ModelFile, WorkError, WorkRequest
from darkroom.jobs.ending import Endings
from darkroom.jobs.model import NO_VAE, Job, Transition, answer_key, as_json, output_prefix
from darkroom.jobs.ports import EndpointRefused, Inference, JobStore, Outputs
from darkroom.jobs.runs import Run
from darkroom.jobs.state import IN_PROGRESS
from darkroom.times import moment, precise

log = logging.getLogger(__name__)
REFUSED = "endpoint_refused"


@dataclass(frozen=True)
class StageResources:
    """Names and numbers of a stage: two bucket names, the URL of the progress queue, how many days everything is kept,
    the number of shards of the feed, and the price of an hour of each instance type."""

    pictures_bucket: str
    models_bucket: str
    progress_queue: str
    retention_days: int
    feed_shards: int
    prices: Mapping[str, float] = field(default_factory=dict)


class Dispatcher:
    """Hands jobs to SageMaker: new ones, those whose worker was stopped, and those that the sweeper finds and that were
    never handed over."""

    def __init__(
        self,
        store: JobStore,
        images: Images,
        outputs: Outputs,
        endings: Endings,
        inference: Inference,
        resources: StageResources,
        clock: Callable[[], float] = time.time,
        count: Callable[[str], None] = lambda metric: None,
    ) -> None:
        """`clock` gives epoch seconds. `count` counts one under the name of a metric."""
        self._store = store
        self._images = images
        self._outputs = outputs
        self._endings = endings
        self._inference = inference
        self._resources = resources
        self._clock = clock
        self._count = count
        self._told_of: set[str] = set()

    def dispatch(self, job: Job) -> Job:
        """Invoke the job's endpoint for its present run and mark the job `in_progress`; returns the job as it is now.

        A job without an endpoint stays as it is. A job that SageMaker refuses fails. A job that AWS was too busy for
        stays `created`; the sweeper finds it. If the job was deleted meanwhile, its worker is stopped.
        """
        endpoint, run = job.line.endpoint, Run(job.line.id, job.run)
        if endpoint is None:
            return job
        try:
            output, failure = self._inference.invoke(endpoint, run, as_json(self.work_request(job)))
        except EndpointRefused as refused:
            return self._refuse(job, refused)
        except Busy:
            self._wait(job)
            return job
        self._compare(endpoint, run, output)
        return self._mark(job, output, failure)

    def _wait(self, job: Job) -> None:
        """Show in lists that the job was not handed over."""
        try:
            self._store.list_as_created(job.line.id)
        except Busy:
            return

    def _compare(self, endpoint: str, run: Run, output: str) -> None:
        """Tell a person, once for each endpoint while this process lives, when answers do not go where they are asked
        for. The jobs keep the place that SageMaker named."""
        asked = f"s3://{self._resources.pictures_bucket}/{answer_key(run.job_id, run.number)}"
        if output == asked or endpoint in self._told_of:
            return
        self._told_of.add(endpoint)
        log.warning("SageMaker puts the answers of %s elsewhere: %s was asked, %s came back", endpoint, asked, output)
        self._count("answers_elsewhere")

    def _refuse(self, job: Job, refused: EndpointRefused) -> Job:
        error = WorkError(code=REFUSED, message=f"SageMaker refused the job: {refused}")
        try:
            failed = self._endings.fail(job.line, error, "invoke", job.run)
            found = None if failed else self._read_overtaken(job, None, None)
        except Busy:
            return job
        return found or replace(job, line=failed or job.line, error=error)

    def _mark(self, job: Job, output: str, failure: str | None) -> Job:
        submitted_at = precise(moment(self._clock()))
        mark = Transition(
            IN_PROGRESS,
            "invoke",
            run=job.run,
            output_location=output,
            failure_location=failure,
            submitted_at=submitted_at,
        )
        try:
            applied = self._store.apply(job.line.id, mark).applied
            found = None if applied else self._read_overtaken(job, output, failure)
        except Busy:
            return job
        return found or replace(job, line=replace(job.line, status=IN_PROGRESS))

    def _read_overtaken(self, handed_over: Job, output: str | None, failure: str | None) -> Job | None:
        """The job as it is now, after it ended or was deleted while it was handed over (then None). `output` and
        `failure` are where SageMaker puts the answer and the failure file of this invoke; both are stored with the job
        or in its cancel marker."""
        job_id = handed_over.line.id
        job = self._store.get(job_id)
        if job is None:
            self._outputs.mark_cancelled(job_id, failure, output)
        elif failure and job.failure_location is None and job.run == handed_over.run and job.line.settled:
            self._store.note_failure(job_id, failure, output)
        return job

    def work_request(self, job: Job) -> dict[str, object]:
        """The job as the worker gets it."""

        def file(key: ModelKey) -> ModelFile:
            spelled = [text for text, name in (job.spellings or {}).get(key.kind, {}).items() if name == key.name]
            s3 = f"s3://{self._resources.models_bucket}/{job.object_key(key)}"
            known = job.facts.get(key)
            # What is not known is left out of the request, see `exclude_unset`.
            told = {"bytes": known.size, "etag": known.etag, "sha256": known.sha256} if known else {}
            given = {name: value for name, value in told.items() if value is not None}
            return ModelFile.model_validate({"name": key.name, "s3": s3, "spellings": spelled, **given})

        keys = [ModelKey(kind, name) for kind, names in job.models.items() for name in names]  # type: ignore[arg-type]
        models: dict[str, list[ModelFile]] = {}
        for key in keys:
            no_vae = key.kind == "vae" and key.name == NO_VAE
            models.setdefault(key.kind, []).append(ModelFile(name=NO_VAE, s3=None) if no_vae else file(key))
        checkpoint = job.line.checkpoint
        files = {purpose: [file(key) for key in keys] for purpose, keys in job.file_keys.items()}
        # A request without them is the same as before there were any.
        beside: dict[str, Any] = {"files": files} if files else {}
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
            **beside,
        ).model_dump(mode="json", exclude_unset=True)
