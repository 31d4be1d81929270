"""Tensors as the engine reads them: the same bits as the library's, whatever their kind, size and place."""

import json
import random
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.worker.files import CPU, checkpoint_file, same_bits, state
from worker.cache import Cache
from worker.checksums import BLOCK, Checksums
from worker.engines.diffusers import tensors
from worker.engines.diffusers.files import open_weights, verify
from worker.engines.diffusers.models import Models, load
from worker.errors import DamagedCopy, JobError
from worker.open_files import OpenFile

KINDS = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]


def nothing() -> None:
    """The look of a job that goes on."""


def of_kind(kind: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor with random values."""
    if kind is torch.bool:
        return torch.rand(shape) > 0.5
    if kind.is_floating_point:
        return torch.randn(shape).to(kind)
    return torch.randint(0, 100, shape).to(kind)


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    """All that a tensor is; values that are no numbers are equal here."""
    return tensor.dtype, tuple(tensor.shape), tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def agree(path: Path) -> None:
    """The file's tensors are those that the library reads."""
    with safe_open(path, framework="pt") as library, open_weights(path, path.name) as weights:
        names = [*library.keys()]
        assert sorted(weights.shapes) == sorted(names)
        assert {name: bits(tensor) for name, tensor in weights.tensors().items()} == {
            name: bits(library.get_tensor(name)) for name in names
        }
        assert weights.metadata == (library.metadata() or {})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_tensors_of_every_kind_are_those_of_the_library(kind: torch.dtype, tmp_path: Path) -> None:
    shapes = {"matrix": (7, 5), "scalar": (), "empty": (0, 4), "one": (1,), "deep": (2, 3, 1, 5)}
    path = tmp_path / "a.safetensors"
    save_file({name: of_kind(kind, shape) for name, shape in shapes.items()}, path, {"format": "pt"})
    agree(path)


@pytest.mark.parametrize("piece", [BLOCK, 3 * BLOCK, 32 * BLOCK])
def test_tensors_that_lie_across_pieces_and_many_in_one_are_those_of_the_library(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "PIECE", piece)
    tensors.staging_of.cache_clear()
    size = random.Random(2)
    made = {f"small.{n}": of_kind(torch.float16, (size.randrange(1, 400),)) for n in range(300)}
    made |= {f"large.{n}": of_kind(torch.float32, (BLOCK // 3 + n, 2)) for n in range(4)}
    path = tmp_path / "a.safetensors"
    save_file(made, path)
    agree(path)
    tensors.staging_of.cache_clear()


def test_some_tensors_are_read_and_the_rest_of_the_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({f"{n}": torch.full((BLOCK,), n, dtype=torch.uint8) for n in range(9)}, path)
    read: list[int] = []

    class Counted(OpenFile):
        def read_into(self, room: memoryview, begin: int, name: str) -> None:
            read.append(len(room))
            super().read_into(room, begin, name)

    with Counted.of(path) as file, open_weights(file, "a") as weights:
        read.clear()
        assert dict(weights.stream(["7", "2"]))["7"].eq(7).all()
        # Two tensors that lie across two blocks each.
        assert sum(read) <= 4 * BLOCK
        assert weights.read("4").eq(4).all()


def test_every_tensor_has_memory_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(10), "b": torch.zeros(10)}, path)
    with open_weights(path, "a") as weights:
        found = weights.tensors()
        found["a"].fill_(1)
        assert found["b"].eq(0).all()
        assert weights.read("a").eq(0).all()


def test_only_a_few_tensors_wait_for_whoever_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in full precision never stands on the device beside the model that is made of it."""
    monkeypatch.setattr(tensors, "PIECE", BLOCK)
    monkeypatch.setattr(tensors, "THREADS", 2)
    tensors.staging_of.cache_clear()
    path = tmp_path / "a.safetensors"
    save_file({f"{n:03}": torch.zeros(BLOCK, dtype=torch.uint8) for n in range(100)}, path)
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    make = tensors.room_for

    def counted(entry: tensors.Entry, device: str) -> tuple[torch.Tensor, torch.Tensor]:
        made = make(entry, device)
        alive.add(made[0])
        return made

    monkeypatch.setattr(tensors, "room_for", counted)
    with open_weights(path, "a") as weights:
        assert max(len(alive) for _ in weights.stream(weights.shapes)) < 12
    tensors.staging_of.cache_clear()


class Stream:
    """What a stream of a GPU does, in the worst case: nothing before somebody waits for it."""

    current = threading.local()

    def __init__(self, device: object = None) -> None:
        self.work: list[Callable[[], None]] = []

    def record_event(self) -> "Event":
        return Event(self, len(self.work))

    def wait_event(self, event: "Event") -> None:
        self.work.append(event.happen)


class Event:
    def __init__(self, stream: Stream, until: int) -> None:
        self.stream = stream
        self.until = until

    def happen(self) -> None:
        for at in range(self.until):
            work, self.stream.work[at] = self.stream.work[at], nothing
            work()

    def synchronize(self) -> None:
        self.happen()


@contextmanager
def on(stream: Stream) -> Iterator[None]:
    Stream.current.stream = stream
    yield


@pytest.mark.parametrize("forgotten", ["", "the caller's wait", "the buffer's wait"])
def test_copies_to_a_gpu_are_waited_for_by_who_reads_them_and_by_who_fills_their_buffers(
    forgotten: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps of a GPU, done as late as they may be. Without one of the two waits the tensors are others: so this
    test would notice."""
    main = Stream()
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(tensors, "host_memory", lambda is_pinned: torch.empty(BLOCK, dtype=torch.uint8))
    make, copy = tensors.room_for, tensors.copy_parts
    monkeypatch.setattr(tensors, "room_for", lambda entry, device: make(entry, "cpu"))

    def later(content: torch.Tensor, piece: Any, rooms: Any) -> None:
        Stream.current.stream.work.append(lambda: copy(content, piece, rooms))

    monkeypatch.setattr(tensors, "copy_parts", later)
    monkeypatch.setattr(tensors, "PIECE", BLOCK)
    monkeypatch.setattr(tensors, "THREADS", 2)
    if forgotten == "the caller's wait":
        monkeypatch.setattr(main, "wait_event", lambda event: None)
    if forgotten == "the buffer's wait":
        monkeypatch.setattr(Event, "synchronize", lambda event: None)
    tensors.staging_of.cache_clear()
    path = tmp_path / "a.safetensors"
    made = {f"{n:03}": of_kind(torch.float16, (BLOCK // 3,)) for n in range(40)}
    save_file(made, path)
    with open_weights(path, "a", device="cuda") as weights:
        found = dict(weights.stream(weights.shapes))
    # The caller's own work comes last.
    main.record_event().happen()
    assert same_bits(found, made) == (not forgotten)
    tensors.staging_of.cache_clear()


def test_tensors_of_an_odd_file_that_other_tools_write_are_read(tmp_path: Path) -> None:
    """Its head has no padding, so that its numbers begin at odd bytes."""
    numbers = [1.5, -2.0, 1e9]
    head = json.dumps({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}).encode()
    head += b" " * (len(head) % 2 == 0)
    path = tmp_path / "odd.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + struct.pack("<3f", *numbers))
    with open_weights(path, "odd") as weights:
        assert weights.read("x").tolist() == numbers


def file_of(head: Any, data: bytes = b"") -> bytes:
    content = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(content)) + content + data


def one(**told: Any) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **told}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        file_of(b"no json"),
        file_of(b"[]"),
        file_of(b"[" * 100_000),
        file_of({"x": 1}),
        file_of(one(), b"1234567"),
        file_of(one(), b"123456789"),
        file_of(one(shape=[3]), b"12345678"),
        file_of(one(shape=[-2]), b"12345678"),
        file_of(one(shape=None), b"12345678"),
        file_of(one(dtype="F3"), b"12345678"),
        file_of(one(dtype=["F32"]), b"12345678"),
        file_of(one(data_offsets=[4, 12]), b"123456789012"),
        file_of(one(data_offsets=[0, "8"]), b"12345678"),
        file_of(one() | {"y": one()["x"]}, b"12345678"),
    ],
)
def test_a_file_that_is_none_is_refused_by_its_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(JobError) as refused, open_weights(path, "my model"):
        pass
    assert refused.value.code == "model_unreadable"
    assert "my model" in refused.value.message


def copy_of(path: Path, folder: Path) -> Path:
    """A copy in a cache, as a download makes it."""
    cache, content = Cache(folder, 0), path.read_bytes()
    part = cache.begin(len(content), path.name)
    part.file.write(content)
    sums = Checksums(len(content))
    sums.put(0, memoryview(content))
    cache.commit(part, f"{'a' * 64}{path.suffix}", sums)
    part.file.close()
    return folder / f"{'a' * 64}{path.suffix}"


def damage(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 64]))


@pytest.mark.parametrize("where", ["head", "middle", "end"])
def test_a_checkpoint_with_a_changed_bit_never_becomes_a_model(where: str, tmp_path: Path) -> None:
    copy = copy_of(checkpoint_file("tiny-sd15"), tmp_path / "cache")
    assert load(copy, "tiny", CPU).name == "tiny"
    size = copy.stat().st_size
    damage(copy, {"head": 20, "middle": size // 2, "end": size - 1}[where])
    models = Models(CPU)
    with pytest.raises(DamagedCopy):
        models.get(copy, "tiny")
    assert models.loaded == []


def test_a_pickle_with_a_changed_bit_is_not_read(tmp_path: Path) -> None:
    torch.save({"state_dict": {"x": torch.zeros(1000)}}, tmp_path / "a.ckpt")
    copy = copy_of(tmp_path / "a.ckpt", tmp_path / "cache")
    with open_weights(copy, "a.ckpt", pickles=True) as weights:
        assert weights.read("x").eq(0).all()
    damage(copy, copy.stat().st_size // 2)
    with pytest.raises(DamagedCopy), open_weights(copy, "a.ckpt", pickles=True):
        pass
    with pytest.raises(DamagedCopy):
        verify(copy, "a.ckpt")


class Arriving(OpenFile):
    """A file of which a test lets the bytes come."""


def arriving(path: Path, wait: Callable[[int, int, Callable[[], None]], None]) -> OpenFile:
    file = OpenFile.of(path)
    file.wait = wait
    return file


def test_a_checkpoint_is_read_while_it_arrives(tmp_path: Path) -> None:
    """Its bytes are zeros until they are waited for, and so a tensor that is read too early is another one."""
    whole = checkpoint_file("tiny-sd15")
    content = whole.read_bytes()
    path = tmp_path / "part.safetensors"
    path.write_bytes(bytes(len(content)))
    come: list[int] = []

    def wait(begin: int, end: int, look: Callable[[], None]) -> None:
        look()
        come.append(end)
        with path.open("r+b") as file:
            file.seek(begin)
            file.write(content[begin:end])

    looks: list[None] = []
    with arriving(path, wait) as file:
        model = load(file, whole.name, CPU, step=lambda: looks.append(None))
    assert same_bits(state(model), state(load(whole, whole.name, CPU)))
    assert len(looks) > len(come) > 2


def test_what_ends_the_waiting_for_a_file_ends_its_loading(tmp_path: Path) -> None:
    def wait(begin: int, end: int, look: Callable[[], None]) -> None:
        if end > 1_000_000:
            raise JobError("cancelled", "The job was cancelled.")

    before = threading.active_count()
    with arriving(checkpoint_file("tiny-sd15"), wait) as file, pytest.raises(JobError, match="cancelled"):
        load(file, "tiny", CPU)
    assert threading.active_count() <= before


def test_a_file_that_becomes_shorter_while_it_is_read_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(BLOCK)}, path)
    with open_weights(path, "a") as weights:
        with path.open("r+b") as file:
            file.truncate(BLOCK)
        with pytest.raises(JobError, match="broken"):
            weights.read("a")
