"""One suite for the jobs table and its twin in memory, and for the pictures bucket and its own."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from darkroom import ids
from darkroom.aws.jobs import DynamoJobs
from darkroom.idempotency import Idempotency
from darkroom.jobs.contract import Components, PaintedImage, Timings, UsedFile, WorkError
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Stream
from darkroom.jobs.model import Edit, Job, JobLine, OpenJobCounts, Pool, Ran, Transition
from darkroom.jobs.ports import AnswerTooLarge, KeyUsed, WriteResult
from darkroom.jobs.state import ENDS, STATUSES, Status, may
from tests.support.aws import SETTINGS
from tests.support.memory import MemoryBookmarks, MemoryJobs, MemoryOutputs
from tests.support.stage import moto_stage

NOW = 1_780_000_000.0
SHARDS = 2


@pytest.fixture(params=["memory", "moto"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryJobs(lambda: NOW, SHARDS)
        return
    with moto_stage() as stage:
        client = stage.clients("dynamodb")
        yield DynamoJobs(
            client, SETTINGS.jobs_table, SETTINGS.models_table, SETTINGS.pictures_table, SHARDS, lambda: NOW
        )


@pytest.fixture(params=["memory", "moto"])
def outputs(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Callable[[str], None]]]:
    """The outputs, and a way to put an object there."""
    if request.param == "memory":
        made = MemoryOutputs()
        yield made, lambda key: made.objects.__setitem__(key, b"x")
        return
    with moto_stage() as stage:
        yield stage.adapters.outputs, lambda key: stage.s3.put_object(Bucket="pictures", Key=key, Body=b"x")


def job_id(number: int = 0) -> str:
    return ids.new_id_at(datetime.fromtimestamp(NOW + number, UTC))


def job(number: int = 0, **line: Any) -> Job:
    made = JobLine(job_id(number), "alice", "txt2img", "created", "darkroom-test-a")
    return Job(replace(made, **line), {"prompt": "a pier"})


def bring_to(store: Any, made: Job, status: Status, code: str | None) -> None:
    """Put a job there, by legal ways only."""
    store.create(made, (), None)
    if status != "created":
        error = WorkError(code=code or "worker_failed", message="m") if status == "fail" else None
        transition = Transition(status, "callback", error=error, completed_at="t" if status in ENDS else None)
        assert store.apply(made.line.id, transition).applied


STANDS: list[tuple[Status, str | None]] = [(status, None) for status in STATUSES] + [("fail", "timed_out")]


@pytest.mark.parametrize(("stands", "target"), list(itertools.product(STANDS, STATUSES)))
def test_a_change_is_carried_out_where_the_table_of_states_allows_it(
    store: Any, stands: tuple[Status, str | None], target: Status
) -> None:
    made = job()
    bring_to(store, made, *stands)
    before = store.get(made.line.id)
    transition = Transition(target, "s3", caption="c", completed_at="later" if target in ENDS else None)
    if target == "created":
        return
    met = store.apply(made.line.id, transition)
    assert met.applied is may(target, *stands)
    after = store.get(made.line.id)
    if met.applied:
        assert (after.line.status, after.caption) == (target, "c")
    else:
        assert (after, met) == (before, WriteResult(False, True, stands[0], None, "txt2img"))


def test_an_end_for_other_types_only_is_not_written_and_tells_the_type(store: Any) -> None:
    made = job()
    bring_to(store, made, "in_progress", None)
    met = store.apply(made.line.id, Transition("succeed", "callback", only_for=("extras", "interrogate_clip")))
    assert met == WriteResult(False, True, "in_progress", None, "txt2img")
    assert store.apply(made.line.id, Transition("succeed", "callback", only_for=("extras", "txt2img"))).applied


def test_an_end_that_needs_the_type_is_refused_for_a_job_of_several_and_tells_their_prices(store: Any) -> None:
    one, several = job(), replace(job(), pool={"ml.g5.xlarge": 1.5, "ml.g4dn.xlarge": None})
    several = replace(several, line=replace(several.line, endpoint="darkroom-test-a", price_estimated=True))
    for made in (one, several):
        bring_to(store, made, "in_progress", None)
    end = Transition("succeed", "callback", timings=Timings(run=2.0), needs_type=True)
    assert store.apply(one.line.id, end).applied
    met = store.apply(several.line.id, end)
    assert (met.applied, met.status) == (False, "in_progress")
    assert met.pool == Pool("darkroom-test-a", {"ml.g5.xlarge": 1.5, "ml.g4dn.xlarge": None})
    assert store.apply(several.line.id, replace(end, needs_type=False, ran=Ran("ml.g5.xlarge", 1.5))).applied
    after = store.get(several.line.id)
    assert (after.instance_type, after.line.price, after.line.cost_estimated) == ("ml.g5.xlarge", 1.5, False)


def test_notices_of_the_answer_come_behind_those_of_the_request(store: Any) -> None:
    made = replace(job(), notices=("Rounded down.",))
    bring_to(store, made, "in_progress", None)
    components = Components(engine="preview", files=[UsedFile(kind="lora", name="a.safetensors", etag="e")])
    end = Transition("succeed", "callback", notices=("Left out.",), components=components)
    assert store.apply(made.line.id, end).applied
    assert store.get(made.line.id).notices == ("Rounded down.", "Left out.")
    assert store.get(made.line.id).components == components
    other = job(1)
    bring_to(store, other, "in_progress", None)
    store.apply(other.line.id, end)
    assert store.get(other.line.id).notices == ("Left out.",)


def test_the_line_of_a_job_shows_the_thumbnail_of_its_first_picture(store: Any) -> None:
    folder = f"jobs/{job_id()}/output/"
    pictures = [PaintedImage(key=f"{folder}0.png", width=8, height=8, thumbnail=f"{folder}thumbnails/0.webp")]
    film = PaintedImage(key=f"{folder}0.mp4", width=8, height=8)
    for number, (images, shown) in enumerate(
        [(pictures, pictures[0].thumbnail), ([film, *pictures], pictures[0].thumbnail), ([film], None)]
    ):
        made = job(number)
        bring_to(store, made, "in_progress", None)
        store.apply(made.line.id, Transition("succeed", "callback", images=tuple(images)))
        assert store.get(made.line.id).line.first_image == shown
        assert store.get(made.line.id).line.image_count == len(images)


def test_nothing_is_changed_that_is_not_there(store: Any) -> None:
    gone = job_id()
    assert store.apply(gone, Transition("succeed", "s3")) == WriteResult(False, False)
    assert store.progress(gone, 0.5, "t") == WriteResult(False, False)
    assert store.note_cancel_point(gone, "after") == WriteResult(False, False)
    assert store.note_failure(gone, "s3://x") == WriteResult(False, False)
    assert (store.delete(gone), store.get(gone)) == (None, None)


def test_progress_only_rises_and_only_while_the_job_is_open(store: Any) -> None:
    made = job()
    bring_to(store, made, "in_progress", None)
    assert [store.progress(made.line.id, share, "t").applied for share in (0.5, 0.4, 0.5, 0.6)] == [
        True,
        False,
        False,
        True,
    ]
    store.apply(made.line.id, Transition("cancelled", "caller", completed_at="t"))
    assert store.progress(made.line.id, 0.9, "t") == WriteResult(False, True, "cancelled", None, "txt2img")


def test_the_share_of_files_only_rises_and_counts_until_there_is_progress(store: Any) -> None:
    made = job()
    bring_to(store, made, "in_progress", None)
    assert [store.loading(made.line.id, share, "t").applied for share in (0.0, 0.5, 0.4, 0.5, 0.6)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    found = store.get(made.line.id)
    assert (found.loading, found.progress, found.started_at) == (0.6, None, "t")
    assert store.progress(made.line.id, 0.0, "t").applied
    # A message that comes late changes nothing any more.
    assert not store.loading(made.line.id, 0.9, "t").applied
    assert store.get(made.line.id).loading == 0.6
    again = store.begin_again(store.get(made.line.id), "u", "The worker was stopped.")
    assert (again.loading, store.get(made.line.id).loading) == (None, None)
    assert not store.loading(made.line.id, 0.9, "t").applied
    assert store.loading(made.line.id, 0.1, "u").applied
    store.apply(made.line.id, Transition("cancelled", "caller", completed_at="t"))
    assert store.loading(made.line.id, 0.9, "u") == WriteResult(False, True, "cancelled", None, "txt2img", None, 2)


def test_how_far_a_cancelled_job_had_come_only_goes_forward(store: Any) -> None:
    made = job()
    bring_to(store, made, "in_progress", None)
    assert not store.note_cancel_point(made.line.id, "during").applied
    store.apply(made.line.id, Transition("cancelled", "caller", completed_at="t", cancelled_when="before"))
    steps = ["during", "during", "after", "during"]
    assert [store.note_cancel_point(made.line.id, step).applied for step in steps] == [True, False, True, False]
    assert store.get(made.line.id).cancelled_when == "after"


def test_a_hand_over_is_claimed_by_one_and_only_while_no_worker_has_begun(store: Any) -> None:
    made = job()
    store.create(made, (), None)
    claims = [(0, "a"), (0, "a"), (0, "b"), (2, "c"), (1, "d"), (1, "e")]
    assert [store.claim_hand_over(made.line.id, *claim) for claim in claims] == [True, True, False, False, True, False]
    assert (store.get(made.line.id).hand_overs, store.get(made.line.id).handed_over_at) == (2, "d")
    assert store.progress(made.line.id, 0.5, "t").applied
    assert not store.claim_hand_over(made.line.id, 2, "f")
    marked = job(1)
    bring_to(store, marked, "in_progress", None)
    assert not store.claim_hand_over(marked.line.id, 0, "g")
    assert not store.claim_hand_over(job_id(2), 0, "h")
    assert store.get(job_id(2)) is None


def test_a_refusal_tells_where_the_failure_file_is(store: Any) -> None:
    made = job()
    bring_to(store, made, "cancelled", None)
    assert store.note_failure(made.line.id, "s3://pictures/failures/x").applied
    met = store.apply(made.line.id, Transition("succeed", "callback"))
    assert met == WriteResult(False, True, "cancelled", "s3://pictures/failures/x", "txt2img")
    assert store.delete(made.line.id) == "cancelled"


def test_the_oldest_come_first_page_by_page(store: Any) -> None:
    made = [job(number) for number in range(12)]
    for one in made:
        store.create(one, (), None)
    bring_to(store, job(100), "fail", None)
    found: list[str] = []
    for shard in range(SHARDS):
        after = ids.LOWEST
        while page := store.oldest("in_progress", shard, after, made[9].line.id, 3):
            assert len(page) <= 3
            assert [line.id for line in page] == sorted(line.id for line in page)
            found += [line.id for line in page]
            after = page[-1].id
    assert sorted(found) == [one.line.id for one in made[:10]]
    assert store.oldest("in_progress", 0, ids.HIGHEST, ids.LOWEST, 3) == []


def listed_as(store: Any, one: str) -> Status:
    """The status that lists show for a job."""
    lines = [line for shard in range(SHARDS) for line in read_all(store, Stream("feed", str(shard)))]
    [status] = [line.status for line in lines if line.id == one]
    statuses = [
        status for status in STATUSES for shard in range(SHARDS) if one in by_status(store, f"{status}#{shard}")
    ]
    assert statuses == ([] if status == "succeed" else [status]), "the index of statuses says otherwise"
    return status


def read_all(store: Any, stream: Stream) -> list[JobLine]:
    return store.read(stream, Filters(), ids.HIGHEST, 100).lines  # type: ignore[no-any-return]


def by_status(store: Any, key: str) -> set[str]:
    return {line.id for line in read_all(store, Stream("by_status", key))}


def test_a_new_job_is_listed_as_handed_over_until_that_fails(store: Any) -> None:
    made, waiting = job(), job(1, endpoint=None)
    store.create(made, (), None)
    store.create(waiting, (), None)
    assert (store.get(made.line.id).line.status, listed_as(store, made.line.id)) == ("created", "in_progress")
    assert listed_as(store, waiting.line.id) == "created"
    assert store.list_as_created(made.line.id).applied
    assert listed_as(store, made.line.id) == "created"
    assert store.apply(made.line.id, Transition("in_progress", "invoke")).applied
    assert listed_as(store, made.line.id) == "in_progress"
    assert not store.list_as_created(made.line.id).applied
    assert not store.list_as_created(job_id(2)).applied
    for end in ENDS:
        ends = job(3 + ENDS.index(end))
        bring_to(store, ends, end, None)
        assert listed_as(store, ends.line.id) == end


def test_a_line_has_the_seeds_of_its_pictures_and_counts_pictures_and_notices(store: Any) -> None:
    made = job(seeds=(5,), batch=3, notice_count=1)
    bring_to(store, replace(made, notices=("Rounded down.",)), "in_progress", None)
    assert store.get(made.line.id).line.seeds == (5,)
    pictures = tuple(
        PaintedImage(key=f"{number}.png", width=8, height=8, seed=seed)
        for number, seed in enumerate([None, 2**64 - 1, -1, 7, 7, *range(100, 200)])
    )
    end = Transition("succeed", "callback", images=pictures, notices=("One.", "Two."), timings=Timings(run=1.5))
    assert store.apply(made.line.id, end).applied
    line = store.get(made.line.id).line
    assert line.seeds == (2**64 - 1, 7, *range(100, 130))
    assert (line.batch, line.image_count, line.notice_count, line.run_seconds) == (3, len(pictures), 3, 1.5)
    [listed] = [each for shard in range(SHARDS) for each in read_all(store, Stream("feed", str(shard)))]
    assert listed == line


def test_what_an_owner_gives_a_job_is_changed_field_by_field(store: Any) -> None:
    made = job()
    bring_to(store, made, "succeed", None)
    everything = Edit(frozenset({"title", "rating", "tags"}), "Dawn", 4, ("sea", "night"))
    edited = store.edit(made.line.id, everything, None)
    assert (edited.line.title, edited.line.rating, edited.line.tags) == ("Dawn", 4, ("sea", "night"))
    assert edited == store.get(made.line.id)
    edited = store.edit(made.line.id, Edit(frozenset({"title", "tags"})), "alice")
    assert (edited.line.title, edited.line.rating, edited.line.tags) == (None, 4, ())
    assert store.edit(made.line.id, everything, "bob") is None
    assert store.edit(job_id(1), everything, None) is None
    assert (store.get(job_id(1)), store.get(made.line.id)) == (None, edited)


def test_open_jobs_are_counted_by_owner_and_endpoint(store: Any) -> None:
    for number, (owner, status) in enumerate(
        [("alice", "created"), ("alice", "in_progress"), ("bob", "created"), ("bob", "succeed"), ("bob", "fail")]
    ):
        bring_to(store, job(number, owner=owner), status, None)  # type: ignore[arg-type]
    assert store.open_jobs() == OpenJobCounts(3, {"alice": 2, "bob": 1}, {"darkroom-test-a": 3})


def test_rows_are_found_by_the_hundred(store: Any) -> None:
    made = [job(number) for number in range(3)]
    for one in made:
        store.create(one, (), None)
    others = [job_id(number) for number in range(120)]
    assert store.existing([*others, *(one.line.id for one in made)]) == {one.line.id for one in made}


@pytest.mark.parametrize("where", ["memory", "moto"])
def test_a_bookmark_is_kept_under_its_name(where: str) -> None:
    with moto_stage() as stage:
        bookmarks = MemoryBookmarks() if where == "memory" else stage.adapters.bookmarks
        assert bookmarks.load("jobs") == {}
        bookmarks.save("jobs", {"a": "1", "b": "2"})
        bookmarks.save("jobs", {"a": "3"})
        assert bookmarks.load("jobs") == {"a": "3"}
        assert bookmarks.load("others") == {}


def test_a_bookmark_is_in_no_index_and_expires() -> None:
    with moto_stage() as stage:
        stage.configure(clock=lambda: NOW)
        stage.adapters.bookmarks.save("jobs", {"a": "1"})
        assert stage.rows() == [
            {"id": {"S": "sweep#jobs"}, "places": {"S": '{"a":"1"}'}, "expires_at": {"N": "1782592000"}}
        ]


def test_an_idempotency_key_counts_until_it_expires(store: Any) -> None:
    first, second = job(0), job(1)
    store.create(first, (), Idempotency("alice", "k", "d", int(NOW), int(NOW) + 10))
    assert store.idempotency("alice", "k").job_id == first.line.id
    assert store.idempotency("bob", "k") is None
    with pytest.raises(KeyUsed) as used:
        store.create(second, (), Idempotency("alice", "k", "e", int(NOW), int(NOW) + 10))
    assert (used.value.job_id, used.value.digest) == (first.line.id, "d")
    store.create(second, (), Idempotency("alice", "k", "e", int(NOW) + 10, int(NOW) + 20))
    assert store.idempotency("alice", "k").job_id == second.line.id


def test_a_delete_takes_the_failure_file_that_the_marker_remembers(
    outputs: tuple[Any, Callable[[str], None]],
) -> None:
    made, put = outputs
    gone, other = job_id(0), job_id(1)
    for key in (f"jobs/{gone}/output/0.png", f"jobs/{gone}/input.json", f"jobs/{other}/x", "failures/a", "failures/b"):
        put(key)
    assert not made.is_marked(gone)
    made.mark_cancelled(gone, "s3://pictures/failures/a")
    assert made.is_marked(gone)
    made.delete(gone, keep_marker=True)
    assert made.is_marked(gone)
    assert made.failures("") == ["failures/b"]
    assert made.folders(ids.LOWEST, ids.HIGHEST) == [gone, other]
    made.delete(gone)
    assert made.folders(ids.LOWEST, ids.HIGHEST) == [other]
    made.delete(other, "s3://pictures/failures/b")
    assert (made.folders(ids.LOWEST, ids.HIGHEST), made.failures("")) == ([], [])


def test_the_sizes_of_objects_that_are_there_are_told(outputs: tuple[Any, Callable[[str], None]]) -> None:
    made, put = outputs
    one = job_id()
    folder = f"jobs/{one}/output/"
    for name in ("0.png", "1.png", "thumbnails/0.webp", "response.json"):
        put(folder + name)
    wanted = {folder + name for name in ("0.png", "thumbnails/0.webp", "2.png")}
    assert made.sizes(one, wanted) == {f"{folder}0.png": 1, f"{folder}thumbnails/0.webp": 1}
    key = made.write_picture(one, "2.jpg", b"jpeg", "image/jpeg")
    assert made.sizes(one, {key}) == {f"{folder}2.jpg": 4}


def test_an_answer_over_the_limit_is_refused(outputs: tuple[Any, Callable[[str], None]]) -> None:
    made, put = outputs
    one = job_id()
    put(f"jobs/{one}/output/response.json")
    assert made.read_answer(one, 1) == b"x"
    with pytest.raises(AnswerTooLarge):
        made.read_answer(one, 0)
    assert made.read_answer(job_id(1), 0) is None


def test_folders_go_on_after_one_and_end_at_another(outputs: tuple[Any, Callable[[str], None]]) -> None:
    made, put = outputs
    there = [job_id(number) for number in range(4)]
    for one in there:
        put(f"jobs/{one}/output/0.png")
        put(f"jobs/{one}/output/1.png")
    assert made.folders(ids.LOWEST, there[2]) == there[:3]
    assert made.folders(there[0], ids.HIGHEST) == there[1:]
    assert made.folders(there[3], ids.HIGHEST) == []


def test_a_marker_can_be_taken_away_and_failures_read(outputs: tuple[Any, Callable[[str], None]]) -> None:
    made, put = outputs
    made.mark_cancelled(job_id(), None)
    one = job_id(1)
    made.mark_cancelled(one, None)
    made.unmark(one)
    assert not made.is_marked(one)
    put("failures/x")
    assert made.read_failure("s3://pictures/failures/x") == b"x"
    assert made.read_failure("s3://pictures/failures/y") is None
    made.delete_failures(["failures/x"])
    assert made.failures("") == []
