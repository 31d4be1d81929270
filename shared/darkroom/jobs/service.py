"""What people do with jobs: submit, look at, list, delete."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from darkroom import ids, logs
from darkroom.checkpoints.networks import Networks
from darkroom.checkpoints.ports import ModelRegistry
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy, Conflict, FieldError, Invalid, Missing, TooLarge
from darkroom.images.service import Images, check
from darkroom.jobs.api import HistoryQuery, JobIn, JobOut, JobPage, Summary, job_out, line_out
from darkroom.jobs.dispatcher import REFUSED, Dispatcher, StageResources, as_json
from darkroom.jobs.history import Filters, fill, plan
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.model import Idempotency, Job, JobTimeouts, Transition
from darkroom.jobs.phase import Phase, phase_of
from darkroom.jobs.ports import JobStore, KeyUsed, ModelsNotActive, Outputs
from darkroom.jobs.query import filters_of, time_range
from darkroom.jobs.state import ENDS
from darkroom.jobs.submit import INTERROGATE, Draft, Placement, check_sizes, draft, not_active, to_job, with_networks
from darkroom.jobs.summary import summarize
from darkroom.times import moment, precise

log = logging.getLogger(__name__)

MAX_PARAMETER_BYTES = 200 * 1024
"""Parameters stand in the job's item, which DynamoDB ends at 400 KB; names and the answer need room too."""
IDEMPOTENCY_SECONDS = 86_400
POLL_SECONDS = 0.7


@dataclass(frozen=True)
class SubmitOptions:
    """What comes along with a request for a job: the idempotency key, the digest of what was said, the limit of open
    jobs of the caller's key, whose pictures it names, and the job it repeats."""

    key: str | None
    digest: str
    open_jobs_limit: int | None
    pictures_of: str
    replay_of: str | None = None


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
        registry: ModelRegistry,
        networks: Networks,
        endpoints: Endpoints,
        limiter: OpenJobLimiter,
        dispatcher: Dispatcher,
        resources: StageResources,
        timeouts: JobTimeouts,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = ids.new_id,
    ) -> None:
        """`sleep` takes seconds, `clock` gives epoch seconds."""
        self._store = store
        self._images = images
        self._outputs = outputs
        self._registry = registry
        self._networks = networks
        self._endpoints = endpoints
        self._limiter = limiter
        self._dispatcher = dispatcher
        self._resources = resources
        self._timeouts = timeouts
        self._sleep = sleep
        self._clock = clock
        self._new_id = new_id

    def submit(
        self, owner: str, request: JobIn, idempotency_key: str | None = None, open_jobs_limit: int | None = None
    ) -> Submitted:
        """Create a job and hand it to SageMaker: write, invoke, mark.

        Everything is checked before anything is written. An endpoint that refuses the invoke after all
        leaves a failed job that says why. Once the job is written it is answered, even when AWS is too busy
        to take it at once: a second try of the caller would make a second job. `open_jobs_limit` is how many open jobs
        the caller's key allows, None for the stage's usual number. Raises Invalid, Conflict, TooLarge or TooMany.
        """
        digest = _digest(request)
        if idempotency_key and (used := self._store.idempotency(owner, idempotency_key)):
            return Submitted(self._same_job(used, digest), created=False)
        return self._submit(owner, request, SubmitOptions(idempotency_key, digest, open_jobs_limit, owner))

    def replay(
        self,
        owner: str,
        job_id: str,
        idempotency_key: str | None = None,
        open_jobs_limit: int | None = None,
        scope: str | None = None,
    ) -> Submitted:
        """Submit a job anew: the same parameters, pictures and model files, on the same endpoint if it takes jobs.

        The new job belongs to `owner`, who asks. `scope` is the one owner whose jobs may be touched, None for all.
        Raises what `submit` raises, Missing `job_not_found`, and Conflict `inputs_expired`.
        """
        digest = hashlib.sha256(f"replay of {job_id}".encode()).hexdigest()
        if idempotency_key and (used := self._store.idempotency(owner, idempotency_key)):
            return Submitted(self._same_job(used, digest), created=False)
        old = self._find(job_id, scope)
        _check_expired(self._images.lost(old.line.owner, old.inputs))
        asked = SubmitOptions(idempotency_key, digest, open_jobs_limit, old.line.owner, replay_of=job_id)
        return self._submit(owner, self._request_of(old), asked)

    def _submit(self, owner: str, request: JobIn, asked: SubmitOptions) -> Submitted:
        self._limiter.admit(owner, asked.open_jobs_limit)
        work = draft(request)
        if request.type not in INTERROGATE:
            work = with_networks(work, self._networks.resolve(work.prompts))
        self._check_pictures(asked.pictures_of, work)
        if len(as_json(work.parameters)) > MAX_PARAMETER_BYTES:
            raise TooLarge(
                "parameters_too_large",
                f"`parameters` are over {MAX_PARAMETER_BYTES} bytes without their pictures.",
            )
        placement = self._placement(self._endpoints.choose(request.endpoint))
        inputs = dict(request.images) | self._bring_pictures(owner, work, asked.pictures_of)
        now = int(self._clock())
        job = to_job(work, owner, placement, inputs, now + self._resources.retention_days * 86_400, self._new_id())
        job = replace(job, replay_of=asked.replay_of)
        logs.note_job(job.line.id)
        key = Idempotency(owner, asked.key, asked.digest, now, now + IDEMPOTENCY_SECONDS) if asked.key else None
        try:
            self._store.create(job, work.model_keys, key)
        except ModelsNotActive as refused:
            raise not_active(refused.models) from refused
        except KeyUsed as used:
            return Submitted(self._same_job(used, asked.digest), created=False)
        self._limiter.add(owner, placement.endpoint)
        return Submitted(self._out(self._handed_over(job)), created=True)

    def _handed_over(self, job: Job) -> Job:
        """The job is written, so it is answered, whatever happens now: a caller that tries again would make another.
        What was not handed over the sweeper finds."""
        try:
            handed_over = self._dispatcher(job)
            if handed_over.error and handed_over.error.code == REFUSED:
                # The endpoint has gone since it was looked up. Without open jobs it would draw the next ones, too.
                self._endpoints.forget()
            return handed_over
        except Exception as error:
            # The type alone: a message may hold what the caller sent.
            log.error("job %s was not handed over: %s", job.line.id, type(error).__name__)
            return job

    def _request_of(self, job: Job) -> JobIn:
        """The request that makes the job again; an endpoint that takes no jobs now is left out."""
        usable = {endpoint.name for endpoint in self._endpoints.all() if endpoint.serving}
        models = {kind: names for kind, names in job.models.items() if kind != "vae"}
        return JobIn.model_validate(
            {
                "type": job.line.type,
                "mode": job.line.mode,
                "checkpoint": job.line.checkpoint,
                "models": {"vae": next(iter(job.models.get("vae", [])), None), **models},
                "endpoint": job.line.endpoint if job.line.endpoint in usable else None,
                "images": job.inputs,
                "parameters": job.parameters,
            }
        )

    def get(self, job_id: str, wait: int = 0, scope: str | None = None) -> JobOut:
        """The whole job; with `wait`, after at most so many seconds, sooner once it is settled.

        `scope` is the one owner whose jobs may be seen, None for all. Raises Missing `job_not_found`.
        """
        deadline = time.monotonic() + wait
        job = self._find(job_id, scope)
        while not job.line.settled and (left := deadline - time.monotonic()) > 0:
            self._sleep(min(POLL_SECONDS, left))
            job = self._find(job_id, scope)
        return self._out(job, self._phase(job))

    def page(self, query: HistoryQuery, *, scope: str | None = None) -> JobPage:
        """A page of the history, newest first. Raises Malformed with the name of a field that makes no sense."""
        asked = filters_of(query)
        if scope is not None:
            if asked.owner not in (None, scope):
                return JobPage(jobs=[], next=None)
            asked = replace(asked, owner=scope)
        page = fill(self._store.read, asked, plan(asked, self._resources.feed_shards), query.limit)
        return JobPage(jobs=[line_out(line, self._outputs) for line in page.lines], next=page.next)

    def summary(self, start: str | None, end: str | None, *, scope: str | None = None) -> Summary:
        """Counts of the jobs in a time range, as `HistoryQuery` writes times. Raises Malformed."""
        low, high = time_range(start, end)
        return summarize(self._store.read, Filters(owner=scope, low=low, high=high), self._resources.feed_shards)

    def cancel(self, job_id: str, scope: str | None = None) -> JobOut:
        """End an open job as `cancelled`, and tell its worker to stop. A cancelled job stays as it is.

        The marker comes before the row: broken off in between, the worker stops all the same, and the sweeper finds
        the marker and ends the job. `scope` is the one owner whose jobs may be touched, None for all.
        Raises Missing `job_not_found` and Conflict `job_settled`.
        """
        job = self._find(job_id, scope)
        if job.line.settled:
            if job.line.status != "cancelled":
                # An earlier cancel may have broken off after its marker, and the job ended all the same.
                self._outputs.unmark(job_id)
            return self._cancelled(job)
        self._outputs.mark_cancelled(job_id, job.failure_location)
        now = precise(moment(self._clock()))
        transition = Transition("cancelled", "caller", cancelled_when=job.cancel_point, completed_at=now)
        if not self._store.apply(job_id, transition).applied:
            found = self._find(job_id, scope)
            if found.line.status != "cancelled":
                self._outputs.unmark(job_id)
            return self._cancelled(found)
        line = replace(job.line, status="cancelled", completed_at=now)
        return self._out(replace(job, line=line, cancelled_when=job.cancel_point))

    def _cancelled(self, job: Job) -> JobOut:
        if job.line.status != "cancelled":
            raise Conflict(
                "job_settled",
                f"The job has ended already ({job.line.status}), so there is nothing to cancel. DELETE removes it.",
            )
        return self._out(job)

    def delete(self, job_id: str, scope: str | None = None) -> None:
        """Remove a job and all it stored. Objects first: a delete that breaks off can be sent again.

        A job that may still run leaves the marker that stops its worker; it goes with the late answer, or by the
        sweeper once nothing can come any more. `scope` is the one owner whose jobs may be touched, None for all.
        Raises Missing `job_not_found`.
        """
        job = self._find(job_id, scope)
        may_run = self._may_run(job)
        if may_run:
            self._outputs.mark_cancelled(job_id, job.failure_location)
        self._outputs.delete(job_id, job.failure_location, keep_marker=may_run)
        left_as = self._store.delete(job_id)
        if left_as in ENDS and left_as != job.line.status:
            # It ended in between, and what it made came after the objects were removed.
            self._outputs.delete(job_id, keep_marker=left_as == "cancelled")

    def _may_run(self, job: Job) -> bool:
        """Whether a worker may still have the job."""
        if not job.line.settled:
            return True
        age = self._clock() - ids.created_at(job.line.id).timestamp()
        return (
            job.line.status == "cancelled" and age < self._timeouts.forgotten and self._outputs.is_marked(job.line.id)
        )

    def _find(self, job_id: str, scope: str | None = None) -> Job:
        """The job, unless it is not `scope`'s: that one is not there either, in the same words."""
        job = self._store.get(job_id) if ids.is_id(job_id) else None
        if job is None or scope not in (None, job.line.owner):
            raise Missing("job_not_found", f"There is no job {job_id[:64]!r}.")
        return job

    def _out(self, job: Job, phase: Phase | None = None) -> JobOut:
        urls = {name: self._images.url(job.line.owner, image) for name, image in job.inputs.items()}
        return job_out(job, urls, self._outputs, phase)

    def _placement(self, endpoint: str) -> Placement:
        """What is known of an endpoint's instances. A job is not refused for want of its price."""
        try:
            machine = self._endpoints.machine(endpoint)
        except Busy:
            return Placement(endpoint)
        if machine is None:
            return Placement(endpoint)
        price = self._resources.prices.get(machine.instance_type)
        # Jobs that run side by side share their instance.
        return Placement(endpoint, machine.instance_type, price / machine.at_once if price is not None else None)

    def _phase(self, job: Job) -> Phase | None:
        """What an open job waits for; a job is shown without it when SageMaker does not answer."""
        try:
            return phase_of(job, self._endpoints)
        except Busy:
            return None

    def _check_pictures(self, owner: str, work: Draft) -> None:
        headers = {picture.name: check(picture.name, picture.content) for picture in work.extracted}
        headers |= self._images.inspect(owner, work.request.images)
        check_sizes(work, headers)

    def _bring_pictures(self, owner: str, work: Draft, pictures_of: str) -> dict[str, str]:
        """Store the pictures that came inside the body, and copy those that are another owner's; the ids of the
        first by name.

        They are stored before the job is, so the models are looked up first: a job that is refused
        must leave nothing behind.
        """
        if not work.extracted and owner == pictures_of:
            return {}
        missing = self._registry.not_active(work.model_keys)
        if missing:
            raise not_active(missing)
        if owner != pictures_of:
            _check_expired(self._images.take_over(pictures_of, owner, work.request.images))
        return {picture.name: self._images.put(owner, picture.content) for picture in work.extracted}

    def _same_job(self, used: KeyUsed, digest: str) -> JobOut:
        if used.digest != digest:
            raise Invalid(
                "idempotency_key_reused",
                "This Idempotency-Key was used with another body in the last 24 hours; use a new key.",
                (FieldError(("header", "Idempotency-Key"), "was used with another body"),),
            )
        logs.note_job(used.job_id)
        try:
            return self.get(used.job_id)
        except Missing as gone:
            raise Conflict(
                "idempotency_key_job_deleted",
                "The job that this Idempotency-Key made was deleted; use a new key.",
            ) from gone


def _check_expired(lost: list[str]) -> None:
    if lost:
        raise Conflict(
            "inputs_expired",
            f"The picture {', '.join(lost)} of this job has expired. Upload it again and submit a new job.",
        )


def _digest(request: JobIn) -> str:
    """SHA-256 of what the request says, whatever the order of its fields."""
    said = request.model_dump(mode="json", exclude_unset=True) | {"parameters": request.parameters.fields()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
