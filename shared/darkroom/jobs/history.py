"""The history: which index a query is answered from, and how a page is filled.

Every index of the jobs table sorts by id, and ids sort by time of creation. So in every index a time range is a range
of ids, a page continues below an id, and several partitions can be merged into one list.

    Filters ──plan()──▶ candidate plans, each a set of streams ──fill()──▶ a page

A stream is one partition of one index. `fill` reads streams in slices through a `Read` function and knows nothing of
DynamoDB: the adapter and the tests' double in memory both give such a function.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from darkroom import ids
from darkroom.jobs.filters import FILTERS, Filters
from darkroom.jobs.model import JobLine

BUDGET = 1_000
"""Items examined at most for one page. A page that reaches this may be short, and `next` says where to continue."""
PROBE = 24
"""Items each plan examines before the plans are compared."""
LEAST = 8
"""Items read at least at once from each of several streams: DynamoDB bills at least 4 KB for each Query."""
LARGEST_SLICE = 250


@dataclass(frozen=True)
class Stream:
    """One partition of one index: the index's name and the value of its partition attribute."""

    index: str
    key: str


@dataclass(frozen=True)
class QueryPlan:
    """Streams that together hold every job that is to be listed; `exact` when they hold no other."""

    streams: tuple[Stream, ...]
    exact: bool


@dataclass(frozen=True)
class Slice:
    """The result of one read of a stream: the matching lines, newest first; how many items were examined; and the id
    of the last one, None when the stream has no more items in the range."""

    lines: list[JobLine]
    examined: int
    last_read: str | None


Read = Callable[[Stream, Filters, str, int], Slice]
"""Reads a stream from an id (included) downwards, at most so many items, and returns the lines that match."""


@dataclass(frozen=True)
class Page:
    """Lines, newest first; the id below which the next page starts, None only at the end; how many items were examined
    and how many reads were made."""

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
    """A page of up to `limit` lines. Of several plans, each first examines a few items. The one that reaches furthest
    back in time with them continues alone: it has the fewest other items in between."""
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
    """How much was read so far for one page."""

    budget: int
    examined: int = 0
    reads: int = 0

    @property
    def left(self) -> int:
        return max(0, self.budget - self.examined)


@dataclass
class _Cursor:
    """How far a stream was read: down to the id `lowest_read`, which is "" when it was read to its end."""

    stream: Stream
    lowest_read: str


@dataclass
class _Merge:
    """The streams of a plan, merged. A line is certain as soon as every stream was read down to it."""

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
        """The id down to which all streams were read; "" when all were read to their ends."""
        return max(cursor.lowest_read for cursor in self.cursors)

    def full(self, limit: int) -> bool:
        """Whether there are `limit` certain lines."""
        return sum(line.id >= self.frontier for line in self.found) >= limit

    def advance(self, limit: int, allowance: int, must_move: bool = False) -> None:
        """Read until a page is full, all streams end, or `allowance` items were examined; always from the stream that
        was read the least far.

        With `must_move` every stream is read at least once, whatever the allowance: otherwise a page could end where it
        began, and its reader would ask for the same page for ever.
        """
        stop = self.tally.examined + min(allowance, self.tally.left)
        while self.frontier and not self.full(limit):
            room = stop - self.tally.examined
            if room <= 0 and not (must_move and self.frontier == self.start):
                break
            lagging = max(self.cursors, key=lambda cursor: cursor.lowest_read)
            unread = sum(cursor.lowest_read == self.start for cursor in self.cursors)
            # While some streams are unread, the remaining items are shared among them.
            size = max(1, min(self._slice(limit), ceil(room / max(1, unread))))
            part = self.read(lagging.stream, self.filters, ids.before(lagging.lowest_read), size)
            self.tally.examined += part.examined
            self.tally.reads += 1
            self.seen += part.examined
            self.found += part.lines
            lagging.lowest_read = part.last_read or ""
        self.found.sort(key=lambda line: line.id, reverse=True)

    def page(self, limit: int) -> tuple[list[JobLine], str | None]:
        """The certain lines, and the id below which the next page starts."""
        frontier = self.frontier
        certain = [line for line in self.found if line.id >= frontier]
        if len(certain) > limit or (len(certain) == limit and frontier):
            return certain[:limit], certain[limit - 1].id
        return certain, frontier or None

    def _slice(self, limit: int) -> int:
        """How many items to read next: the number of missing lines if all items match, else more, by the share of items
        that matched so far."""
        missing = limit - sum(line.id >= self.frontier for line in self.found)
        if not self.plan.exact:
            share = len(self.found) / self.seen if self.seen else 1.0
            missing = max(PROBE, min(LARGEST_SLICE, ceil(missing / max(share, 0.01))))
        # Streams that have ended do not share: a filter whose value may be spelled in several ways has many empty ones.
        streams = sum(cursor.lowest_read != "" for cursor in self.cursors)
        return max(LEAST, ceil(missing / streams)) if streams > 1 else missing
