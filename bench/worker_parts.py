"""What else a picture costs: LoRAs, files of pictures, memory; see `bench.worker`."""

import io
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from bench.worker_models import SDXL, TINY_SDXL
from bench.worker_rows import Row
from bench.worker_speed import Bench, now, seconds
from worker.engines.diffusers import loras, weights
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.tiny import write
from worker.engines.diffusers.weights import Use
from worker.errors import JobError
from worker.picture_files import FAST

RANK = 16
LORA_SECONDS = 0.1
GIB = 1024**3
ROOM = 12
SLOW = 6


def rows(*, tiny: bool) -> list[Row]:
    """The rows of LoRAs and memory on SDXL, and of PNGs."""
    sizes = TINY_SDXL if tiny else SDXL
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(sizes, Path(folder), 3 if tiny else 20)
        found = _loras(bench.model, Path(folder), judged=not tiny)
        found += _memory(bench)
        [painting] = bench.paint(1)
    return [*found, *_pngs(painting.image)]


def lora(model: Model) -> dict[str, torch.Tensor]:
    """A LoRA for every matrix of the transformers and of the text encoders."""
    made: dict[str, torch.Tensor] = {}
    places = {"unet": "lora_unet_", "clip_l": "lora_te1_", "clip_g": "lora_te2_"}
    for (where, name), module in weights.modules_of(model).items():
        if where not in places or not isinstance(module, torch.nn.Linear):
            continue
        out, inner = module.weight.shape
        made[f"{places[where]}{name}.lora_up.weight"] = torch.randn(out, RANK) * 0.01
        made[f"{places[where]}{name}.lora_down.weight"] = torch.randn(RANK, inner) * 0.01
        made[f"{places[where]}{name}.alpha"] = torch.tensor(float(RANK))
    return made


def _loras(model: Model, folder: Path, *, judged: bool) -> list[Row]:
    path = write(folder / "lora.safetensors", lora(model))
    device = model.placement.device
    state = [weight.clone() for weight in model.unet.parameters()]
    merge = restore = read = 0.0
    many = 0
    for _ in range(2):
        # The second time counts: libraries choose their kernels in the first.
        began = now()
        lora_file = loras.read(path, path.name, device)
        read, many = now() - began, len(lora_file.modules)
        worn = weights.apply(model, [Use(lora_file)])
        merge = seconds(worn.__enter__)
        restore = seconds(partial(worn.__exit__, None, None, None))
    same = all(torch.equal(weight, before) for weight, before in zip(model.unet.parameters(), state, strict=True))
    took = merge + restore
    bits = "every bit as before" if same else "WEIGHTS DIFFER"
    figure = f"{merge * 1000:.0f} ms and {restore * 1000:.0f} ms, {bits}"
    name = f"LoRA of rank {RANK} over {many} modules"
    met = took <= LORA_SECONDS and same if judged else None
    return [
        Row(f"{name}, merged and restored", figure, f"<= {LORA_SECONDS:g} s", met),
        Row(f"{name}, read and moved", f"{read * 1000:.0f} ms"),
    ]


def _memory(bench: Bench) -> list[Row]:
    side = bench.sizes.side
    name = f"SDXL {side}x{side} batch 1"
    if not torch.cuda.is_available():
        return [Row(f"{name}, {what}", "no GPU here") for what in ("peak of memory", f"with a limit of {ROOM} GB")]
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    bench.paint(1)
    peak = torch.cuda.max_memory_reserved() / GIB
    total: int = torch.cuda.get_device_properties(0).total_memory
    bench.model.runner.release()
    torch.cuda.set_per_process_memory_fraction(min(1.0, ROOM * GIB / total))
    try:
        limited = f"painted in {seconds(lambda: bench.paint(1)):.1f} s"
    except JobError as error:
        limited = error.code
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return [
        Row(f"{name}, peak of memory", f"{peak:.1f} GB", f"< {ROOM} GB", peak < ROOM),
        Row(f"{name}, with a limit of {ROOM} GB", limited, "painted", limited.startswith("painted")),
    ]


def _pngs(picture: Image.Image) -> list[Row]:
    def encoded(level: int) -> tuple[float, int]:
        out: list[Any] = []

        def save() -> None:
            file = io.BytesIO()
            picture.save(file, "PNG", compress_level=level)
            out.append(file.tell())

        return seconds(save, 3), out[0]

    name = f"PNG of {picture.width}x{picture.height}"
    (fast, large), (slow, small) = encoded(FAST), encoded(SLOW)
    return [
        Row(f"{name}, level {FAST}", f"{fast * 1000:.0f} ms beside the next picture, {large / small:.2f} x the bytes"),
        Row(f"{name}, level {SLOW}", f"{slow * 1000:.0f} ms"),
    ]
