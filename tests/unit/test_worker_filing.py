"""Pictures become files in a thread, while the next one is painted."""

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from PIL.Image import effect_noise

from darkroom.jobs.contract import WorkAnswer, WorkRequest
from worker.engines import Painting, Task, painting
from worker.engines.preview import PreviewEngine
from worker.errors import JobError
from worker.filing import MOST_WAITING
from worker.picture_files import FAST, PARAMETERS, FileOptions, encode
from worker.store import Location, Store
from worker.work import perform

SECONDS = 30


class Shelf(Store):
    """A store in memory; `before` is called with each key before it is written."""

    def __init__(self, before: Callable[[str], object] = lambda key: None) -> None:
        self.objects: dict[str, bytes] = {}
        self.before = before

    def write(self, at: Location, content: bytes, content_type: str) -> str:
        self.before(at.key)
        self.objects[at.key.rpartition("output/")[2]] = content
        return "0" * 64

    def exists(self, at: Location) -> bool:
        return False


class Painter(PreviewEngine):
    """Paints one plain picture after the other; `before` is called with the number of each, and before each step."""

    def __init__(self, pictures: int, before: Callable[[int], object] = lambda number: None, steps: int = 1) -> None:
        self.pictures = pictures
        self.before = before
        self.steps = steps
        self.painted = 0

    def paint(self, task: Task) -> Iterator[Painting]:
        for number in range(self.pictures):
            for _ in range(self.steps):
                task.step(number / self.pictures)
                self.before(number)
            self.painted += 1
            picture = Image.new("RGB", (8, 8), (number, 0, 0))
            yield painting(task, picture, {PARAMETERS: f"text {number}"}, f"text {number}", 0.0, number)


def do(engine: Painter, shelf: Shelf) -> WorkAnswer:
    request = WorkRequest.model_validate(
        {"job_id": "job-1", "type": "txt2img", "parameters": {}, "images": {}, "output": "s3://b/jobs/job-1/output/"}
    )
    return perform(request, engine, shelf, threading.Event())


def test_a_picture_is_stored_while_the_next_one_is_painted() -> None:
    second, stored = threading.Event(), threading.Event()

    def store(key: str) -> None:
        if key.endswith("/0.png"):
            # Were the first picture stored before the second is begun, this would never come.
            assert second.wait(SECONDS)
            stored.set()

    def paint(number: int) -> None:
        if number == 1:
            second.set()
            assert stored.wait(SECONDS)

    assert len(do(Painter(2, paint), Shelf(store)).images) == 2


def test_pictures_keep_their_order_their_numbers_and_their_texts() -> None:
    shelf = Shelf()
    images = do(Painter(7), shelf).images
    assert [(image.key, image.seed, image.infotext) for image in images] == [
        (f"jobs/job-1/output/{number}.png", number, f"text {number}") for number in range(7)
    ]
    for number in range(7):
        picture = Image.open(io.BytesIO(shelf.objects[f"{number}.png"]), formats=["PNG"])
        assert picture.getpixel((0, 0)) == (number, 0, 0)
        assert picture.info["parameters"] == f"text {number}"


def test_few_pictures_wait_and_the_painter_waits_for_them() -> None:
    ahead: list[int] = []
    engine = Painter(8)
    do(engine, Shelf(lambda key: ahead.append(engine.painted - int(key.rpartition("/")[2].partition(".")[0]))))
    # The one that is stored, those that wait, and the one that was just painted.
    assert max(ahead) <= MOST_WAITING + 1


@pytest.mark.parametrize("error", [JobError("image_missing", "Gone."), ValueError("broken")])
def test_a_picture_that_cannot_be_stored_ends_the_painting_at_its_next_step(error: Exception) -> None:
    failed = threading.Event()

    def store(key: str) -> None:
        failed.set()
        raise error

    def paint(number: int) -> None:
        if number == 1:
            assert failed.wait(SECONDS)

    engine = Painter(5, paint, steps=100)
    if isinstance(error, JobError):
        answer = do(engine, Shelf(store)).error
        assert answer is not None
        assert answer.code == "image_missing"
    else:
        with pytest.raises(ValueError, match="broken"):
            do(engine, Shelf(store))
    assert engine.painted <= 2


def test_a_painting_that_fails_stores_nothing_more() -> None:
    storing, failed = threading.Event(), threading.Event()

    def paint(number: int) -> None:
        if number == 2:
            assert storing.wait(SECONDS)
            failed.set()
            raise JobError("out_of_memory", "Too large.")

    def store(key: str) -> None:
        storing.set()
        assert failed.wait(SECONDS)

    shelf = Shelf(store)
    answer = do(Painter(4, paint), shelf)
    assert answer.error is not None
    assert (answer.error.code, answer.images) == ("out_of_memory", [])
    # The first was at work; the second waited, and is given up.
    assert [*shelf.objects] == ["0.png"]


def test_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def names() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("filing")]

    do(Painter(3), Shelf())
    assert names() == []


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_png_of_any_level_has_the_same_pixels(mode: str) -> None:
    bands = [effect_noise((70, 50), 60) for _ in mode]
    picture = Image.merge(mode, bands) if len(bands) > 1 else bands[0]
    file = encode(picture, {PARAMETERS: "text"}, FileOptions())
    read: Any = Image.open(io.BytesIO(file.content), formats=["PNG"])
    assert (read.mode, read.size, read.tobytes()) == (picture.mode, picture.size, picture.tobytes())
    # zlib's header tells the level.
    at = file.content.index(b"IDAT") + 4
    assert (FAST, file.content[at + 1] >> 6) == (1, 0)
