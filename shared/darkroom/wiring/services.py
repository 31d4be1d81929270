"""The services of one stage, each over the adapters it needs.

Every service is created and imported at its first use and kept, as in `adapters`, and settings are read in the same
way. What a service takes for `clock` is that of the stage, so that a test can turn the time for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom.assets import Assets
    from darkroom.checkpoints.imports import Imports
    from darkroom.checkpoints.resolver import ModelResolver
    from darkroom.checkpoints.service import Checkpoints
    from darkroom.costs.budgets import Budgets
    from darkroom.costs.ledger import Ledger
    from darkroom.costs.metering import Meter
    from darkroom.costs.service import Costs
    from darkroom.dead_letters.service import DeadLetters
    from darkroom.endpoints.containers import StageWorker
    from darkroom.endpoints.fleet import Fleet
    from darkroom.endpoints.instances import InstanceRound
    from darkroom.endpoints.ledger import WakeUps
    from darkroom.endpoints.service import Endpoints
    from darkroom.endpoints.sweep import EndpointSweep
    from darkroom.endpoints.waking import Waker
    from darkroom.endpoints.warm import Warmth
    from darkroom.idempotency import Claims
    from darkroom.images.service import Images
    from darkroom.jobs.deletion import Deletions
    from darkroom.jobs.deletion_steps import DeletionSteps
    from darkroom.jobs.dispatcher import Dispatcher, StageResources
    from darkroom.jobs.ending import Ended, Endings
    from darkroom.jobs.events import Events
    from darkroom.jobs.limiter import OpenJobLimiter
    from darkroom.jobs.model import JobLine
    from darkroom.jobs.open import JobsByEndpoint
    from darkroom.jobs.progress import ProgressReports
    from darkroom.jobs.removal import Removal
    from darkroom.jobs.results import Results
    from darkroom.jobs.service import Jobs
    from darkroom.jobs.submission import Submission
    from darkroom.jobs.sweep import Sweep
    from darkroom.keys.rate_limiter import RateLimiter
    from darkroom.keys.service import Authenticator, Keys
    from darkroom.settings import Settings
    from darkroom.stalled import StalledWork
    from darkroom.wiring.adapters import Adapters

Round = Callable[[Callable[[], float]], Mapping[str, float | list[str]]]
"""One part of the sweeper's work: it takes a function that gives the seconds that are left, and returns how many things
it did, by kind, with the ids of those that failed."""


class Services:
    """The services of the stage that `settings` describe. A test may set one to a fake, as with adapters."""

    def __init__(self, settings: Settings, adapters: Adapters, monotonic: Callable[[], float], threads: int) -> None:
        """`monotonic` gives seconds. The sweeper and deletions handle `threads` jobs side by side."""
        self.settings = settings
        self.adapters = adapters
        self._monotonic = monotonic
        self._threads = threads

    @cached_property
    def authenticator(self) -> Authenticator:
        """Who is calling."""
        from darkroom.keys.service import Authenticator

        return Authenticator(self.adapters.key_store, self.adapters.admin_secret, self._monotonic, self.adapters.clock)

    @cached_property
    def keys(self) -> Keys:
        """The access keys."""
        from darkroom.keys.service import Keys

        return Keys(self.adapters.key_store, self.adapters.clock)

    @cached_property
    def claims(self) -> Claims:
        """The idempotency keys of requests that name what they create: model files and endpoints."""
        from darkroom.idempotency import Claims

        return Claims(self.adapters.claims, self.adapters.clock)

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """How many requests each key sends."""
        from darkroom.keys.rate_limiter import RateLimiter

        return RateLimiter(self.adapters.rate_counts, self.adapters.clock)

    @cached_property
    def images(self) -> Images:
        """The picture store."""
        from darkroom.images.service import Images

        return Images(
            self.adapters.image_store, self.adapters.picture_uses, self.settings.retention_days, self.adapters.clock
        )

    @cached_property
    def resolver(self) -> ModelResolver:
        """Finds the model files that a job names."""
        from darkroom.checkpoints.resolver import ModelResolver

        return ModelResolver(self.adapters.registry, self._monotonic)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The model shelf with its files."""
        from darkroom.checkpoints.service import Checkpoints

        return Checkpoints(self.adapters.registry, self.adapters.model_files, self.settings.takes_pickles)

    @cached_property
    def imports(self) -> Imports:
        """Imports of model files."""
        from darkroom.checkpoints.imports import Imports

        return Imports(
            self.adapters.registry,
            self.adapters.model_files,
            self.adapters.web,
            self.adapters.import_queue,
            self.checkpoints,
            self._monotonic,
            self.adapters.clock,
        )

    @cached_property
    def stalled_work(self) -> StalledWork:
        """The sweeper's round over imports and deletions that stand still."""
        from darkroom.checkpoints.stalled import StalledImports
        from darkroom.jobs.deletion_steps import StalledDeletions
        from darkroom.stalled import StalledWork

        adapters = self.adapters
        imports = StalledImports(adapters.registry, adapters.model_files, adapters.clock)
        return StalledWork([imports.find, StalledDeletions(adapters.deletion_store, adapters.clock).find])

    @cached_property
    def endpoints(self) -> Endpoints:
        """The stage's endpoints."""
        from darkroom.endpoints.service import Endpoints

        return Endpoints(
            self.adapters.endpoint_source,
            self.adapters.scaling,
            self.open_jobs,
            self.settings.endpoint_prefix,
            self._monotonic,
            lambda name: self.wake_ups.last(name),
        )

    @cached_property
    def wake_ups(self) -> WakeUps:
        """The ledger of wake-ups."""
        from darkroom.endpoints.ledger import WakeUps

        return WakeUps(self.adapters.wake_up_store, self.adapters.endpoint_source, self.open_jobs, self.adapters.clock)

    @cached_property
    def assets(self) -> Assets:
        """Puts the files of a deploy where they are read."""
        from darkroom.assets import Assets

        return Assets(self.adapters.asset_store)

    @cached_property
    def fleet(self) -> Fleet:
        """Creates, scales and deletes endpoints."""
        from darkroom.endpoints.fleet import Fleet

        return Fleet(
            self.endpoints,
            self.adapters.endpoint_source,
            self.adapters.endpoint_control,
            self.adapters.scaling,
            self.open_jobs,
            self.settings.stage,
            self._worker,
            self.adapters.clock,
            lambda: self.waker,
        )

    def _worker(self) -> StageWorker:
        from darkroom.endpoints.containers import StageWorker

        settings = self.settings
        return StageWorker(
            settings.instance_type,
            settings.worker_image,
            settings.cpu_instance_type,
            settings.package_uri or None,
            settings.package_engine,
            settings.worker_base,
            settings.worker_base_image,
            settings.worker_base_image_cpu,
            settings.region,
        )

    @cached_property
    def endpoint_sweep(self) -> EndpointSweep:
        """The sweeper's round over the endpoints."""
        from darkroom.endpoints.sweep import EndpointSweep, Guard

        guard = Guard(self.settings.idle_hours, self.settings.idle_to_zero)
        control = self.adapters.endpoint_control
        return EndpointSweep(
            self.fleet,
            self.adapters.endpoint_source,
            control,
            self.adapters.scaling,
            self.open_jobs,
            guard,
            self.adapters.clock,
        )

    @cached_property
    def waker(self) -> Waker:
        """Wakes endpoints that have no instance."""
        from darkroom.endpoints.waking import Waker

        return Waker(
            self.endpoints,
            lambda: self.adapters.waking,
            self.settings.sleep_after_seconds_least,
            self._count,
            (lambda asked: self.wake_ups.asked(asked),),
            self.adapters.clock,
            self._monotonic,
        )

    @cached_property
    def warmth(self) -> Warmth:
        """Keeps endpoints warm for a while."""
        from darkroom.endpoints.warm import Warmth

        return Warmth(
            self.endpoints,
            self.adapters.endpoint_source,
            self.adapters.endpoint_control,
            lambda: self.waker,
            self.adapters.clock,
        )

    @cached_property
    def jobs(self) -> Jobs:
        """Reading, cancelling and deleting jobs."""
        from darkroom.jobs.service import Jobs

        return Jobs(
            self.adapters.store,
            self.images,
            self.adapters.outputs,
            self.endpoints,
            self.resolver,
            self.endings,
            self.removal,
            self.settings.feed_shards,
            self.adapters.clock,
            self._monotonic,
        )

    @cached_property
    def removal(self) -> Removal:
        """Removes jobs with all they stored."""
        from darkroom.jobs.removal import Removal

        return Removal(
            self.adapters.store,
            self.adapters.outputs,
            self.adapters.picture_uses,
            self.adapters.timeouts,
            self._threads,
            self.adapters.clock,
            self._monotonic,
            self._note_cost,
        )

    def _note_cost(self, line: JobLine) -> None:
        """Keep what a job cost that is about to be removed."""
        from darkroom.costs.model import JobCost

        self.ledger.note_removed(JobCost.of(line))

    @cached_property
    def deletions(self) -> Deletions:
        """Deleting many jobs: those that are named, and those that filters find."""
        from darkroom.jobs.deletion import Deletions

        return Deletions(
            self.adapters.deletion_store,
            self.adapters.store,
            self.removal,
            self.adapters.deletion_queue,
            self.resolver,
            self.endpoints,
            self.adapters.clock,
        )

    @cached_property
    def deletion_steps(self) -> DeletionSteps:
        """Carries out the steps of deletions."""
        from darkroom.jobs.deletion_steps import DeletionSteps

        return DeletionSteps(
            self.adapters.deletion_store,
            self.adapters.store,
            self.removal,
            self.adapters.deletion_queue,
            self.settings.feed_shards,
            self.adapters.clock,
            self._monotonic,
        )

    @cached_property
    def submission(self) -> Submission:
        """Creates jobs."""
        from darkroom.jobs.submission import Submission

        return Submission(
            self.adapters.store,
            self.jobs,
            self.images,
            self.adapters.registry,
            self.resolver,
            self.endpoints,
            self.limiter,
            self.dispatcher,
            self.waker,
            self.resources,
            self.budgets,
            self.adapters.clock,
        )

    @cached_property
    def events(self) -> Events:
        """Handles the messages of the queue of results."""
        from darkroom.jobs.events import Events

        return Events(self.results, self._count)

    @cached_property
    def results(self) -> Results:
        """Takes in the results of runs."""
        from darkroom.jobs.results import Results

        adapters = self.adapters
        # Most results need no dispatcher, and a client of SageMaker is slow to make.
        return Results(
            adapters.store, adapters.outputs, self.endings, lambda job: self.dispatcher.dispatch(job), adapters.clock
        )

    @cached_property
    def progress(self) -> ProgressReports:
        """Handles the messages of the queue of progress."""
        from darkroom.jobs.progress import ProgressReports

        return ProgressReports(self.adapters.store)

    @cached_property
    def job_sweep(self) -> Sweep:
        """The sweeper's round over the jobs."""
        from darkroom.jobs.sweep import Sweep

        return Sweep(
            self.adapters.store,
            self.adapters.bookmarks,
            self.adapters.outputs,
            self.adapters.picture_uses,
            self.adapters.image_store,
            self.endings,
            self.results,
            self.dispatcher,
            self.endpoints,
            self.adapters.timeouts,
            self.settings.feed_shards,
            self._threads,
            self.adapters.clock,
        )

    @cached_property
    def endings(self) -> Endings:
        """Ends jobs."""
        from darkroom.jobs.ending import Endings

        adapters = self.adapters
        # A client of SageMaker is slow to make, and few ends need it.
        return Endings(
            adapters.store,
            adapters.outputs,
            (self._measure,),
            adapters.clock,
            lambda endpoint: adapters.endpoint_source.describe(endpoint),
        )

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """Hands jobs to SageMaker."""
        from darkroom.jobs.dispatcher import Dispatcher

        return Dispatcher(
            self.adapters.store,
            self.images,
            self.adapters.outputs,
            self.endings,
            self.adapters.inference,
            self.resources,
            self.adapters.clock,
            self._count,
        )

    @cached_property
    def limiter(self) -> OpenJobLimiter:
        """Limits how many jobs may be open."""
        from darkroom.jobs.limiter import OpenJobLimiter

        return OpenJobLimiter(
            self.adapters.store,
            self.settings.max_open_jobs_per_owner,
            self.settings.max_open_jobs,
            self._monotonic,
        )

    @cached_property
    def open_jobs(self) -> JobsByEndpoint:
        """The open jobs of each endpoint."""
        from darkroom.jobs.open import JobsByEndpoint

        return JobsByEndpoint(
            self.adapters.store, self.adapters.outputs, self.endings, self.limiter, self.settings.feed_shards
        )

    @cached_property
    def resources(self) -> StageResources:
        """Names and numbers of the stage that jobs need: buckets, the progress queue, prices."""
        from darkroom.jobs.dispatcher import StageResources

        return StageResources(
            self.settings.pictures_bucket,
            self.settings.models_bucket,
            self.settings.progress_queue_url,
            self.settings.retention_days,
            self.settings.feed_shards,
            self.settings.prices,
        )

    @cached_property
    def ledger(self) -> Ledger:
        """What jobs cost, by owner and day."""
        from darkroom.costs.ledger import Ledger

        adapters, settings = self.adapters, self.settings
        kept = settings.retention_days * 86_400
        forgotten = adapters.timeouts.forgotten
        store = adapters.store
        return Ledger(
            adapters.day_store, store.read, store.first, settings.feed_shards, forgotten, kept, adapters.clock
        )

    @cached_property
    def meter(self) -> Meter:
        """The round that meters awake seconds."""
        from darkroom.costs.metering import Instances, Meter

        adapters = self.adapters
        instances = Instances(adapters.endpoint_source)
        return Meter(adapters.meter_store, instances.now, self.settings.prices, adapters.clock)

    @cached_property
    def budgets(self) -> Budgets:
        """What owners and the stage may spend."""
        from darkroom.costs.budgets import Budgets

        adapters = self.adapters
        # Only a budget needs the rest, and few stages have one.
        return Budgets(
            adapters.budget_store,
            lambda: self.ledger,
            lambda: adapters.meter_store,
            lambda: self.settings.prices,
            adapters.clock,
            self._monotonic,
        )

    @cached_property
    def costs(self) -> Costs:
        """The costs of a month."""
        from darkroom.costs.service import Costs

        adapters = self.adapters
        return Costs(self.ledger, adapters.meter_store, adapters.budget_store, self.settings.prices, adapters.clock)

    @cached_property
    def rounds(self) -> dict[str, Round]:
        """The parts of the sweeper's work, by name."""
        return {
            "jobs": self.job_sweep.run_and_measure,
            "endpoints": lambda left: self.endpoint_sweep.run(left).counts(),
            "steps": lambda left: self.stalled_work.run(left),
            "costs": lambda left: self.ledger.run(left),
        }

    @cached_property
    def instance_round(self) -> InstanceRound:
        """The scaler's round over the instances of endpoints."""
        from darkroom.endpoints.instances import InstanceRound, SleepAfter

        settings = self.settings
        return InstanceRound(
            self.endpoints,
            self.adapters.endpoint_source,
            self.adapters.scaling,
            lambda: self.adapters.waking,
            self.waker,
            self.open_jobs,
            SleepAfter(settings.sleep_after_seconds_least, settings.sleep_after_seconds_most),
            self.adapters.clock,
        )

    @cached_property
    def minute_rounds(self) -> dict[str, Round]:
        """The parts of the scaler's work, by name. The round over the instances is the last: it may wait for the most
        of a minute, and takes all the time that those before it leave."""
        return {
            "metering": lambda left: self.meter.run(left),
            "wake_ups": lambda left: self.wake_ups.run(left),
            "instances": lambda left: self.instance_round.run(left),
        }

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The queues of messages that could not be handled."""
        from darkroom.checkpoints import imports
        from darkroom.dead_letters.model import Queue
        from darkroom.dead_letters.service import DeadLetters, about_round
        from darkroom.endpoints import events as endpoint_events
        from darkroom.jobs import deletion_steps
        from darkroom.jobs import events as job_events
        from darkroom.jobs import progress as job_progress

        queues = [Queue.parse(text) for text in self.settings.dead_letter_queues]
        about = {
            "events": job_events.about,
            "undelivered": job_events.about,
            "progress": job_progress.about,
            "imports": imports.about,
            "deletions": deletion_steps.about,
            "endpoints": endpoint_events.about,
            "sweeps": about_round,
        }
        return DeadLetters(queues, self.adapters.letters, about, self._monotonic)

    def _measure(self, ended: Ended) -> None:
        """Publish what is measured of the end of a job."""
        from darkroom.edge.metrics import publish
        from darkroom.jobs.figures import figures

        publish({"stage": self.settings.stage}, figures(ended))

    def _count(self, metric: str) -> None:
        """Count one under the name of a metric of this stage."""
        from darkroom.edge.metrics import publish

        publish({"stage": self.settings.stage}, {metric: 1})
