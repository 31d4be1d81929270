"""Twins in memory of the jobs table, its indexes (which count what is read) and the pictures bucket.

`tests/integration/test_twins.py` and the machine of `tests/support/lifecycle.py` hold twin and adapter to one way.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Set
from dataclasses import replace

from darkroom.aws.job_items import shard_of
from darkroom.checkpoints.model import ModelKey
from darkroom.idempotency import Idempotency
from darkroom.images.ports import Due, Use
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Slice, Stream
from darkroom.jobs.model import (
    Edit,
    Job,
    JobLine,
    OpenJobCounts,
    Pool,
    Transition,
    again,
    answer_key,
    answer_keys,
    cancel_key,
    job_prefix,
    output_prefix,
    seeds_of,
)
from darkroom.jobs.ports import ANSWER_LIMIT, AnswerTooLarge, BudgetState, KeyUsed, PlannedJob, WriteResult
from darkroom.jobs.state import OPEN, CancelPoint, Status, may, short_of


def streams_of(line: JobLine, shards: int) -> Iterator[Stream]:
    """Every index partition a line stands in."""
    shard = shard_of(line.id, shards)
    yield Stream("feed", str(shard))
    yield Stream("by_owner", line.owner)
    if line.endpoint:
        yield Stream("by_endpoint", line.endpoint)
    yield Stream("by_type", f"{line.type}#{shard}")
    if line.checkpoint:
        yield Stream("by_checkpoint", line.checkpoint)
    if line.status != "succeed":
        yield Stream("by_status", f"{line.status}#{shard}")


def _id(line: JobLine) -> str:
    return line.id


class MemoryHistory:
    """Lines in their index partitions. `examined` and `reads` count over its life."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards
        self.examined = 0
        self.reads = 0
        self._partitions: dict[Stream, list[JobLine]] = {}

    def cut(self, limit: int) -> int:
        """How many items a read gets to; DynamoDB stops early at 1 MB."""
        return limit

    def put(self, line: JobLine) -> None:
        """Add a line wherever its id belongs."""
        for stream in streams_of(line, self.shards):
            partition = self._partitions.setdefault(stream, [])
            if partition and partition[-1].id > line.id:
                insort(partition, line, key=_id)
            else:
                partition.append(line)

    def delete(self, line: JobLine) -> None:
        """Take a line out of every partition."""
        for stream in streams_of(line, self.shards):
            self._partitions[stream].remove(line)

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """As DynamoDB's Query reads: at most `limit` items, and where it stopped when that was the reason."""
        partition = self._partitions.get(stream, [])
        high = bisect_right(partition, start, key=_id)
        limit = min(limit, self.cut(limit))
        low = max(bisect_left(partition, filters.low, key=_id), high - limit)
        taken = partition[low:high][::-1] if low < high else []
        self.examined += len(taken)
        self.reads += 1
        return Slice(
            [line for line in taken if filters.match(line)],
            len(taken),
            taken[-1].id if len(taken) == limit else None,
        )


class MemoryJobs:
    """`darkroom.jobs.ports.JobStore`. Every model file is active; `basis` keeps what the last change of
    each job rested on."""

    def __init__(self, clock: Callable[[], float], shards: int = 1) -> None:
        self.jobs: dict[str, Job] = {}
        self.basis: dict[str, str] = {}
        self._clock = clock
        self._shards = shards
        self._keys: dict[tuple[str, str], tuple[str, str, int]] = {}
        self._listed_as: dict[str, Status] = {}

    def create(self, job: Job, models: tuple[ModelKey, ...], idempotency: Idempotency | None) -> None:
        if idempotency:
            name = (idempotency.owner, idempotency.key)
            if name in self._keys and self._keys[name][2] > idempotency.now:
                raise KeyUsed(*self._keys[name][:2])
            self._keys[name] = (job.line.id, idempotency.digest, idempotency.expires_at)
        self.jobs[job.line.id] = job
        self._listed_as[job.line.id] = job.listed_at_first

    def idempotency(self, owner: str, key: str) -> KeyUsed | None:
        job_id, digest, expires_at = self._keys.get((owner, key), ("", "", 0))
        return KeyUsed(job_id, digest) if expires_at > self._clock() else None

    def get(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        history = MemoryHistory(self._shards)
        for job in self.jobs.values():
            history.put(self._listed(job))
        return history.read(stream, filters, start, limit)

    def _listed(self, job: Job) -> JobLine:
        return replace(job.line, status=self._listed_as[job.line.id])

    def list_as_created(self, job_id: str) -> WriteResult:
        job = self.jobs.get(job_id)
        if job is None or job.line.status != "created":
            return self._refused(job)
        self._listed_as[job_id] = "created"
        return WriteResult(applied=True, exists=True)

    def edit(self, job_id: str, edit: Edit, scope: str | None) -> Job | None:
        job = self.jobs.get(job_id)
        if job is None or scope not in (None, job.line.owner):
            return None
        line = replace(job.line, **{name: getattr(edit, name) for name in edit.changed})
        self.jobs[job_id] = replace(job, line=line)
        return self.jobs[job_id]

    def open_jobs(self) -> OpenJobCounts:
        lines = [job.line for job in self.jobs.values() if job.line.status in OPEN]
        owners = Counter(line.owner for line in lines)
        endpoints = Counter(line.endpoint for line in lines if line.endpoint)
        return OpenJobCounts(len(lines), dict(owners), dict(endpoints))

    def open_before(self, job_id: str, endpoint: str) -> int:
        lines = [job.line for job in self.jobs.values() if job.line.status in OPEN and job.line.endpoint == endpoint]
        return len([line for line in lines if line.id < job_id])

    def oldest(self, status: Status, shard: int, after: str, until: str, limit: int) -> list[JobLine]:
        lines = [self._listed(job) for job_id, job in sorted(self.jobs.items()) if after < job_id <= until]
        here = [line for line in lines if shard_of(line.id, self._shards) == shard and line.status == status]
        return here[:limit]

    def apply(self, job_id: str, transition: Transition) -> WriteResult:
        job = self.jobs.get(job_id)
        code = job.error.code if job and job.error else None
        if job is None or not may(transition.status, job.line.status, code, transition.run):
            return self._refused(job)
        if transition.run not in (None, job.run) or (transition.status == "in_progress" and job.output_location):
            return self._refused(job)
        if transition.only_for is not None and job.line.type not in transition.only_for:
            return self._refused(job)
        if transition.needs_type and job.pool:
            return self._refused(job)
        line = replace(
            job.line, status=transition.status, completed_at=transition.completed_at or job.line.completed_at
        )
        if transition.images:
            line = replace(line, image_count=len(transition.images), first_image=transition.first_image)
            line = replace(line, seeds=seeds_of(transition.images) or line.seeds)
        if transition.timings and transition.timings.busy is not None:
            line = replace(line, run_seconds=transition.timings.busy)
        if ran := transition.ran:
            price = line.price if ran.price is None else ran.price
            line = replace(line, price=price, price_estimated=ran.estimated)
            job = replace(job, instance_type=ran.instance_type or job.instance_type)
        line = replace(line, notice_count=line.notice_count + len(transition.notices))
        self.jobs[job_id] = replace(
            job,
            line=line,
            error=None if transition.status == "succeed" else transition.error or job.error,
            **{
                name: getattr(transition, name) or getattr(job, name)
                for name in (
                    "output_location",
                    "failure_location",
                    "images",
                    "caption",
                    "timings",
                    "submitted_at",
                    "cancelled_when",
                )
            },
            notices=job.notices + transition.notices,
            components=transition.components or job.components,
        )
        self._listed_as[job_id] = transition.status
        self.basis[job_id] = transition.basis
        return WriteResult(applied=True, exists=True)

    def progress(self, job_id: str, progress: float, started_at: str) -> WriteResult:
        job = self.jobs.get(job_id)
        if job is None or job.line.settled or (job.progress is not None and job.progress >= progress):
            return self._refused(job)
        if job.run > 1 and started_at < (job.handed_over_at or ""):
            return self._refused(job)
        self.jobs[job_id] = replace(job, progress=progress, started_at=started_at)
        return WriteResult(applied=True, exists=True)

    def loading(self, job_id: str, share: float, started_at: str) -> WriteResult:
        job = self.jobs.get(job_id)
        if job is None or job.line.settled or job.progress is not None:
            return self._refused(job)
        if job.loading is not None and job.loading >= share:
            return self._refused(job)
        if job.run > 1 and started_at < (job.handed_over_at or ""):
            return self._refused(job)
        self.jobs[job_id] = replace(job, loading=share, started_at=started_at)
        return WriteResult(applied=True, exists=True)

    def claim_hand_over(self, job_id: str, before: int, now: str, run: int = 1) -> bool:
        job = self.jobs.get(job_id)
        if job is None or not job.awaits_hand_over or job.run != run or job.started_at:
            return False
        if job.hand_overs != before and job.handed_over_at != now:
            return False
        self.jobs[job_id] = replace(job, hand_overs=before + 1, handed_over_at=now)
        return True

    def begin_again(self, job: Job, now: str, notice: str) -> Job | None:
        found = self.jobs.get(job.line.id)
        if found is None or found.line.settled or found.run != job.run:
            own = found and found.awaits_hand_over and (found.run, found.handed_over_at) == (job.run + 1, now)
            return found if own else None
        self.jobs[job.line.id] = again(found, now, notice)
        self._listed_as[job.line.id] = "in_progress"
        return self.jobs[job.line.id]

    def note_cancel_point(self, job_id: str, point: CancelPoint) -> WriteResult:
        job = self.jobs.get(job_id)
        if job is None or job.line.status != "cancelled" or job.cancelled_when not in short_of(point):
            return self._refused(job)
        self.jobs[job_id] = replace(job, cancelled_when=point)
        return WriteResult(applied=True, exists=True)

    def note_failure(self, job_id: str, failure_location: str, output_location: str | None = None) -> WriteResult:
        job = self.jobs.get(job_id)
        if job is None:
            return self._refused(job)
        output_location = output_location or job.output_location
        self.jobs[job_id] = replace(job, failure_location=failure_location, output_location=output_location)
        return WriteResult(applied=True, exists=True)

    def delete(self, job_id: str) -> Status | None:
        job = self.jobs.pop(job_id, None)
        return job.line.status if job else None

    def first(self, shard: int) -> Job | None:
        here = [job_id for job_id in self.jobs if shard_of(job_id, self._shards) == shard]
        return self.jobs[min(here)] if here else None

    def existing(self, job_ids: list[str]) -> set[str]:
        return self.jobs.keys() & set(job_ids)

    @staticmethod
    def _refused(job: Job | None) -> WriteResult:
        if job is None:
            return WriteResult(False, False)
        places = job.failure_location, job.line.type, job.output_location
        pool = Pool(job.line.endpoint or "", job.pool) if job.pool else None
        return WriteResult(False, True, job.line.status, *places, job.run, pool)


class NoUses:
    """`darkroom.images.ports.PictureUses` of jobs without pictures."""

    def look_later(self, owner: str, image_ids: Collection[str], at: str) -> None:
        assert not image_ids

    def keep(self, owner: str, image_ids: Collection[str], until: str) -> set[str]:
        return set()

    def due(self, now: str, limit: int) -> list[Due]:
        return []

    def uses(self, due: Due) -> Iterator[list[Use]]:
        raise NotImplementedError

    def drop(self, due: Due, job_ids: list[str]) -> None:
        raise NotImplementedError

    def claim(self, due: Due, now: str) -> bool:
        raise NotImplementedError

    def postpone(self, due: Due, until: str) -> bool:
        raise NotImplementedError

    def forget(self, due: Due) -> None:
        raise NotImplementedError


class MemoryBookmarks:
    """`darkroom.jobs.ports.Bookmarks`."""

    def __init__(self) -> None:
        self._bookmarks: dict[str, dict[str, str]] = {}

    def load(self, name: str) -> dict[str, str]:
        return dict(self._bookmarks.get(name, {}))

    def save(self, name: str, bookmarks: dict[str, str]) -> None:
        self._bookmarks[name] = dict(bookmarks)


class MemoryOutputs:
    """`darkroom.jobs.ports.Outputs`: keys and what lies there."""

    def __init__(self, bucket: str = "pictures") -> None:
        self.objects: dict[str, bytes] = {}
        self._uri = f"s3://{bucket}/"
        self._remembered: dict[str, tuple[str | None, str | None]] = {}

    def _answer_key(self, job_id: str, at: str | None) -> str:
        key = (at or answer_key(job_id)).removeprefix(self._uri)
        return key if key.startswith("jobs/") else ""

    def read_answer(self, job_id: str, limit: int = ANSWER_LIMIT, at: str | None = None) -> bytes | None:
        content = self.objects.get(self._answer_key(job_id, at))
        if content is not None and len(content) > limit:
            raise AnswerTooLarge
        return content

    def write_picture(self, job_id: str, name: str, content: bytes, content_type: str) -> str:
        key = output_prefix(job_id) + name
        self.objects[key] = content
        return key

    def sizes(self, job_id: str, keys: Set[str]) -> dict[str, int]:
        return {key: len(self.objects[key]) for key in keys & self.objects.keys()}

    def read_failure(self, failure_location: str) -> bytes | None:
        return self.objects.get(failure_location.removeprefix(self._uri))

    def mark_cancelled(self, job_id: str, failure_location: str | None, at: str | None = None) -> None:
        self.objects[cancel_key(job_id)] = b""
        self._remembered[job_id] = (failure_location, at)

    def has_answer(self, job_id: str, at: str | None = None) -> bool:
        return self._answer_key(job_id, at) in self.objects

    def is_marked(self, job_id: str) -> bool:
        return cancel_key(job_id) in self.objects

    def unmark(self, job_id: str) -> None:
        self.objects.pop(cancel_key(job_id), None)

    def delete(
        self, job_id: str, failure_location: str | None = None, at: str | None = None, keep_marker: bool = False
    ) -> None:
        remembered = self._remembered.get(job_id, (None, None)) if self.is_marked(job_id) else (None, None)
        location, at = failure_location or remembered[0], at or remembered[1]
        for key in [key for key in self.objects if key.startswith(job_prefix(job_id))]:
            if not (keep_marker and key == cancel_key(job_id)):
                del self.objects[key]
        if location:
            self.objects.pop(location.removeprefix(self._uri), None)
        if at:
            self.objects.pop(self._answer_key(job_id, at), None)

    def delete_pictures(self, job_id: str, at: str | None = None) -> None:
        answers = {*answer_keys(job_id), self._answer_key(job_id, at)}
        for key in [key for key in self.objects if key.startswith(output_prefix(job_id))]:
            if key not in answers:
                del self.objects[key]

    def folders(self, after: str, until: str) -> list[str]:
        found = {key.split("/")[1] for key in self.objects if key.startswith("jobs/")}
        return sorted(job_id for job_id in found if after < job_id <= until)[:1000]

    def failures(self, after: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith("failures/") and key > after)[:1000]

    def delete_failures(self, keys: list[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def url(self, key: str) -> str:
        return f"https://signed/{key}"


class NoBudgets:
    """`darkroom.jobs.ports.Spending` of a stage without budgets."""

    def admit(self, planned: PlannedJob) -> BudgetState | None:
        return None

    def add(self, planned: PlannedJob) -> None:
        pass
