"""The history: which index a question is answered from, and how a page is filled.

Every index of the jobs table sorts by id, and ids sort by time of creation. So order, time range and the
place where a page goes on are all just an id, in every index alike, and several index partitions are read
as one by merging them.

    Filters ──plan()──▶ candidate plans, each a set of streams ──fill()──▶ a page

A stream is one partition of one index. `fill` reads streams in slices through `Read` and knows nothing of
DynamoDB; the adapter and the twin in the tests are both just a `Read`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from unicodedata import normalize

from darkroom import ids
from darkroom.jobs.model import JobLine
from darkroom.jobs.state import SUCCEED, Status

BUDGET = 1_000
"""Items examined for one page. A page that spends it is short, and `next` says where to go on."""
PROBE = 24
"""Items each plan examines before the plans are compared."""
LEAST = 8
"""Items read at once from each of several streams: DynamoDB bills 4 KB for a Query however little it brings."""
LARGEST_SLICE = 250


@dataclass(frozen=True)
class Filters:
    """What a job must be to be listed; empty means anything.

    `low` and `high` are the ids between which it must lie, both included. `words` are folded and must
    all occur in the prompt; `lora` is a file name, with or without its extension.
    """

    types: frozenset[str] = frozenset()
    statuses: frozenset[Status] = frozenset()
    endpoint: str | None = None
    checkpoint: str | None = None
    owner: str | None = None
    lora: str | None = None
    words: tuple[str, ...] = ()
    low: str = ids.LOWEST
    high: str = ids.HIGHEST

    def match(self, line: JobLine) -> bool:
        """Whether a line is what was asked for."""
        return (
            self.low <= line.id <= self.high
            and (not self.types or line.type in self.types)
            and (not self.statuses or line.status in self.statuses)
            and self.endpoint in (None, line.endpoint)
            and self.checkpoint in (None, line.checkpoint)
            and self.owner in (None, line.owner)
            and (self.lora is None or any(self.lora in (name, name.rpartition(".")[0]) for name in line.lora))
            and self._says(line.prompt)
        )

    def _says(self, prompt: str | None) -> bool:
        if not self.words:
            return True
        text = folded(prompt or "")
        return all(word in text for word in self.words)


def folded(text: str) -> str:
    """A text as words are compared: in any case, and however its accents are encoded (Unicode, UAX 15)."""
    return normalize("NFC", text).casefold()


@dataclass(frozen=True)
class Stream:
    """One partition of one index: the index's name and the value of its partition attribute."""

    index: str
    key: str


@dataclass(frozen=True)
class QueryPlan:
    """Streams that together hold every job asked for; `exact` when they hold nothing else."""

    streams: tuple[Stream, ...]
    exact: bool


@dataclass(frozen=True)
class Slice:
    """What one read of a stream brought: the matching lines, newest first; how many items were examined; and the
    id it got to, None when the stream holds nothing more in the range."""

    lines: list[JobLine]
    examined: int
    last_read: str | None


Read = Callable[[Stream, Filters, str, int], Slice]
"""Reads a stream from an id downwards (included), at most so many items; lines that do not match are left out."""


@dataclass(frozen=True)
class Page:
    """Lines, newest first, and the id to go on below, None only at the end; `examined` items and `reads` it took."""

    lines: list[JobLine]
    next: str | None
    examined: int
    reads: int


def plan(filters: Filters, shards: int) -> list[QueryPlan]:
    """Every way to answer, the one that is usually most selective first. Never empty."""
    numbers = range(shards)
    ways: list[tuple[tuple[Stream, ...], Filters]] = []
    if filters.checkpoint is not None:
        ways.append(((Stream("by_checkpoint", filters.checkpoint),), Filters(checkpoint=filters.checkpoint)))
    if filters.endpoint is not None:
        ways.append(((Stream("by_endpoint", filters.endpoint),), Filters(endpoint=filters.endpoint)))
    if filters.statuses and SUCCEED not in filters.statuses:
        # Only jobs that did not succeed stand in this index.
        keys = tuple(Stream("by_status", f"{s}#{n}") for s in sorted(filters.statuses) for n in numbers)
        ways.append((keys, Filters(statuses=filters.statuses)))
    if filters.owner is not None:
        ways.append(((Stream("by_owner", filters.owner),), Filters(owner=filters.owner)))
    if filters.types:
        keys = tuple(Stream("by_type", f"{t}#{n}") for t in sorted(filters.types) for n in numbers)
        ways.append((keys, Filters(types=filters.types)))
    if not ways:
        ways.append((tuple(Stream("feed", str(n)) for n in numbers), Filters()))
    asked = Filters(**{**vars(filters), "low": ids.LOWEST, "high": ids.HIGHEST})
    return [QueryPlan(streams, covered == asked) for streams, covered in ways]


def fill(read: Read, filters: Filters, plans: list[QueryPlan], limit: int, budget: int = BUDGET) -> Page:
    """Up to `limit` lines. Of several plans, each examines a few items, and the one that got furthest back in time
    for them goes on alone: it is the one with the fewest items in its way."""
    tally = _Tally(budget)
    best: _Merge | None = None
    for way in plans:
        merge = _Merge(read, filters, way, tally)
        merge.advance(limit, budget if len(plans) == 1 else max(PROBE, LEAST * len(way.streams)))
        if best is None or merge.frontier < best.frontier:
            best = merge
        if best.full(limit) or best.frontier == "" or not tally.left:
            break
    assert best is not None  # noqa: S101 - `plans` is never empty
    best.advance(limit, tally.left, must_move=True)
    lines, following = best.page(limit)
    return Page(lines, following, tally.examined, tally.reads)


@dataclass
class _Tally:
    """What was read so far for one page."""

    budget: int
    examined: int = 0
    reads: int = 0

    @property
    def left(self) -> int:
        return max(0, self.budget - self.examined)


@dataclass
class _Cursor:
    """How far a stream was read: everything at or above `lowest_read` is known; "" when it is known to its end."""

    stream: Stream
    lowest_read: str


@dataclass
class _Merge:
    """The streams of a plan read as one. A line counts once every stream was read down to it."""

    read: Read
    filters: Filters
    plan: QueryPlan
    tally: _Tally
    found: list[JobLine] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        self.start = ids.after(self.filters.high)
        self.cursors = [_Cursor(stream, self.start) for stream in self.plan.streams]

    @property
    def frontier(self) -> str:
        """Down to which id all streams are known; "" when all are known to their ends."""
        return max(cursor.lowest_read for cursor in self.cursors)

    def full(self, limit: int) -> bool:
        """Whether a page of `limit` lines is there."""
        return sum(line.id >= self.frontier for line in self.found) >= limit

    def advance(self, limit: int, allowance: int, must_move: bool = False) -> None:
        """Read on, always the stream that lags most, until a page is there, the end, or `allowance` items.

        With `must_move` the allowance does not count before every stream was read once: a page that went
        nowhere would send its reader round in a circle.
        """
        stop = self.tally.examined + min(allowance, self.tally.left)
        while self.frontier and not self.full(limit):
            room = stop - self.tally.examined
            if room <= 0 and not (must_move and self.frontier == self.start):
                break
            lagging = max(self.cursors, key=lambda cursor: cursor.lowest_read)
            unread = sum(cursor.lowest_read == self.start for cursor in self.cursors)
            # While some streams were not looked at, what room there is belongs to all of them.
            size = max(1, min(self._slice(limit), ceil(room / max(1, unread))))
            part = self.read(lagging.stream, self.filters, ids.before(lagging.lowest_read), size)
            self.tally.examined += part.examined
            self.tally.reads += 1
            self.seen += part.examined
            self.found += part.lines
            lagging.lowest_read = part.last_read or ""
        self.found.sort(key=lambda line: line.id, reverse=True)

    def page(self, limit: int) -> tuple[list[JobLine], str | None]:
        """The lines that are certain, and the id to go on below."""
        frontier = self.frontier
        certain = [line for line in self.found if line.id >= frontier]
        if len(certain) > limit or (len(certain) == limit and frontier):
            return certain[:limit], certain[limit - 1].id
        return certain, frontier or None

    def _slice(self, limit: int) -> int:
        """How many items to read next: what is missing when all of them match, else more, by the share that did."""
        missing = limit - sum(line.id >= self.frontier for line in self.found)
        if not self.plan.exact:
            share = len(self.found) / self.seen if self.seen else 1.0
            missing = max(PROBE, min(LARGEST_SLICE, ceil(missing / max(share, 0.01))))
        streams = len(self.plan.streams)
        return max(LEAST, ceil(missing / streams)) if streams > 1 else missing
