"""Submission: the one way in for a job. Its steps stand in `Submission.submit` and `_complete`, in their order."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from darkroom import ids, logs
from darkroom.checkpoints.ports import ModelRegistry
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.waking import Waker
from darkroom.engines.check import refusals
from darkroom.errors import Busy, Conflict, Invalid, Missing
from darkroom.idempotency import IDEMPOTENCY_SECONDS, Idempotency, request_digest, reused
from darkroom.images.service import Images, check, id_of
from darkroom.jobs.api import BudgetOut, JobIn, JobOut
from darkroom.jobs.dispatcher import REFUSED, Dispatcher, StageResources
from darkroom.jobs.draft import (
    Draft,
    Placement,
    batch_of,
    check_sizes,
    draft_again,
    draft_of,
    to_job,
)
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.machines import dearest
from darkroom.jobs.model import Job, Pool
from darkroom.jobs.named_models import MAX_MODELS, check_count, not_active, resolve
from darkroom.jobs.ports import JobStore, KeyUsed, ModelsNotActive, PlannedJob, Spending
from darkroom.jobs.service import Jobs

log = logging.getLogger(__name__)
TRANSACTION_ITEMS = 100
"""What DynamoDB takes in one TransactWriteItems."""


@dataclass(frozen=True)
class SubmitOptions:
    """What comes along with a request for a job: the idempotency key, the digest of the request, whose pictures it
    names, and the job it repeats."""

    key: str | None
    digest: str
    pictures_of: str
    replay_of: str | None = None


@dataclass(frozen=True)
class Submitted:
    """A job that was submitted; `created` is False when the idempotency key had made it before."""

    job: JobOut
    created: bool


class Submission:
    """Creates jobs, from a request or from an existing job, and hands them over."""

    def __init__(
        self,
        store: JobStore,
        jobs: Jobs,
        images: Images,
        registry: ModelRegistry,
        resolver: ModelResolver,
        endpoints: Endpoints,
        limiter: OpenJobLimiter,
        dispatcher: Dispatcher,
        waker: Waker,
        resources: StageResources,
        spending: Spending,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = ids.new_id,
    ) -> None:
        """`jobs` finds and shows jobs; `clock` gives epoch seconds."""
        self._store = store
        self._jobs = jobs
        self._images = images
        self._registry = registry
        self._resolver = resolver
        self._endpoints = endpoints
        self._limiter = limiter
        self._dispatcher = dispatcher
        self._waker = waker
        self._resources = resources
        self._spending = spending
        self._clock = clock
        self._new_id = new_id

    def submit(
        self, owner: str, request: JobIn, idempotency_key: str | None = None, open_jobs_limit: int | None = None
    ) -> Submitted:
        """Create a job and hand it to SageMaker.

        Everything is checked before anything is written. If the endpoint refuses the invoke all the same, the job fails
        with the reason. Once the job is written, it is returned even when AWS is too busy to hand it over: if the
        caller tried again, there would be a second job. `open_jobs_limit` is how many open jobs the caller's key
        allows, None for the stage's usual number. Raises Invalid, Conflict, TooLarge, TooMany or OverBudget.
        """
        options = SubmitOptions(
            idempotency_key, request_digest(request, parameters=request.parameters.fields()), pictures_of=owner
        )
        if same := self._made_before(owner, options):
            return same
        self._limiter.admit(owner, open_jobs_limit)
        draft = draft_of(request)
        check_count(draft.named)
        return self._complete(owner, self._resolve_models(draft), options)

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
        options = SubmitOptions(idempotency_key, digest, pictures_of=owner, replay_of=job_id)
        if same := self._made_before(owner, options):
            return same
        old = self._jobs.find(job_id, scope)
        _check_expired(self._images.missing(old.line.owner, old.inputs))
        self._limiter.admit(owner, open_jobs_limit)
        work = self._resolve_models(draft_again(old, self._usable(old.line.endpoint)))
        return self._complete(owner, work, replace(options, pictures_of=old.line.owner))

    def _complete(self, owner: str, work: Draft, options: SubmitOptions) -> Submitted:
        """From a checked draft to a job that is handed over. Names are cached for seconds: when a file was renamed or
        replaced since, they are read anew, once."""
        try:
            return self._create(owner, work, options)
        except ModelsNotActive:
            self._resolver.forget()
            again = self._resolve_models(work)
        try:
            return self._create(owner, again, options)
        except ModelsNotActive as refused:
            raise not_active(refused.models) from refused

    def _create(self, owner: str, work: Draft, options: SubmitOptions) -> Submitted:
        """From a draft with its models to a job that is handed over. Raises ModelsNotActive."""
        self._check_pictures(work, options.pictures_of)
        placement = self._place(work.endpoint)
        self._check_engine(work, placement)
        self._check_models(work, stores_pictures=bool(work.extracted) or owner != options.pictures_of)
        planned = PlannedJob(owner, work.type, placement.endpoint, placement.price, batch_of(work) or 1)
        budget = self._spending.admit(planned)
        inputs = work.images | self._store_pictures(owner, work, options.pictures_of)
        now = int(self._clock())
        job = to_job(work, owner, placement, inputs, now + self._resources.retention_days * 86_400, self._new_id())
        job = replace(job, replay_of=options.replay_of, uses=len(set(inputs.values())))
        logs.note_job(job.line.id)
        try:
            self._write(job, work, options, now)
        except KeyUsed as used:
            return self._same_job(used, options.digest)
        self._limiter.add(owner, placement.endpoint)
        self._spending.add(planned)
        shown = self._jobs.show(self._hand_over(job))
        if budget:
            shown = shown.model_copy(update={"budget": BudgetOut.of(budget)})
        return Submitted(shown, created=True)

    def _made_before(self, owner: str, options: SubmitOptions) -> Submitted | None:
        """The job that this idempotency key created before, None for a new key."""
        used = self._store.idempotency(owner, options.key) if options.key else None
        return self._same_job(used, options.digest) if used else None

    def _resolve_models(self, work: Draft) -> Draft:
        return replace(work, models=resolve(work.named, self._resolver))

    def _check_pictures(self, work: Draft, owner: str) -> None:
        headers = {picture.name: check(picture.name, picture.content) for picture in work.extracted}
        headers |= self._images.inspect(owner, work.images)
        check_sizes(work, headers)

    def _place(self, wanted: str | None) -> Placement:
        """The endpoint of the job, with what is known of its instances. A missing price refuses no job."""
        endpoint = self._endpoints.choose(wanted)
        try:
            machine = self._endpoints.machine(endpoint)
        except Busy:
            return Placement(endpoint)
        if machine is None:
            return Placement(endpoint)
        prices = {name: self._resources.prices.get(name) for name in machine.instance_types}
        # Jobs that run side by side share their instance.
        shares = {name: price / machine.at_once if price is not None else None for name, price in prices.items()}
        if len(shares) == 1:
            return Placement(endpoint, machine.instance_type, shares[machine.instance_type])
        return Placement(endpoint, None, dearest(Pool(endpoint, shares)).price, shares)

    def _check_engine(self, work: Draft, placement: Placement) -> None:
        """Refuses what the endpoint's engine does not take: before a GPU wakes for it. Raises Invalid
        `engine_refuses`. An endpoint whose engine nobody told, or SageMaker does not tell now, takes everything."""
        try:
            engine = self._endpoints.engine(placement.endpoint) if placement.endpoint else None
        except Busy:
            return
        wrong = refusals(engine, work.type, work.parameters) if engine else ()
        if wrong:
            why = "; ".join(f"{'.'.join(map(str, each.loc[1:]))}: {each.msg}" for each in wrong)
            message = f"The endpoint {placement.endpoint!r} paints with the engine {engine}, which refuses this: {why}."
            raise Invalid("engine_refuses", message, wrong)

    def _usable(self, endpoint: str | None) -> str | None:
        """The endpoint if it takes jobs now, else None."""
        return endpoint if endpoint in {found.name for found in self._endpoints.all() if found.serving} else None

    def _check_models(self, work: Draft, stores_pictures: bool) -> None:
        """Look the models up before pictures are stored, for a refused job must leave nothing behind; and when there
        are more than the transaction of the write can check: in a replay, or beside many pictures."""
        if stores_pictures or len(work.models.keys) > models_beside(len(work.images) + len(work.extracted)):
            missing = self._registry.not_active(work.models.keys)
            if missing:
                raise ModelsNotActive(missing)

    def _store_pictures(self, owner: str, work: Draft, pictures_of: str) -> dict[str, str]:
        """Store the pictures of the body, and copy those of another owner. Returns ids by name of the first."""
        if owner != pictures_of:
            _check_expired(self._images.copy(pictures_of, owner, work.images))
        if work.extracted:
            self._images.keep(owner, {id_of(picture.content) for picture in work.extracted})
        return {picture.name: self._images.put(owner, picture.content) for picture in work.extracted}

    def _write(self, job: Job, work: Draft, options: SubmitOptions, now: int) -> None:
        """Write the job if its models are active and its idempotency key is new. Raises KeyUsed, ModelsNotActive."""
        owner, key = job.line.owner, None
        if options.key:
            key = Idempotency(owner, options.key, options.digest, now, now + IDEMPOTENCY_SECONDS)
        self._store.create(job, work.models.keys[: models_beside(job.uses or 0)], key)

    def _hand_over(self, job: Job) -> Job:
        """Hand the job over, wake its endpoint and return it, whatever happens: it is written, so a caller that tried
        again would create another one. The sweeper finds a job that was not handed over."""
        try:
            handed_over = self._dispatcher.dispatch(job)
            if handed_over.error and handed_over.error.code == REFUSED:
                # The endpoint has gone since it was looked up. Without open jobs it would draw the next ones, too.
                self._endpoints.forget()
        except Exception as error:
            # The type alone: a message may hold what the caller sent.
            log.error("job %s was not handed over: %s", job.line.id, type(error).__name__)
            handed_over = job
        if job.line.endpoint and not handed_over.line.settled:
            # After the job was written, so that nobody puts the endpoint to sleep for want of jobs any more.
            self._waker.job_came(job.line.endpoint)
        return handed_over

    def _same_job(self, used: KeyUsed, digest: str) -> Submitted:
        if used.digest != digest:
            raise reused()
        logs.note_job(used.job_id)
        try:
            return Submitted(self._jobs.get(used.job_id), created=False)
        except Missing as gone:
            raise Conflict(
                "idempotency_key_job_deleted",
                "The job that this Idempotency-Key made was deleted; use a new key.",
            ) from gone


def models_beside(pictures: int) -> int:
    """How many models the transaction of a write can check beside the job, its idempotency key and so many pictures."""
    return min(MAX_MODELS, TRANSACTION_ITEMS - 2 - pictures)


def _check_expired(lost: list[str]) -> None:
    if lost:
        raise Conflict(
            "inputs_expired",
            f"The picture {', '.join(lost)} of this job has expired. Upload it again and submit a new job.",
        )
