"""The suite that every store of the history passes: the twin, moto's DynamoDB and MiniStack's."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, get_args

from hypothesis import strategies as st

from darkroom import ids
from darkroom.aws.job_items import to_item
from darkroom.aws.jobs import DynamoJobs
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Slice, Stream, fill, plan
from darkroom.jobs.model import Job, JobLine
from darkroom.jobs.state import STATUSES
from darkroom.jobs.types import JobType

TYPES: tuple[Any, ...] = get_args(JobType)
START = 1_700_000_000_000
WORDS = ("lighthouse", "Storm", "cat", "ÉTÉ")
TAGS = ("Sea", "été", "night")
LORAS = ("film.safetensors", "ink.safetensors")


class Store(Protocol):
    """What a store of the history can do in this suite."""

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice: ...
    def put(self, line: JobLine) -> None: ...
    def delete(self, line: JobLine) -> None: ...


class DynamoHistory:
    """The real adapter on some DynamoDB, with a table of its own."""

    def __init__(self, client: Any, table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._jobs = DynamoJobs(client, table, "unused", "unused", shards)

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        return self._jobs.read(stream, filters, start, limit)

    def put(self, line: JobLine) -> None:
        self._client.put_item(TableName=self._table, Item=to_item(Job(line, {}), self._shards))

    def delete(self, line: JobLine) -> None:
        self._client.delete_item(TableName=self._table, Key={"id": {"S": line.id}})

    def clear(self) -> None:
        for item in self._client.scan(TableName=self._table, ProjectionExpression="id")["Items"]:
            self._client.delete_item(TableName=self._table, Key={"id": item["id"]})


@dataclass(frozen=True)
class Story:
    """Jobs there are, a question, how it is paged, and what happens to the table between pages."""

    lines: list[JobLine]
    filters: Filters
    limit: int
    shards: int
    budget: int
    changes: list[tuple[str, int]]


def id_at(milliseconds: int, tail: int) -> str:
    """A UUIDv7 made that many milliseconds after the start of the suite's time."""
    value = (START + milliseconds) << 80 | 7 << 76 | 2 << 62 | tail
    return str(uuid.UUID(int=value))


@st.composite
def jobs(draw: Any, number: int) -> JobLine:
    return JobLine(
        # Several in a millisecond, gaps of many.
        id=id_at(draw(st.integers(0, 20)) * 7, number),
        owner=draw(st.sampled_from(["alice", "bob"])),
        type=draw(st.sampled_from(TYPES[:3])),
        status=draw(st.sampled_from(STATUSES)),
        endpoint=draw(st.sampled_from(["a", "b"])),
        checkpoint=draw(st.sampled_from([None, "x.safetensors", "y.safetensors"])),
        prompt=" ".join(draw(st.lists(st.sampled_from(WORDS), max_size=3))) or None,
        lora=tuple(draw(st.lists(st.sampled_from(LORAS), max_size=2, unique=True))),
        seeds=tuple(draw(st.lists(st.integers(0, 3), max_size=2, unique=True))),
        rating=draw(st.none() | st.integers(1, 5)),
        tags=tuple(draw(st.lists(st.sampled_from(TAGS), max_size=3, unique=True))),
    )


maybe = st.none
FILTER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "type": maybe() | st.lists(st.sampled_from(TYPES[:3]), max_size=2, unique=True),
    "status": maybe() | st.lists(st.sampled_from(STATUSES), max_size=3, unique=True),
    "endpoint": maybe() | st.sampled_from(["a", "b", "nowhere"]),
    "checkpoint": maybe() | st.sampled_from(["x.safetensors", "nothing"]),
    "owner": maybe() | st.sampled_from(["alice", "bob"]),
    "lora": maybe() | st.sampled_from(["film", "ink.safetensors"]),
    "rating": maybe() | st.lists(st.integers(1, 5), max_size=2, unique=True),
    "tag": maybe() | st.lists(st.sampled_from(["sea", "SEA", "Été"]), max_size=2, unique=True),
    "seed": maybe() | st.integers(0, 4),
    "q": maybe() | st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join),
}
"""What may be asked for, of every filter of the table."""
filters = st.builds(
    Filters,
    **FILTER_VALUES,
    low=st.just(ids.LOWEST) | st.integers(0, 20).map(lambda n: id_at(n * 7, 0)),
    high=st.just(ids.HIGHEST) | st.integers(0, 20).map(lambda n: id_at(n * 7, 2**60)),
)


@st.composite
def stories(draw: Any, most: int = 40) -> Story:
    count = draw(st.integers(0, most))
    return Story(
        lines=[draw(jobs(number)) for number in range(count)],
        filters=draw(filters),
        limit=draw(st.integers(1, 12)),
        shards=draw(st.sampled_from([1, 1, 2, 5])),
        budget=draw(st.sampled_from([1, 3, 10, 50, 1000])),
        changes=draw(st.lists(st.tuples(st.sampled_from(["insert", "delete"]), st.integers(0, 1000)), max_size=8)),
    )


def check(story: Story, make: Callable[[int], Store]) -> None:
    """Lay the pages end to end while the table changes: nothing lost, repeated or out of order."""
    store = make(story.shards)
    for line in story.lines:
        store.put(line)
    kept = {line.id: line for line in story.lines}
    deleted: set[str] = set()
    changes = iter(story.changes)
    listed: list[JobLine] = []
    asked, pages = story.filters, 0
    following: str | None = ""
    while following is not None:
        if following:
            asked = replace(story.filters, high=min(story.filters.high, ids.before(following)))
        page = fill(store.read, asked, plan(asked, story.shards), story.limit, story.budget)
        assert len(page.lines) <= story.limit
        assert page.next is None or not following or page.next < following, "a page that goes nowhere"
        listed += page.lines
        following = page.next
        pages += 1
        change, number = next(changes, (None, 0))
        if change == "insert":
            # New jobs have newer ids, so they stand above every page already read.
            store.put(JobLine(id_at(10_000 + number, 1000 + pages), "alice", TYPES[0], "created", "a"))
        elif change == "delete" and kept:
            gone = kept.pop(sorted(kept)[number % len(kept)])
            deleted.add(gone.id)
            store.delete(gone)
    found = [line.id for line in listed]
    assert found == sorted(set(found), reverse=True), "repeated or out of order"
    assert all(story.filters.match(line) for line in listed)
    expected = {line.id for line in kept.values() if story.filters.match(line)}
    assert expected <= set(found), "lost"
    assert set(found) - expected <= deleted, "out of nowhere"
