"""Tensors of .safetensors files, read in pieces by several threads, through pinned memory where there is a GPU.

The library `safetensors` tells no places of bytes, so the head of a file is read here: eight bytes with its length, a
JSON object of `{name: {dtype, shape, data_offsets}}`, and then the bytes of the tensors, one behind the other
(https://github.com/huggingface/safetensors, "Format"). What the library refuses is refused here as well.
"""

import json
import math
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from worker.checksums import PIECE
from worker.open_files import Look, OpenFile, blocks_around

LENGTH = 8
MOST_HEADER = 100_000_000
"""Bytes of the longest head that the library takes."""
THREADS = min(16, max(4, os.cpu_count() or 1))
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "U16": torch.uint16,
    "I16": torch.int16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}


@dataclass(frozen=True)
class Entry:
    """A tensor in a file: its bytes stand from `begin` to before `end`."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What the head of a file says."""

    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]


def read_header(file: OpenFile, name: str, look: Look) -> Header:
    """The head of a file that people call `name`. Raises ValueError for a file that is none, or incomplete."""
    if file.size < LENGTH:
        raise ValueError("it is shorter than the length of its head")
    file.wait(0, LENGTH, look)
    length = int.from_bytes(file.read(0, LENGTH, name), "little")
    start = LENGTH + length
    if length > min(MOST_HEADER, file.size - LENGTH):
        raise ValueError("its head is longer than it can be")
    file.wait(0, start, look)
    document = json.loads(file.read(LENGTH, start, name))
    if not isinstance(document, dict):
        raise ValueError("its head is no object")
    metadata = document.pop("__metadata__", {})
    entries = [_entry(key, value, start) for key, value in document.items()]
    end = start
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != end:
            raise ValueError(f"{entry.name} does not follow the tensor before it")
        end = entry.end
    if end != file.size:
        raise ValueError("its tensors do not end where it ends")
    texts = {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}
    return Header({entry.name: entry for entry in entries}, texts)


def _entry(name: str, value: Any, start: int) -> Entry:
    try:
        shape, (begin, end) = tuple(value["shape"]), value["data_offsets"]
        dtype = DTYPES[value["dtype"]]
        whole = all(isinstance(number, int) and number >= 0 for number in (*shape, begin, end))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name} is told in a way that is not known") from error
    if not whole or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} has another size than its shape")
    return Entry(name, dtype, shape, start + begin, start + end)


def stream(
    file: OpenFile, entries: Iterable[Entry], device: str, name: str, look: Look
) -> Iterator[tuple[str, torch.Tensor]]:
    """Each tensor with its name as soon as it is on the device, in the order of the file, with memory of its own.

    Only a few pieces are on their way at once, so what the caller drops is free again. `look` is called between pieces,
    and while the file itself is on its way. Raises DamagedCopy, at the latest with the last tensor, and EOFError.
    """
    wanted = sorted(entries, key=lambda entry: (entry.begin, entry.end))
    yield from ((entry.name, room_for(entry, device)[1]) for entry in wanted if entry.begin == entry.end)
    wanted = [entry for entry in wanted if entry.begin < entry.end]
    pieces = _pieces(wanted, file.size)
    if not pieces:
        return
    staging = staging_of(device)
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    pending: deque[tuple[_Piece, Future[Any]]] = deque()
    threads = ThreadPoolExecutor(min(THREADS, len(pieces)), thread_name_prefix="tensors")
    try:
        following = iter(pieces)
        while True:
            while len(pending) < 2 * THREADS and (piece := next(following, None)):
                file.wait(piece.begin, piece.end, look)
                for part in piece.parts:
                    if part.entry.name not in targets:
                        targets[part.entry.name] = room_for(part.entry, device)
                rooms = {part.entry.name: targets[part.entry.name][0] for part in piece.parts}
                pending.append((piece, threads.submit(staging.move, file, piece, rooms, name, staging.mark())))
            if not pending:
                return
            look()
            piece, moved = pending.popleft()
            staging.arrived(moved.result())
            for part in piece.parts:
                if part.is_last:
                    yield part.entry.name, targets.pop(part.entry.name)[1]
    finally:
        threads.shutdown(cancel_futures=True)
        for _, moved in pending:
            # Memory that a copy still writes to must not be used for anything else before that is done.
            if not moved.cancelled() and moved.exception() is None:
                staging.arrived(moved.result())


@dataclass(frozen=True)
class _Part:
    """What of a tensor stands in a piece: `length` bytes, at `at` in the piece and at `to` in the tensor."""

    entry: Entry
    at: int
    to: int
    length: int

    @property
    def is_last(self) -> bool:
        return self.to + self.length == self.entry.end - self.entry.begin


@dataclass(frozen=True)
class _Piece:
    """A range of a file that is read at once, whole blocks of checksums, and the parts of tensors in it."""

    begin: int
    end: int
    parts: list[_Part]


def _pieces(entries: list[Entry], size: int) -> list[_Piece]:
    """The pieces that hold these tensors, in the order of the file; none has a block twice."""
    ranges: list[list[int]] = []
    for entry in entries:
        begin, end = blocks_around(entry.begin, entry.end, size)
        if ranges and begin <= ranges[-1][1]:
            ranges[-1][1] = max(end, ranges[-1][1])
        else:
            ranges.append([begin, end])
    spans = [(at, min(at + PIECE, end)) for begin, end in ranges for at in range(begin, end, PIECE)]
    pieces, first = [], 0
    for begin, end in spans:
        while entries[first].end <= begin:
            first += 1
        parts = []
        for entry in entries[first:]:
            if entry.begin >= end:
                break
            low, high = max(entry.begin, begin), min(entry.end, end)
            parts.append(_Part(entry, low - begin, low - entry.begin, high - low))
        pieces.append(_Piece(begin, end, parts))
    return pieces


def room_for(entry: Entry, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Memory for a tensor: as bytes, and as the tensor itself."""
    # Other threads write to it, which they may not to a tensor of inference mode.
    with torch.inference_mode(mode=False):
        room = torch.empty(entry.end - entry.begin, dtype=torch.uint8, device=device)
        return room, room.view(entry.dtype).reshape(entry.shape)


def host_memory(is_pinned: bool) -> torch.Tensor:
    """Memory of the host for one piece. From pinned memory alone a GPU reads beside what the processor does."""
    return torch.empty(PIECE, dtype=torch.uint8, pin_memory=is_pinned)


class _Buffer:
    """Memory of the host for one piece, and when the GPU has read it."""

    def __init__(self, is_cuda: bool) -> None:
        self.bytes = host_memory(is_cuda)
        self.view = memoryview(self.bytes.numpy())
        self.read: torch.cuda.Event | None = None


class _Staging:
    """The way from a file to a device: buffers that are used again and again, as pinning memory takes long.

    Every copy to a GPU is put on a stream of its own. It waits for the work that was on the caller's stream when the
    tensor's memory was taken, for that memory may still be read there; and the caller's stream waits for the copy. A
    buffer is filled again when its last copy is done.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._is_cuda = self._device.type == "cuda"
        self._buffers: queue.Queue[_Buffer] = queue.Queue()
        for _ in range(2 * THREADS if self._is_cuda else THREADS):
            self._buffers.put(_Buffer(self._is_cuda))
        self._streams = threading.local()

    def mark(self) -> "torch.cuda.Event | None":
        """What is on the caller's stream until now."""
        return torch.cuda.current_stream(self._device).record_event() if self._is_cuda else None

    def arrived(self, copied: "torch.cuda.Event | None") -> None:
        """Let the caller's stream wait for a copy."""
        if copied is not None:
            torch.cuda.current_stream(self._device).wait_event(copied)

    def move(
        self,
        file: OpenFile,
        piece: _Piece,
        rooms: Mapping[str, torch.Tensor],
        name: str,
        before: "torch.cuda.Event | None",
    ) -> "torch.cuda.Event | None":
        """Read a piece and copy its parts to their rooms, after what is marked by `before`; when that is done on the
        device, None when it is done already."""
        file.expect(piece.begin, piece.end)
        buffer = self._buffers.get()
        try:
            if buffer.read is not None:
                buffer.read.synchronize()
                buffer.read = None
            file.read_into(buffer.view[: piece.end - piece.begin], piece.begin, name)
            if not self._is_cuda:
                copy_parts(buffer.bytes, piece, rooms)
                return None
            stream = self._stream()
            stream.wait_event(before)
            try:
                with torch.cuda.stream(stream):
                    copy_parts(buffer.bytes, piece, rooms)
            finally:
                buffer.read = stream.record_event()
            return buffer.read
        finally:
            self._buffers.put(buffer)

    def _stream(self) -> Any:
        """This thread's stream."""
        if not hasattr(self._streams, "own"):
            self._streams.own = torch.cuda.Stream(self._device)
        return self._streams.own


def copy_parts(content: torch.Tensor, piece: _Piece, rooms: Mapping[str, torch.Tensor]) -> None:
    """Copy the parts of a piece, whose bytes are `content`, to the tensors' memory."""
    for part in piece.parts:
        room = rooms[part.entry.name][part.to : part.to + part.length]
        room.copy_(content[part.at : part.at + part.length], non_blocking=True)


@cache
def staging_of(device: str) -> _Staging:
    """The buffers and streams of a device, which all files share."""
    return _Staging(device)
