"""Uploads in parts to a fake of Darkroom and S3, which refuses and loses parts as a test says."""

import hashlib
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom_client import Darkroom, Failure, Refused, retry, transfer
from darkroom_client import upload as uploads
from darkroom_client.model_files import ModelFile
from tests.support.shelf import PART, Shelf, row_of


class ByteCounter:
    """Counts the bytes that were sent and those that were stored before."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.bytes_found = 0
        self._lock = threading.Lock()

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        pass

    def sent(self, count: int) -> None:
        with self._lock:
            self.bytes_sent += count

    def found(self, count: int) -> None:
        with self._lock:
            self.bytes_found += count


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as shelf:
        yield shelf


@pytest.fixture
def file(tmp_path: Path) -> ModelFile:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"".join(bytes([number]) * PART for number in range(1, 25)) + b"end")
    return ModelFile(path, "lora")


def upload(shelf: Shelf, file: ModelFile) -> tuple[str, ByteCounter]:
    counter = ByteCounter()
    with Darkroom(shelf.url, "k") as darkroom:
        return uploads.upload(darkroom, file, counter), counter


def test_every_part_arrives_once(shelf: Shelf, file: ModelFile) -> None:
    outcome, counter = upload(shelf, file)
    assert outcome == "uploaded"
    assert sorted(shelf.puts) == list(range(1, 26))
    assert shelf.rows["lora", "x.safetensors"]["status"] == "active"
    assert counter.bytes_sent == 24 * PART + 3
    assert shelf.asked[0] == []  # the stored parts are asked for before any part is sent


def test_a_continued_upload_sends_only_parts_that_are_missing_or_differ(shelf: Shelf, file: ModelFile) -> None:
    shelf.rows["lora", "x.safetensors"] = row_of("lora", "x.safetensors", size=24 * PART + 3)
    content = file.path.read_bytes()
    for number in range(1, 21):
        part = content[(number - 1) * PART : number * PART]
        shelf.stored[number] = (PART, hashlib.sha256(part).hexdigest())
    shelf.stored[7] = (PART, "0" * 64)
    _, counter = upload(shelf, file)
    assert sorted(shelf.puts) == [7, 21, 22, 23, 24, 25]
    assert sorted(number for numbers in shelf.asked for number in numbers) == sorted(shelf.puts)
    assert (counter.bytes_found, counter.bytes_sent) == (19 * PART, 5 * PART - PART + PART + 3)


@pytest.mark.parametrize("refusal", [(400, "BadDigest"), (403, "AccessDenied"), (503, "SlowDown")])
def test_a_part_that_is_refused_is_sent_again_with_a_fresh_url(
    shelf: Shelf, file: ModelFile, refusal: tuple[int, str]
) -> None:
    shelf.refusals = [(3, *refusal)] * 4
    _, counter = upload(shelf, file)
    assert shelf.puts.count(3) == 5
    assert sum(numbers.count(3) for numbers in shelf.asked) == 5
    assert counter.bytes_sent == 24 * PART + 3  # bytes of refused parts are subtracted
    assert shelf.rows["lora", "x.safetensors"]["status"] == "active"


def test_a_part_that_never_arrives_ends_the_upload(shelf: Shelf, file: ModelFile) -> None:
    shelf.refusals = [(3, 400, "BadDigest")] * 9
    with pytest.raises(Failure, match=r"part 3 did not arrive: S3 answered 400 \(BadDigest\)"):
        upload(shelf, file)
    assert shelf.puts.count(3) == 5


def test_an_upload_that_no_longer_exists_is_not_tried_again(shelf: Shelf, file: ModelFile) -> None:
    shelf.refusals = [(1, 404, "NoSuchUpload")]
    with pytest.raises(Failure, match="NoSuchUpload"):
        upload(shelf, file)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.safetensors"
    with path.open("wb") as sparse_file:
        sparse_file.truncate(128 * 1024**2)
    with Shelf(part_size=32 * 1024**2) as shelf:
        tracemalloc.start()
        try:
            upload(shelf, ModelFile(path, "lora"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert sorted(shelf.puts) == [1, 2, 3, 4]
    assert peak < 24 * 1024**2


def test_a_file_that_changes_is_not_completed(shelf: Shelf, file: ModelFile) -> None:
    class Writer(ByteCounter):
        """Changes the file at the beginning of its upload."""

        def begin(self, file: ModelFile, size: int, stored: int) -> None:
            with file.path.open("ab") as more:
                more.write(b"more")

    with Darkroom(shelf.url, "k") as darkroom, pytest.raises(Failure, match="changed while it was sent"):
        uploads.upload(darkroom, file, Writer())
    assert shelf.rows["lora", "x.safetensors"]["status"] == "uploading"


def test_a_file_that_is_stored_already_is_not_sent(shelf: Shelf, file: ModelFile) -> None:
    upload(shelf, file)
    shelf.puts.clear()
    assert upload(shelf, file)[0] == "there already"
    assert shelf.puts == []


@pytest.mark.parametrize("changes", [{"size": 20}, {"size": 24 * PART + 3, "sha256": "0" * 64}])
def test_another_file_of_the_same_name_is_reported(shelf: Shelf, file: ModelFile, changes: dict[str, Any]) -> None:
    shelf.rows["lora", "x.safetensors"] = row_of("lora", "x.safetensors", status="active", **changes)
    with pytest.raises(Failure, match="another lora of this name"):
        upload(shelf, file)


def test_completing_a_completed_upload_succeeds(shelf: Shelf, file: ModelFile) -> None:
    shelf.problems["POST /checkpoints/complete"] = (504, "timeout", "Too long.")
    with pytest.raises(Refused, match="Too long"):
        upload(shelf, file)
    shelf.rows["lora", "x.safetensors"]["status"] = "active"
    with Darkroom(shelf.url, "k") as darkroom:
        uploads.complete(darkroom, file)


def test_an_invalid_model_file_is_refused(shelf: Shelf, file: ModelFile) -> None:
    shelf.problems["POST /checkpoints/complete"] = (422, "checkpoint_invalid", "No safetensors header.")
    with pytest.raises(Refused, match="No safetensors header"):
        upload(shelf, file)


def test_without_a_connection_an_upload_fails(file: ModelFile) -> None:
    with Darkroom("http://127.0.0.1:9", "k") as darkroom, pytest.raises(httpx.TransportError):
        uploads.upload(darkroom, file, ByteCounter())


def test_a_file_too_small_is_refused_before_it_is_registered(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "e.pt").write_bytes(b"")
    with pytest.raises(Failure, match="0 bytes"):
        upload(shelf, ModelFile(tmp_path / "e.pt", "lora"))
    assert shelf.rows == {}
