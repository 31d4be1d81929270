"""A job can be cancelled, and the process ended, at every point of the work: whichever look it is that notices."""

import io
import threading
from functools import partial
from typing import Any

import pytest
from PIL import Image
from PIL.Image import effect_noise

from darkroom.jobs.contract import Progress, WorkAnswer, WorkRequest
from worker import store, watch, work
from worker.engines import Task
from worker.engines.preview import PreviewEngine
from worker.errors import JobError
from worker.parameters import settings_of
from worker.picture_files import FileOptions, encode
from worker.store import Location, Store
from worker.work import perform

SIDE = 200
PICTURES = 3


class At(threading.Event):
    """Set from its `number`th question on, counted from 1; 0 is never."""

    def __init__(self, number: int = 0) -> None:
        super().__init__()
        self.number = number
        self.asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return 0 < self.number <= self.asked


class Pieces:
    """A body as S3 gives it, that remembers how many pieces were taken."""

    def __init__(self, content: bytes, taken: list[int]) -> None:
        self._content = io.BytesIO(content)
        self._taken = taken

    def read(self, size: int) -> bytes:
        piece = self._content.read(size)
        self._taken.append(len(piece))
        return piece

    def close(self) -> None:
        self._content.close()


class S3:
    """As much of a client as the worker's store needs."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.read: list[int] = []
        self.written: list[str] = []

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"ContentLength": len(self.content), "Body": Pieces(self.content, self.read)}

    def put_object(self, *, Key: str, **_: Any) -> None:  # noqa: N803 - boto3's own names
        self.written.append(Key)


class Shelf(Store):
    """A store over S3 above, whose cancel marker is there from the `cancelled`th look on."""

    def __init__(self, content: bytes, cancelled: int = 0) -> None:
        self.client = S3(content)
        self.cancelled = At(cancelled)

    @property
    def _s3(self) -> Any:
        return self.client

    def exists(self, at: Location) -> bool:
        return self.cancelled.is_set()

    def send(self, queue: str, progress: Progress) -> None:
        """Nobody listens."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look counts, however little time has passed, and pictures come in many pieces."""
    monkeypatch.setattr(watch, "CANCEL_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(store, "PIECE", 16 * 1024)


@pytest.fixture(scope="module")
def photo() -> bytes:
    out = io.BytesIO()
    noise = [effect_noise((SIDE, SIDE), 90) for _ in range(3)]
    Image.merge("RGB", noise).save(out, "PNG")
    return out.getvalue()


def job(**fields: Any) -> WorkRequest:
    parameters = {"prompt": "x" * 2_000, "n_iter": PICTURES, "denoising_strength": 0.3}
    images = {"init": "s3://bucket/init", "other": "s3://bucket/other"}
    given = {"job_id": "job-1", "type": "img2img", "output": "s3://bucket/jobs/job-1/output/"}
    return WorkRequest.model_validate({**given, "parameters": parameters, "images": images, **fields})


def do(shelf: Shelf, stopping: threading.Event, **fields: Any) -> WorkAnswer:
    return perform(job(**fields), PreviewEngine(), shelf, stopping)


def looks(photo: bytes) -> int:
    never = At()
    assert len(do(Shelf(photo), never).images) == PICTURES
    return never.asked


def test_there_is_a_look_at_each_piece_read_and_at_each_piece_written(photo: bytes) -> None:
    shelf, never = Shelf(photo), At()
    answer = do(shelf, never)
    bytes_made = sum(image.bytes or 0 for image in answer.images)
    assert len(shelf.client.read) >= 2 * len(photo) // (16 * 1024)
    # Pillow writes its pictures in pieces of 64 KB.
    assert never.asked >= len(shelf.client.read) + bytes_made // (64 * 1024)


def test_whichever_look_notices_the_end_nothing_more_is_done(photo: bytes) -> None:
    for number in range(1, looks(photo) + 1):
        shelf, stopping = Shelf(photo), At(number)
        answer = do(shelf, stopping)
        assert answer.error is not None
        assert (answer.error.code, answer.images) == ("worker_stopped", [])
        # Not one look more, and no picture after the one at work.
        assert stopping.asked == number
        assert len(shelf.client.written) < PICTURES


def test_whichever_look_finds_the_cancel_marker_nothing_more_is_done(photo: bytes) -> None:
    for number in range(1, looks(photo) + 1):
        shelf = Shelf(photo, cancelled=number)
        answer = do(shelf, At())
        assert answer.error is not None
        assert (answer.error.code, answer.images) == ("cancelled", [])
        assert shelf.cancelled.asked == number
        assert len(shelf.client.written) < PICTURES


def test_a_stop_between_two_pictures_begins_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def draw(recipe: str, size: tuple[int, int]) -> Image.Image:
        begun.append(recipe)
        return Image.new("RGB", size)

    monkeypatch.setattr("worker.engines.preview.draw_scene", draw)
    request = job(type="txt2img", parameters={"n_iter": PICTURES, "width": 64, "height": 64})
    stopping = threading.Event()
    task = Task(request, settings_of(request), {}, watch.Watch(request, Shelf(b""), stopping).step)
    pictures = PreviewEngine().paint(task)
    next(pictures)
    stopping.set()
    with pytest.raises(JobError):
        next(pictures)
    assert len(begun) == 1


def test_a_stop_while_a_png_is_written_leaves_the_rest_of_it() -> None:
    picture = Image.merge("RGB", [effect_noise((600, 600), 90)] * 3)
    never = At()
    texts = {"parameters": "text"}
    whole = encode(picture, texts, FileOptions(), look=never.is_set).content
    assert never.asked > len(whole) // (64 * 1024) > 3
    for number in range(1, never.asked + 1):
        stopping = At(number)
        task = watch.Watch(job(), Shelf(b""), stopping)
        with pytest.raises(JobError) as stopped:
            encode(picture, texts, FileOptions(), look=partial(task.step, 0.5))
        assert (stopped.value.code, stopping.asked) == ("worker_stopped", number)


def test_a_stop_while_a_picture_is_read_leaves_the_rest_of_it(photo: bytes) -> None:
    shelf = Shelf(photo)
    # The first two looks are before all, the third before the first piece.
    do(shelf, At(5))
    assert len(shelf.client.read) == 2


def test_an_interrogation_is_stopped_before_it_looks_at_the_picture(photo: bytes) -> None:
    never = At()
    assert do(Shelf(photo), never, type="interrogate_clip").caption
    for number in range(1, never.asked + 1):
        answer = do(Shelf(photo), At(number), type="interrogate_clip")
        assert answer.error is not None
        assert answer.error.code == "worker_stopped"


def test_a_job_that_cannot_be_painted_is_refused_before_anything_is_read(photo: bytes) -> None:
    shelf = Shelf(photo)
    answer = do(shelf, At(), parameters={"steps": 0})
    assert answer.error is not None
    assert (answer.error.code, shelf.client.read) == ("parameter_invalid", [])


def test_pictures_that_are_too_large_together_are_refused(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MAX_PIXELS_TOGETHER", 2 * SIDE * SIDE - 1)
    answer = do(Shelf(photo), At())
    assert answer.error is not None
    assert answer.error.code == "image_too_large"
    assert "together" in answer.error.message


def test_an_object_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_BYTES", 99)
    shelf = Shelf(b"x" * 100)
    with pytest.raises(JobError) as refused:
        shelf.read("s3://bucket/init", "init")
    assert refused.value.code == "image_too_large"
    assert shelf.client.read == []


@pytest.mark.parametrize("client", ["_s3", "_bulk_s3", "_quick_s3", "_sqs"])
def test_every_call_to_aws_has_few_attempts_and_an_end(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    config = getattr(Store(), client).meta.config
    assert config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) <= 100


def test_the_message_of_an_error_has_an_end() -> None:
    assert len(JobError("image_missing", "x" * 100_000).message) == 2_000


# -- the answer ----------------------------------------------------------------------------------------


def painted(photo: bytes, **parameters: Any) -> WorkAnswer:
    small = {"width": 8, "height": 8, "denoising_strength": 0.5}
    return do(Shelf(photo), At(), parameters={**small, **parameters})


def test_a_long_prompt_for_many_pictures_makes_no_long_answer(photo: bytes) -> None:
    for length in (100_000, 60_000, 500, 50):
        prompt = {"prompt": "x" * length, "negative_prompt": "y" * length}
        answer = painted(photo, n_iter=128, **prompt)
        assert len(answer.images) == 128
        assert len(answer.model_dump_json(exclude_defaults=True)) < 128 * 1024


def test_the_answer_keeps_the_infotexts_there_is_room_for(photo: bytes) -> None:
    answer = painted(photo, n_iter=4, prompt="x" * 20_000)
    assert [image.infotext is not None for image in answer.images] == [True, True, True, False]
    assert answer.info is None


def test_an_ordinary_answer_is_whole(photo: bytes) -> None:
    answer = painted(photo, n_iter=4, prompt="x" * 300)
    assert all(image.infotext for image in answer.images)
    assert isinstance(answer.info, dict)
    assert answer.info["infotexts"] == [image.infotext for image in answer.images]
