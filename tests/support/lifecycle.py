"""Everything that can happen to jobs, in any order, as a hypothesis state machine: over twins in memory and over moto.

SageMaker is played here: it takes invocations, runs them late or never, and its notices lie in `mail` until they are
delivered, twice, out of order, or lost.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from darkroom import ids
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.waking import Waker
from darkroom.errors import Busy, Conflict, Missing, TooMany
from darkroom.images.service import Images
from darkroom.jobs.api import HistoryQuery, JobIn, JobOut
from darkroom.jobs.dispatcher import Dispatcher, StageResources
from darkroom.jobs.ending import Ended, Endings
from darkroom.jobs.events import Events
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.model import answer_key, output_prefix
from darkroom.jobs.open import JobsByEndpoint
from darkroom.jobs.ports import EndpointRefused
from darkroom.jobs.progress import ProgressReports
from darkroom.jobs.removal import Removal
from darkroom.jobs.results import Results
from darkroom.jobs.runs import MAX_RUNS, Run
from darkroom.jobs.service import Jobs
from darkroom.jobs.state import OPEN, WITHOUT_RESULT
from darkroom.jobs.submission import Submission
from darkroom.jobs.sweep import Sweep
from darkroom.jobs.sweep_rules import HAND_OVERS
from tests.support.aws import TIMEOUTS
from tests.support.events import completed, expired, failed, manifest, progress, stopped
from tests.support.memory import NoBudgets, NoUses
from tests.support.sagemaker import FakeSageMaker, FakeScaling, endpoint

START = 1_780_000_000.0
SHARDS = 2
OWN, ALL = 4, 7
"""Open jobs that one owner may have, and the stage."""
RESOURCES = StageResources("pictures", "models", "https://queue", retention_days=90, feed_shards=SHARDS)
BODY = JobIn.model_validate({"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}})
Pick = st.integers(0, 1_000)
STOPS = ("stopped", "stopped", "expired")


@dataclass
class World:
    """What the services stand on. `objects` lists all keys in the pictures bucket, `put` writes one."""

    clock: "Clock"
    store: Any
    bookmarks: Any
    outputs: Any
    images: Images
    resolver: ModelResolver
    objects: Callable[[], list[str]]
    put: Callable[[str, bytes], None]
    registry: Any
    close: Callable[[], None] = lambda: None


class Clock:
    """Epoch seconds, moved on by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@dataclass
class Taken:
    """A run that SageMaker took."""

    run: Run
    at: float
    started: bool = False


@dataclass
class SageMaker(FakeSageMaker):
    """Takes invocations and keeps them. `trouble` is what happens to the next: `busy`, `refused`, or `unmarked`, which
    takes it and then answers nothing; with `silent` it does so with all. `copies` counts how often it took each job."""

    clock: Clock
    queue: list[Taken] = field(default_factory=list)
    trouble: str | None = None
    silent: bool = False
    copies: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()

    def invoke(self, name: str, run: Run, body: bytes) -> tuple[str, str | None]:
        job_id = run.job_id
        trouble, self.trouble = "unmarked" if self.silent else self.trouble, None
        if trouble == "refused":
            raise EndpointRefused(trouble)
        if trouble != "busy":
            self.copies[job_id] += 1
            self.queue.append(Taken(run, self.clock()))
        if trouble:
            raise Busy("aws_busy", trouble)
        return f"s3://pictures/{place(run, self.clock())}", f"s3://pictures/{failure_key(job_id)}"


def place(run: Run, at: float) -> str:
    """Where the answer of a run goes that is taken at this time: in odd seconds not to where it is asked."""
    asked = answer_key(run.job_id, run.number)
    return f"{output_prefix(run.job_id)}{run.number}.out" if at % 2 else asked


def failure_key(job_id: str) -> str:
    """Where this SageMaker puts the failure file of a job."""
    return f"failures/{job_id}-error.out"


LEGAL: dict[str, set[str]] = {
    "created": {"created", "in_progress", "succeed", "fail", "cancelled"},
    "in_progress": {"in_progress", "succeed", "fail", "cancelled"},
    "succeed": {"succeed"},
    "fail": {"fail"},
    "cancelled": {"cancelled"},
}
"""What a job may have become since it was last looked at: written out, so that a change of the states is seen."""


def reachable(before: JobOut, after: JobOut) -> bool:
    """Whether legal transitions lead from one to the other."""
    without_result = before.error is not None and before.error.code in WITHOUT_RESULT
    return after.status in LEGAL[before.status] or (without_result and after.status == "succeed")


WRONG = {"code": "out_of_memory", "message": "The second run had no memory."}


class Lifecycle(RuleBasedStateMachine):
    """The machine; `world` makes what it runs on."""

    world: Callable[[], World]

    def __init__(self) -> None:
        super().__init__()
        self.on = on = type(self).world()
        self.clock = on.clock
        self.sagemaker = SageMaker(self.clock)
        self.ended: list[Ended] = []
        self.endings = endings = Endings(on.store, on.outputs, (self.ended.append,), self.clock)
        dispatcher = Dispatcher(on.store, on.images, on.outputs, endings, self.sagemaker, RESOURCES, self.clock)
        self.dispatcher = dispatcher
        results = Results(on.store, on.outputs, endings, dispatcher.dispatch, self.clock)
        limiter = OpenJobLimiter(on.store, OWN, ALL, self.clock)
        self.open_jobs = open_jobs = JobsByEndpoint(on.store, on.outputs, endings, limiter, SHARDS)
        endpoints = Endpoints(self.sagemaker, FakeScaling(), open_jobs, "darkroom-test-", self.clock)
        removal = Removal(on.store, on.outputs, NoUses(), TIMEOUTS, clock=self.clock)
        self.jobs = Jobs(on.store, on.images, on.outputs, endpoints, on.resolver, endings, removal, SHARDS)
        self.submission = Submission(
            on.store,
            self.jobs,
            on.images,
            on.registry,
            on.resolver,
            endpoints,
            limiter,
            dispatcher,
            Waker(endpoints, lambda: self.sagemaker),
            RESOURCES,
            NoBudgets(),
            self.clock,
            lambda: ids.new_id_at(datetime.fromtimestamp(self.clock(), UTC)),
        )
        self.events, self.progress = Events(results), ProgressReports(on.store)
        no_pictures: Any = None
        self.sweeper = Sweep(
            on.store,
            on.bookmarks,
            on.outputs,
            NoUses(),
            no_pictures,
            endings,
            results,
            dispatcher,
            endpoints,
            TIMEOUTS,
            SHARDS,
            1,
            self.clock,
        )
        self.mail: list[str] = []
        self.seen: dict[str, JobOut] = {}
        self.deleted: set[str] = set()
        self.keys: dict[str, str] = {}

    # What people do.

    @rule(owner=st.sampled_from(["alice", "bob"]), trouble=st.sampled_from([None, None, "busy", "unmarked"]))
    def submit(self, owner: str, trouble: str | None) -> None:
        self.sagemaker.trouble = trouble
        try:
            made = self.submission.submit(owner, BODY)
        except TooMany:
            return
        assert made.created
        self._know(made.job)

    @rule(key=st.sampled_from(["k1", "k2"]))
    def submit_with_a_key(self, key: str) -> None:
        try:
            made = self.submission.submit("alice", BODY, key)
        except Conflict as refused:
            self._deleted_job(refused, key)
            return
        except TooMany:
            return
        if not made.created:
            assert made.job.id == self.keys[key]
        else:
            self.keys[key] = made.job.id
            self._know(made.job)

    @precondition(lambda self: self.seen)
    @rule(pick=Pick, stops=st.booleans())
    def cancel(self, pick: int, stops: bool) -> None:
        """With `stops`, it breaks off between the marker and the row."""
        job_id = self._any(pick)
        if stops:
            if self.seen[job_id].status in OPEN and job_id not in self.deleted:
                self.on.outputs.mark_cancelled(job_id, None)
            return
        try:
            assert self.jobs.cancel(job_id).status == "cancelled"
        except Missing:
            assert job_id in self.deleted
        except Conflict:
            assert self.jobs.get(job_id).status in ("succeed", "fail")

    @precondition(lambda self: self.seen)
    @rule(pick=Pick)
    def delete(self, pick: int) -> None:
        job_id = self._any(pick)
        try:
            self.jobs.delete(job_id)
        except Missing:
            assert job_id in self.deleted
        self.deleted.add(job_id)

    @precondition(lambda self: self.seen)
    @rule(pick=Pick)
    def replay(self, pick: int) -> None:
        job_id = self._any(pick)
        try:
            made = self.submission.replay("bob", job_id).job
        except Missing:
            assert job_id in self.deleted
        except TooMany:
            pass
        else:
            assert (made.replay_of, made.parameters) == (job_id, self.seen[job_id].parameters)
            self._know(made)

    # What SageMaker and its worker do.

    @precondition(lambda self: self.sagemaker.queue)
    @rule(pick=Pick)
    def start(self, pick: int) -> None:
        taken = self.sagemaker.queue[pick % len(self.sagemaker.queue)]
        if self.clock() - taken.at > TIMEOUTS.queue:
            return
        job_id = taken.run.job_id
        if not self.on.outputs.is_marked(job_id):
            taken.started = True
            self.on.put(f"{output_prefix(job_id)}0.png", b"half")
            self.mail.append(json.dumps(progress(job_id, 0.5)))

    @precondition(lambda self: self.sagemaker.queue)
    @rule(pick=Pick, ends=st.sampled_from(["paint", "paint", "paint", "look", "error", "fail", "garbage", *STOPS]))
    def run(self, pick: int, ends: str) -> None:
        """`look` is a worker that looks for the marker, the others do not; `stopped` one that is shut down."""
        taken = self.sagemaker.queue.pop(pick % len(self.sagemaker.queue))
        if self.clock() - taken.at > TIMEOUTS.queue + TIMEOUTS.run:
            return  # SageMaker gives up without a word.
        job_id, number = taken.run.job_id, taken.run.number
        if ends == "expired":
            self.mail.append(json.dumps(expired(job_id, number)))
            return
        if ends == "fail":
            self.on.put(failure_key(job_id), b"out of memory")
            self.mail.append(json.dumps(failed(job_id, run=number)))
            return
        answer: Any = manifest(job_id)
        if ends == "look" and self.on.outputs.is_marked(job_id):
            answer = {"error": {"code": "cancelled", "message": "cancelled"}}
        elif ends == "error":
            answer = {"error": {"code": "image_unreadable", "message": "broken"}}
        elif ends == "stopped":
            answer = {"error": {"code": "worker_stopped", "message": "shut down"}}
        elif ends == "garbage":
            answer = "garbage"
        else:
            self.on.put(f"{output_prefix(job_id)}0.png", b"picture of " + job_id.encode())
        text = answer if isinstance(answer, str) else json.dumps(answer)
        at = place(taken.run, taken.at)
        self.on.put(at, text.encode())
        message = completed(job_id, answer, number)
        message["responseParameters"]["outputLocation"] = f"s3://pictures/{at}"
        self.mail.append(json.dumps(message))

    # What the queue does.

    @precondition(lambda self: self.mail)
    @rule(pick=Pick, again=st.booleans())
    def deliver(self, pick: int, again: bool) -> None:
        """Any message, in any order; with `again` it will come once more."""
        position = pick % len(self.mail)
        body = self.mail[position] if again else self.mail.pop(position)
        (self.progress if "darkroom.progress" in body else self.events).receive(body)

    @precondition(lambda self: self.seen)
    @rule(pick=Pick, ends=st.sampled_from(["fail", "error", "paint", "stopped"]))
    def contradict(self, pick: int, ends: str) -> None:
        """A copy of the first run of a job ends otherwise than the first did."""
        job_id = self._any(pick)
        if ends == "fail":
            self.mail.append(json.dumps(failed(job_id)))
            return
        if ends == "stopped":
            self.mail.append(json.dumps(stopped(job_id)))
            return
        if ends == "paint":
            self.on.put(f"{output_prefix(job_id)}0.png", b"picture of " + job_id.encode())
        self.mail.append(json.dumps(completed(job_id, manifest(job_id) if ends == "paint" else {"error": WRONG})))

    @precondition(lambda self: self.mail)
    @rule(pick=Pick)
    def lose(self, pick: int) -> None:
        self.mail.pop(pick % len(self.mail))

    # What time does.

    @rule(seconds=st.sampled_from([3, 400, 400, 7_000, TIMEOUTS.deadline]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(reads=st.sampled_from([1, 5, 1_000]))
    def sweep(self, reads: int) -> None:
        """A round that has time for so many pages."""
        pages = iter(range(reads))
        done = self.sweeper.run(lambda: 0.0 if next(pages, None) is None else 1.0)
        assert done["broken"] == []

    @rule(rounds=st.integers(1, 10))
    def no_mark_comes(self, rounds: int) -> None:
        """SageMaker takes jobs for some rounds, and each time the answer gets lost."""
        self.sagemaker.silent = True
        for _ in range(rounds):
            self.clock.now += 400
            self.sweep(1_000)
        self.sagemaker.silent = False

    @rule(gone=st.booleans())
    def endpoint_changes(self, gone: bool) -> None:
        """A second endpoint comes and goes; jobs may wait on it."""
        first = endpoint("darkroom-test-a")
        self.sagemaker.endpoints = [first] if gone else [first, endpoint("darkroom-test-b")]

    # What must hold.

    @invariant()
    def what_must_hold(self) -> None:
        """In this order: the first looks at every job anew."""
        self.only_legal_transitions_and_one_end()
        self.every_job_and_every_picture_is_listed_once()
        self.open_jobs_are_counted_right_and_never_too_many()
        self.no_job_is_handed_over_often()
        self.every_end_was_told_once()

    def only_legal_transitions_and_one_end(self) -> None:
        for job_id, before in self.seen.items():
            try:
                after = self.jobs.get(job_id)
            except Missing:
                assert job_id in self.deleted
                continue
            assert job_id not in self.deleted
            assert reachable(before, after), f"{before.status} -> {after.status}"
            if before.completed_at and after.completed_at != before.completed_at:
                assert before.error is not None
                assert before.error.code in WITHOUT_RESULT
                assert after.status == "succeed"
            assert (after.completed_at is not None) == (after.status not in OPEN)
            assert (after.error is not None) == (after.status == "fail")
            assert (after.cancelled is not None) == (after.status == "cancelled")
            self.seen[job_id] = after

    def every_end_was_told_once(self) -> None:
        """A job that timed out may succeed later; nothing else has two ends."""
        for job_id, count in Counter(ended.job_id for ended in self.ended).items():
            assert count == 1 or [e.status for e in self.ended if e.job_id == job_id] == ["fail", "succeed"]

    def every_job_and_every_picture_is_listed_once(self) -> None:
        there = sorted(self.seen.keys() - self.deleted, reverse=True)
        listed = self.jobs.page(HistoryQuery(limit=100))
        assert [line.id for line in listed.jobs] == there
        objects = set(self.on.objects())
        for line in listed.jobs:
            job = self.seen[line.id]
            assert (line.status, line.image_count) == (job.status, len(job.images))
            assert job.status == "succeed" or not job.images
            assert [image.key for image in job.images if image.key not in objects] == []

    def open_jobs_are_counted_right_and_never_too_many(self) -> None:
        open_now = [job for job_id, job in self.seen.items() if job_id not in self.deleted and job.status in OPEN]
        counts = self.on.store.open_jobs()
        assert counts.total == len(open_now) == sum(counts.by_owner.values()) == sum(counts.by_endpoint.values())
        assert counts.total <= ALL
        assert all(count <= OWN for count in counts.by_owner.values())

    def no_job_is_handed_over_often(self) -> None:
        """Each run once when it begins, and a few times again."""
        assert all(copies <= MAX_RUNS * (1 + HAND_OVERS) for copies in self.sagemaker.copies.values())

    def teardown(self) -> None:
        """Whatever was lost: after some rounds every job has its end, and every object its job."""
        try:
            self.mail.clear()
            self.sagemaker.queue.clear()
            for _ in range(4):
                self.clock.now += TIMEOUTS.forgotten
                self.sweep(1_000)
                self.sagemaker.queue.clear()
                self.only_legal_transitions_and_one_end()
            self.every_job_and_every_picture_is_listed_once()
            there = {job_id: job for job_id, job in self.seen.items() if job_id not in self.deleted}
            assert [job.label for job in there.values() if job.status in OPEN] == []
            assert self.on.store.open_jobs().total == 0
            owners = [(key, next((job_id for job_id in there if job_id in key), None)) for key in self.on.objects()]
            assert [key for key, job_id in owners if job_id is None] == []
            # A failure file whose place was lost with the mark is left to expire.
            cancelled = {job_id for job_id, job in there.items() if job.status == "cancelled"}
            assert [key for key, job_id in owners if job_id in cancelled and key.startswith("jobs/")] == []
        finally:
            self.on.close()

    def _deleted_job(self, refused: Conflict, key: str) -> None:
        assert refused.code == "idempotency_key_job_deleted"
        assert self.keys[key] in self.deleted

    def _know(self, job: JobOut) -> None:
        self.seen[job.id] = job
        # Ids of one millisecond have no order.
        self.clock.now += 1

    def _any(self, pick: int) -> str:
        return list(self.seen)[pick % len(self.seen)]
