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

from darkroom import ids
from darkroom.jobs.filters import FILTERS, Filters
from darkroom.jobs.model import JobLine

BUDGET = 1_000
"""Items examined for one page. A page that spends it is short, and `next` says where to go on."""
PROBE = 24
"""Items each plan examines before the plans are compared."""
LEAST = 8
"""Items read at once from each of several streams: DynamoDB bills 4 KB for a Query however little it brings."""
LARGEST_SLICE = 250


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
    given = {*filters.compared_by_dynamodb, *filters.compared_here}
    plans = []
    for name, rule in sorted(FILTERS.items(), key=lambda item: item[1].rank):
        values = filters.compared_by_dynamodb.get(name, [])
        if rule.index and values and rule.not_in_index.isdisjoint(values):
            keys = [f"{value}#{shard}" for value in values for shard in range(shards)] if rule.sharded else values
            plans.append(QueryPlan(tuple(Stream(rule.index, key) for key in keys), exact=given == {name}))
    if not plans:
        feed = tuple(Stream("feed", str(shard)) for shard in range(shards))
        plans.append(QueryPlan(feed, exact=not given))
    return plans


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
