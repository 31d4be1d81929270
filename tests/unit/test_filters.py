"""The table of filters, and that everything that names a filter has all of them."""

from dataclasses import fields

from darkroom.aws.expressions import STORED_AS
from darkroom.jobs.filters import FILTERS, Filters
from darkroom.jobs.model import JobLine
from darkroom.tables import JOBS, LINE_ATTRIBUTES
from tests.support.history import FILTER_VALUES

LINE = JobLine(
    "0198d4a6-2b00-7000-8000-000000000001",
    "alice",
    "txt2img",
    "fail",
    prompt="Storm",
    lora=("ink.pt",),
    rating=4,
    tags=("Sea", "Night"),
    seeds=(0, 7),
)
INDEXES = {index.name: index for index in JOBS.indexes}


def test_every_field_is_a_filter_or_what_a_query_makes_of_it() -> None:
    assert [field.name for field in fields(Filters)] == [*FILTERS, "meant", "low", "high"]


def test_the_suite_of_the_history_asks_for_every_filter() -> None:
    assert set(FILTER_VALUES) == set(FILTERS)


def test_what_dynamodb_compares_is_in_every_line_of_every_index() -> None:
    compared = {STORED_AS.get(name, name) for name, rule in FILTERS.items() if rule.test is None}
    assert compared <= set(LINE_ATTRIBUTES)


def test_a_filter_names_an_index_whose_partitions_are_its_values() -> None:
    for name, rule in FILTERS.items():
        if rule.index:
            assert INDEXES[rule.index].partition == (f"{name}_shard" if rule.sharded else name)


def test_no_two_indexes_have_the_same_rank() -> None:
    ranks = [rule.rank for rule in FILTERS.values() if rule.index]
    assert len(ranks) == len(set(ranks))


def test_what_is_not_given_or_empty_allows_anything() -> None:
    assert Filters().match(LINE)
    assert Filters(type=[], status=[], q="", rating=[], tag=[]).match(LINE)


def test_every_filter_refuses_what_it_does_not_allow() -> None:
    assert Filters(type=["txt2img"], status=["fail", "created"], owner="alice", lora="ink", q="storm").match(LINE)
    assert Filters(rating=[3, 4], tag=["SEA", "night"], seed=0).match(LINE)
    for other in (
        Filters(type=["img2img"]),
        Filters(status=["created"]),
        Filters(owner="bob"),
        Filters(endpoint="a"),
        Filters(checkpoint="x"),
        Filters(lora="film"),
        Filters(q="storm cat"),
        Filters(rating=[3, 5]),
        Filters(tag=["sea", "day"]),
        Filters(seed=8),
    ):
        assert not other.match(LINE), other
