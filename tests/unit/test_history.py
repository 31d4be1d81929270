"""Pages of the history: which index is read, and how a page is filled, with an index in memory."""

import pytest
from hypothesis import given, settings

from darkroom import ids
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import PROBE, fill, plan
from darkroom.jobs.model import JobLine
from darkroom.jobs.state import Status
from tests.support.history import Story, check, id_at, stories
from tests.support.memory import MemoryHistory


@settings(max_examples=250, deadline=None)
@given(stories())
def test_all_pages_together_are_the_filtered_and_sorted_history(story: Story) -> None:
    check(story, MemoryHistory)


class ShortReads(MemoryHistory):
    """A store whose reads stop early, as DynamoDB's do at 1 MB."""

    def cut(self, limit: int) -> int:
        return 1 + (self.reads * 7) % limit


@settings(max_examples=200, deadline=None)
@given(stories())
def test_reads_that_stop_early_lose_nothing(story: Story) -> None:
    check(story, ShortReads)


def history_of(count: int, shards: int = 1, **more: object) -> MemoryHistory:
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
        page = fill(history_of(count).read, filters, plan(filters, 1), 10)
        assert (len(page.lines), page.examined, page.reads) == (10, 10, 1)


def test_the_index_with_fewer_items_is_used_even_if_it_is_planned_later() -> None:
    """Nearly every job has the checkpoint `common`, so the index of failures has fewer items to read."""
    filters = Filters(checkpoint="common", status=["fail"])
    ways = plan(filters, 1)
    assert [way.streams[0].index for way in ways] == ["by_checkpoint", "by_status"]
    page = fill(history_of(5_000).read, filters, ways, 10)
    assert len(page.lines) == 10
    assert page.examined <= 3 * PROBE
    alone = fill(history_of(5_000).read, filters, ways[:1], 10)
    assert alone.lines == page.lines
    assert alone.examined > page.examined


def test_words_in_the_prompt_are_found_with_a_bounded_number_of_items() -> None:
    filters = Filters(q="storm")
    page = fill(history_of(5_000).read, filters, plan(filters, 1), 10)
    assert len(page.lines) == 10
    assert page.examined <= 2 * PROBE + 50


def test_a_page_that_uses_up_its_budget_is_short_and_says_where_the_next_one_starts() -> None:
    filters = Filters(q="never")
    page = fill(history_of(5_000).read, filters, plan(filters, 1), 10, budget=200)
    assert (page.lines, page.examined) == ([], 200)
    assert page.next == id_at(4_800, 4_800)


def test_a_budget_below_the_number_of_shards_still_makes_progress() -> None:
    filters = Filters(q="never", high=ids.HIGHEST)
    page = fill(history_of(500, shards=8).read, filters, plan(filters, 8), 10, budget=1)
    assert page.next is not None
    assert page.next < id_at(500, 0)


def test_succeeded_jobs_are_not_looked_for_in_the_index_that_lacks_them() -> None:
    filtered: list[list[Status]] = [["succeed"], ["succeed", "fail"]]
    for statuses in filtered:
        [way] = plan(Filters(status=statuses), 1)
        assert [stream.index for stream in way.streams] == ["feed"]
        assert not way.exact
