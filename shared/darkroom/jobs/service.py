"""What people do with jobs: submit, look at, list, delete."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from darkroom import ids
from darkroom.checkpoints.model import ModelKey
from darkroom.checkpoints.networks import Networks
from darkroom.checkpoints.ports import Shelf
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy, Conflict, FieldError, Invalid, Missing, TooLarge
from darkroom.images.service import Images, check
from darkroom.jobs.api import HistoryQuery, JobIn, JobOut, JobPage, Summary, job_out, line_out
from darkroom.jobs.ask import filters_of, time_range
from darkroom.jobs.contract import ModelFile, WorkError, WorkRequest
from darkroom.jobs.history import Filters, fill, plan
from darkroom.jobs.model import Change, Idempotency, Job, output_prefix, precise
from darkroom.jobs.phase import Phase, phase_of
from darkroom.jobs.ports import (
    EndpointRefused,
    Inference,
    JobStore,
    KeyUsed,
    ModelsNotActive,
    Outputs,
)
from darkroom.jobs.submit import (
    INTERROGATE,
    NO_VAE,
    Draft,
    Place,
    check_sizes,
    draft,
    not_active,
    to_job,
    with_networks,
)
from darkroom.jobs.summary import summarize

MAX_PARAMETER_BYTES = 200 * 1024
"""Parameters stand in the job's item, which DynamoDB ends at 400 KB; names and the answer need room too."""
IDEMPOTENCY_SECONDS = 86_400
POLL_SECONDS = 0.7


@dataclass(frozen=True)
class Places:
    """Where things lie: bucket names, the URL of the progress queue, how long all is kept, shards of the feed, and
    what an hour of each instance type costs."""

    pictures_bucket: str
    models_bucket: str
    progress_queue: str
    retention_days: int
    feed_shards: int
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Submitted:
    """A job that was submitted; `created` is False when the idempotency key had made it before."""

    job: JobOut
    created: bool


class Jobs:
    """The jobs of all owners."""

    def __init__(
        self,
        store: JobStore,
        images: Images,
        outputs: Outputs,
        shelf: Shelf,
        networks: Networks,
        endpoints: Endpoints,
        inference: Inference,
        places: Places,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._images = images
        self._outputs = outputs
        self._shelf = shelf
        self._networks = networks
        self._endpoints = endpoints
        self._inference = inference
        self._places = places
        self._sleep = sleep

    def submit(self, owner: str, request: JobIn, idempotency_key: str | None = None) -> Submitted:
        """Create a job and hand it to SageMaker: write, invoke, mark.

        Everything is checked before anything is written. An endpoint that refuses the invoke after all
        leaves a failed job that says why. Once the job is written it is answered, even when AWS is too busy
        to take it at once: a second try of the caller would make a second job. Raises Invalid, Conflict or
        TooLarge.
        """
        digest = _digest(request)
        if idempotency_key and (used := self._store.idempotency(owner, idempotency_key)):
            return Submitted(self._same_job(used, digest), created=False)
        work = draft(request)
        if request.type not in INTERROGATE:
            work = with_networks(work, self._networks.called_by(work.prompts))
        self._check_pictures(owner, work)
        if len(_json(work.parameters)) > MAX_PARAMETER_BYTES:
            raise TooLarge(
                "parameters_too_large",
                f"`parameters` are over {MAX_PARAMETER_BYTES} bytes without their pictures.",
            )
        place = self._place(self._endpoints.choose(request.endpoint))
        inputs = dict(request.images) | self._store_lifted(owner, work)
        now = int(time.time())
        job = to_job(work, owner, place, inputs, now + self._places.retention_days * 86_400)
        key = Idempotency(owner, idempotency_key, digest, now, now + IDEMPOTENCY_SECONDS) if idempotency_key else None
        try:
            self._store.create(job, work.model_keys, key)
        except ModelsNotActive as refused:
            raise not_active(refused.models) from refused
        except KeyUsed as used:
            return Submitted(self._same_job(used, digest), created=False)
        return Submitted(self._out(self._hand_over(job)), created=True)

    def get(self, job_id: str, wait: int = 0, *, only: str | None = None) -> JobOut:
        """The whole job; with `wait`, after at most so many seconds, sooner once it is settled.

        Here and below, with `only` there are no jobs but that owner's. Raises Missing `job_not_found`.
        """
        deadline = time.monotonic() + wait
        job = self._find(job_id, only)
        while not job.line.settled and (left := deadline - time.monotonic()) > 0:
            self._sleep(min(POLL_SECONDS, left))
            job = self._find(job_id, only)
        return self._out(job, self._phase(job))

    def page(self, query: HistoryQuery, *, only: str | None = None) -> JobPage:
        """A page of the history, newest first. Raises Malformed with the name of a field that makes no sense."""
        asked = filters_of(query)
        if only is not None:
            if asked.owner not in (None, only):
                return JobPage(jobs=[], next=None)
            asked = replace(asked, owner=only)
        page = fill(self._store.read, asked, plan(asked, self._places.feed_shards), query.limit)
        return JobPage(jobs=[line_out(line, self._outputs) for line in page.lines], next=page.next)

    def summary(self, start: str | None, end: str | None, *, only: str | None = None) -> Summary:
        """Counts of the jobs in a time range, as `HistoryQuery` writes times. Raises Malformed."""
        low, high = time_range(start, end)
        return summarize(self._store.read, Filters(owner=only, low=low, high=high), self._places.feed_shards)

    def delete(self, job_id: str, *, only: str | None = None) -> None:
        """Remove a job and all it stored. Pictures first: a delete that breaks off can be sent again.

        Raises Missing `job_not_found`.
        """
        job = self._find(job_id, only)
        self._outputs.delete(job_id, job.failure_location)
        self._store.delete(job_id)

    def _find(self, job_id: str, only: str | None = None) -> Job:
        """The job, unless it is not `only`'s: that one is not there either, in the same words."""
        job = self._store.get(job_id) if ids.is_id(job_id) else None
        if job is None or only not in (None, job.line.owner):
            raise Missing("job_not_found", f"There is no job {job_id[:64]!r}.")
        return job

    def _out(self, job: Job, phase: Phase | None = None) -> JobOut:
        urls = {name: self._images.url(job.line.owner, image) for name, image in job.inputs.items()}
        return job_out(job, urls, self._outputs, phase)

    def _place(self, endpoint: str) -> Place:
        """What is known of an endpoint's instances. A job is not refused for want of its price."""
        try:
            instance_type = self._endpoints.instance_type(endpoint)
        except Busy:
            return Place(endpoint)
        return Place(endpoint, instance_type, self._places.prices.get(instance_type or ""))

    def _phase(self, job: Job) -> Phase | None:
        """What an open job waits for; a job is shown without it when SageMaker does not answer."""
        try:
            return phase_of(job, self._endpoints)
        except Busy:
            return None

    def _check_pictures(self, owner: str, work: Draft) -> None:
        headers = {picture.name: check(picture.name, picture.content) for picture in work.lifted}
        headers |= self._images.inspect(owner, work.request.images)
        check_sizes(work, headers)

    def _store_lifted(self, owner: str, work: Draft) -> dict[str, str]:
        """Store the pictures that came inside the body; their ids by name.

        They are stored before the job is, so the models are looked up first: a job that is refused
        must leave nothing behind.
        """
        if not work.lifted:
            return {}
        missing = self._shelf.not_active(work.model_keys)
        if missing:
            raise not_active(missing)
        return {picture.name: self._images.put(owner, picture.content) for picture in work.lifted}

    def _same_job(self, used: KeyUsed, digest: str) -> JobOut:
        if used.digest != digest:
            raise Invalid(
                "idempotency_key_reused",
                "This Idempotency-Key was used with another body in the last 24 hours; use a new key.",
                (FieldError(("header", "Idempotency-Key"), "was used with another body"),),
            )
        try:
            return self.get(used.job_id)
        except Missing as gone:
            raise Conflict(
                "idempotency_key_job_deleted",
                "The job that this Idempotency-Key made was deleted; use a new key.",
            ) from gone

    def _hand_over(self, job: Job) -> Job:
        """Invoke and mark. A job that AWS was too busy to take stays `created`, for the sweeper to invoke again."""
        body = _json(self._work_request(job))
        try:
            output, failure = self._inference.invoke(job.line.endpoint, job.line.id, body)
            change = Change("in_progress", "invoke", output_location=output, failure_location=failure)
        except EndpointRefused as refused:
            error = WorkError(code="endpoint_refused", message=f"SageMaker refused the job: {refused}")
            change = Change("fail", "invoke", error=error, completed_at=precise(datetime.now(UTC)))
        except Busy:
            return job
        try:
            changed = self._store.change(job.line.id, change)
            # If the callback overtook the mark, what it wrote is the truth.
            overtaken = None if changed.applied else self._store.get(job.line.id)
        except Busy:
            return job
        line = replace(job.line, status=change.status, completed_at=change.completed_at)
        return overtaken or replace(job, line=line, error=change.error)

    def _work_request(self, job: Job) -> dict[str, object]:
        """The job as the worker gets it."""

        def file(key: ModelKey) -> ModelFile:
            return ModelFile(name=key.name, s3=f"s3://{self._places.models_bucket}/{key.s3_key}")

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
            output=f"s3://{self._places.pictures_bucket}/{output_prefix(job.line.id)}",
            progress_queue=self._places.progress_queue,
        ).model_dump(mode="json")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _digest(request: JobIn) -> str:
    """SHA-256 of what the request says, whatever the order of its fields."""
    said = request.model_dump(mode="json", exclude_unset=True) | {"parameters": request.parameters.fields()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
