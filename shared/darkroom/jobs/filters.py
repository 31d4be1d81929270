"""The filters of the history, one row each. The query of `GET /jobs`, the choice of an index, DynamoDB's own filter and
the comparison with a line all come from this table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated, Any, get_type_hints

from pydantic import Field

from darkroom import ids, words
from darkroom.jobs.answer import MAX_SEED
from darkroom.jobs.model import JobLine
from darkroom.jobs.state import SUCCEED, Status
from darkroom.jobs.types import JobType
from darkroom.webui import spelling

Text = Annotated[str | None, Field(min_length=1, max_length=255)]
Rating = Annotated[int, Field(ge=1, le=5)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]


@dataclass(frozen=True)
class Rule:
    """How a filter is applied.

    Without `test`, a line matches when its attribute of the filter's name has one of the given values, and DynamoDB
    compares them. With `test`, it is given the line and the values and says whether they match; lines are then compared
    here. `index` names the index whose partitions are the values, with `#` and the shard behind them if it is
    `sharded`; of the values in `not_in_index` it holds no jobs. Of several indexes, those with a lower `rank` usually
    hold fewer jobs for a value.
    """

    test: Callable[[JobLine, tuple[Any, ...]], bool] | None = None
    index: str | None = None
    rank: int = 0
    sharded: bool = False
    not_in_index: frozenset[str] = frozenset()


@lru_cache(maxsize=16)
def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for text in texts for word in words.folded(text).split()))


def _has_words(line: JobLine, texts: tuple[str, ...]) -> bool:
    prompt = words.folded(line.prompt or "")
    return all(word in prompt for word in _words(texts))


@lru_cache(maxsize=16)
def _names(spelled: tuple[str, ...]) -> frozenset[str]:
    return frozenset(spelling.folded(name) for name in spelled)


def _has_lora(line: JobLine, spelled: tuple[str, ...]) -> bool:
    names = _names(spelled)
    return any(not names.isdisjoint(map(spelling.folded, (file, spelling.stem(file)))) for file in line.lora)


def _has_rating(line: JobLine, ratings: tuple[int, ...]) -> bool:
    return line.rating in ratings


@lru_cache(maxsize=16)
def _folded(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(words.folded(text.strip()) for text in texts)


def _has_tags(line: JobLine, tags: tuple[str, ...]) -> bool:
    return _folded(tags) <= _folded(line.tags)


def _has_seed(line: JobLine, seeds: tuple[int, ...]) -> bool:
    return not set(seeds).isdisjoint(line.seeds)


@dataclass(frozen=True)
class Filters:
    """What a job must be to be listed; a filter that is not given allows anything.

    `meant` has the names that the value of a filter means, for those that may be spelled in several ways
    (`query.named`). `low` and `high` are the ids between which it must lie, both included; the API has `from`, `to` and
    `before` for them.
    """

    type: Annotated[
        list[JobType] | None,
        Field(description="one of these types"),
        Rule(index="by_type", rank=5, sharded=True),
    ] = None
    status: Annotated[
        list[Status] | None,
        Field(description="one of these statuses"),
        Rule(index="by_status", rank=3, sharded=True, not_in_index=frozenset({SUCCEED})),
    ] = None
    endpoint: Annotated[
        Text,
        Field(description="its name, with or without the stage's prefix"),
        Rule(index="by_endpoint", rank=2),
    ] = None
    checkpoint: Annotated[
        Text,
        Field(description="a file name in any spelling of the WebUI: with or without extension, folder and hash"),
        Rule(index="by_checkpoint", rank=1),
    ] = None
    owner: Annotated[Text, Rule(index="by_owner", rank=4)] = None
    lora: Annotated[Text, Field(description="a file name in any spelling, or an alias"), Rule(test=_has_lora)] = None
    q: Annotated[
        str | None,
        Field(min_length=1, max_length=500, description="words that all occur in the prompt, in any case and width"),
        Rule(test=_has_words),
    ] = None
    rating: Annotated[
        list[Rating] | None,
        Field(description="one of these ratings, 1 to 5"),
        Rule(test=_has_rating),
    ] = None
    tag: Annotated[
        list[Tag] | None,
        Field(description="all of these tags, in any case and width"),
        Rule(test=_has_tags),
    ] = None
    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="the seed of one of its first 32 pictures"),
        Rule(test=_has_seed),
    ] = None
    meant: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    low: str = ids.LOWEST
    high: str = ids.HIGHEST

    @cached_property
    def compared_by_dynamodb(self) -> dict[str, list[str]]:
        """The attributes that must have one of some values, with these values in order."""
        given = {name: self._values(name) for name, rule in FILTERS.items() if rule.test is None}
        return {name: sorted(values) for name, values in given.items() if values}

    @cached_property
    def compared_here(self) -> dict[str, tuple[Any, ...]]:
        """The values of the other filters, by name."""
        given = {name: self._values(name) for name, rule in FILTERS.items() if rule.test}
        return {name: values for name, values in given.items() if values}

    def _values(self, name: str) -> tuple[Any, ...]:
        value = getattr(self, name)
        if value is None or value in ("", []):
            return ()
        return self.meant.get(name) or (tuple(value) if isinstance(value, list | tuple) else (value,))

    def match(self, line: JobLine) -> bool:
        """Whether a line is to be listed."""
        return (
            self.low <= line.id <= self.high
            and all(getattr(line, name) in values for name, values in self.compared_by_dynamodb.items())
            and all(_TESTS[name](line, values) for name, values in self.compared_here.items())
        )


_HINTS = get_type_hints(Filters, include_extras=True)
FILTERS: dict[str, Rule] = {
    name: part for name, hint in _HINTS.items() for part in getattr(hint, "__metadata__", ()) if isinstance(part, Rule)
}
"""The rule of each filter, by its name in the API."""
PARAMETERS: dict[str, Any] = {name: _HINTS[name] for name in FILTERS}
"""What each filter takes in a query: its type, with its limits and its description."""
_TESTS = {name: rule.test for name, rule in FILTERS.items() if rule.test}
