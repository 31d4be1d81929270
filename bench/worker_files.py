"""How fast model files reach the memory of the device: from the page cache, and from a cold disk.

`python -m bench.worker` prints these rows among others. They need the environment of the engine, and nothing else.
"""

import gc
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file

from bench.worker_rows import Row
from bench.worker_speed import now, seconds
from worker.cache import Cache
from worker.checksums import Checksums
from worker.engines.diffusers.files import open_weights
from worker.engines.diffusers.tensors import THREADS

GB = 1_000_000_000
FULL, TINY = 6.5 * GB, 0.04 * GB
"""Bytes of an SDXL checkpoint, and of a file for a look whether the measurement works."""
WARM_SECONDS = 0.6
COLD_SHARE = 0.9
READ = 16 * 1024 * 1024
RUNS = 3


def rows(tiny: bool) -> list[Row]:
    """The rows of the table. With `tiny` the figures say nothing, and no budget is judged."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    judged = device == "cuda" and not tiny
    with _checkpoint(TINY if tiny else FULL) as path:
        size = path.stat().st_size
        warm = min(seconds(lambda: _to_device(path, device)) for _ in range(RUNS))
        cold = _cold(path, lambda: _to_device(path, device))
        plain = _cold(path, lambda: _read(path))
    share = plain / cold
    about = f"{size / GB:.2f} GB to {device}"
    return [
        Row(
            f"a file from the page cache, {about}",
            f"{warm:.2f} s ({size / GB / warm:.1f} GB/s)",
            f"≤ {WARM_SECONDS} s for 6.5 GB",
            warm <= WARM_SECONDS if judged else None,
        ),
        Row(
            f"a file from a cold disk, {about}",
            f"{cold:.2f} s, {share:.0%} of plain reads ({plain:.2f} s)",
            f"≥ {COLD_SHARE:.0%} of plain reads",
            share >= COLD_SHARE if judged else None,
        ),
    ]


@contextmanager
def _checkpoint(size: float) -> Iterator[Path]:
    """A copy of a file with the tensors of a UNet in half precision, as a download leaves it, with its checksums."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("DARKROOM_MODEL_CACHE")) as folder:
        made = Path(folder, "made.safetensors")
        save_file(_tensors(size), made)
        content = made.read_bytes()
        cache = Cache(Path(folder), keep_free=0)
        part = cache.begin(len(content), made.name)
        part.file.write(content)
        sums = Checksums(len(content))
        sums.put(0, memoryview(content))
        name = f"{'0' * 64}.safetensors"
        cache.commit(part, name, sums)
        os.fsync(part.file.fileno())
        part.file.close()
        made.unlink()
        del content
        gc.collect()
        yield Path(folder, name)


def _tensors(size: float) -> dict[str, torch.Tensor]:
    """Random tensors of the sizes that an SDXL UNet has, until they are `size` bytes together."""
    shapes = [(1280, 1280), (10240, 1280), (1280, 5120), (1280,), (640, 640), (1280, 1280, 3, 3), (320, 320, 3, 3)]
    choose, left = random.Random(1), size  # noqa: S311 - no secret
    made: dict[str, torch.Tensor] = {}
    noise = torch.randint(-(2**15), 2**15, (1280 * 1280 * 9,), dtype=torch.int16)
    while left > 0:
        shape = choose.choice(shapes)
        count = torch.Size(shape).numel()
        made[f"model.diffusion_model.{len(made)}.weight"] = noise[:count].clone().view(torch.float16).reshape(shape)
        left -= 2 * count
    return made


def _to_device(path: Path, device: str) -> None:
    with open_weights(path, path.name, device=device) as weights:
        kept = weights.tensors()
    now()
    assert len(kept) == len(weights.shapes)


def _read(path: Path) -> None:
    """The file, read from its beginning to its end by as many threads as the loader has."""
    size = path.stat().st_size
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            for read in threads.map(lambda begin: len(os.pread(descriptor, READ, begin)), range(0, size, READ)):
                assert read
    finally:
        os.close(descriptor)


def _cold(path: Path, work: Callable[[], None]) -> float:
    """The best of some runs, each with nothing of the file in the page cache."""

    def dropped() -> float:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
        return seconds(work)

    return min(dropped() for _ in range(RUNS))
