"""The planner and the fill loop, apart from DynamoDB."""

import pytest
from hypothesis import given, settings

from darkroom import ids
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import PROBE, fill, plan
from darkroom.jobs.model import JobLine
from darkroom.jobs.state import Status
from tests.support.history import Story, check, id_at, stories
from tests.support.memory import MemoryHistory


@settings(max_examples=600, deadline=None)
@given(stories())
def test_pages_laid_end_to_end_are_the_filtered_sorted_history(story: Story) -> None:
    check(story, MemoryHistory)


class CutOff(MemoryHistory):
    """A store whose reads stop early, as DynamoDB's do at 1 MB."""

    def cut(self, limit: int) -> int:
        return 1 + (self.reads * 7) % limit


@settings(max_examples=200, deadline=None)
@given(stories())
def test_reads_that_stop_early_lose_nothing_either(story: Story) -> None:
    check(story, CutOff)


def full(count: int, shards: int = 1, **more: object) -> MemoryHistory:
    """A history in which every tenth job failed and every hundredth is of the checkpoint `rare`."""
    history = MemoryHistory(shards)
    for number in range(count):
        history.put(
            JobLine(
                id_at(number, number),
                owner="alice",
                type="txt2img",
                status="fail" if number % 10 == 0 else "succeed",
                endpoint="a",
                checkpoint="rare" if number % 100 == 0 else "common",
                prompt="a storm" if number % 5 == 0 else "a calm",
            )
        )
    return history


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(owner="alice"),
        Filters(type=["txt2img"]),
        Filters(endpoint="a"),
        Filters(checkpoint="rare"),
        Filters(status=["fail"]),
        Filters(low=id_at(500, 0), high=id_at(900, 0)),
    ],
)
def test_one_filter_examines_one_item_for_each_it_returns_however_many_there_are(filters: Filters) -> None:
    for count in (1_000, 20_000):
        page = fill(full(count).read, filters, plan(filters, 1), 10)
        assert (len(page.lines), page.examined, page.reads) == (10, 10, 1)


def test_the_sparser_of_two_indexes_is_found_out_whatever_the_usual_order() -> None:
    """Nearly every job is of `common`, so the index of failures is the better one, though it is planned later."""
    filters = Filters(checkpoint="common", status=["fail"])
    ways = plan(filters, 1)
    assert [way.streams[0].index for way in ways] == ["by_checkpoint", "by_status"]
    page = fill(full(5_000).read, filters, ways, 10)
    assert len(page.lines) == 10
    assert page.examined <= 3 * PROBE
    alone = fill(full(5_000).read, filters, ways[:1], 10)
    assert alone.lines == page.lines
    assert alone.examined > page.examined


def test_words_in_the_prompt_are_found_with_a_bounded_number_of_items() -> None:
    filters = Filters(q="storm")
    page = fill(full(5_000).read, filters, plan(filters, 1), 10)
    assert len(page.lines) == 10
    assert page.examined <= 2 * PROBE + 50


def test_a_page_that_spends_its_budget_is_short_and_says_where_to_go_on() -> None:
    filters = Filters(q="never")
    page = fill(full(5_000).read, filters, plan(filters, 1), 10, budget=200)
    assert (page.lines, page.examined) == ([], 200)
    assert page.next == id_at(4_800, 4_800)


def test_a_budget_smaller_than_the_number_of_shards_still_moves_on() -> None:
    filters = Filters(q="never", high=ids.HIGHEST)
    page = fill(full(500, shards=8).read, filters, plan(filters, 8), 10, budget=1)
    assert page.next is not None
    assert page.next < id_at(500, 0)


def test_succeed_is_not_asked_of_the_index_that_does_not_hold_it() -> None:
    asked: list[list[Status]] = [["succeed"], ["succeed", "fail"]]
    for statuses in asked:
        [way] = plan(Filters(status=statuses), 1)
        assert [stream.index for stream in way.streams] == ["feed"]
        assert not way.exact
