"""The engine against plain pipelines of diffusers, over the same modules in one run; see `bench.worker`."""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.worker_models import NAME, SD15, SDXL, TINY_SD15, TINY_SDXL, Sizes, model, pipeline
from bench.worker_rows import Row
from darkroom.jobs.contract import ModelFile, WorkRequest
from worker.engines import Painting, Task
from worker.engines.diffusers.compiled import CompilesBeside, compile_beside
from worker.engines.diffusers.compiling import Recipe
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.graphs import CudaRecorder
from worker.engines.diffusers.models import Model, Models, placement
from worker.engines.diffusers.running import Code, Runner, Shapes
from worker.model_files import ModelFiles
from worker.open_files import OpenFile
from worker.parameters import settings_of
from worker.store import Store

SOONER = 5.0
"""How much sooner a package is ready when it is kept."""
LONGEST = 1800
PROMPT = "a photo of a pier at night"


@dataclass(frozen=True)
class Setting:
    """What is painted, and by how much faster than plain diffusers it should be: the first picture of a shape, and
    when it is compiled."""

    name: str
    sizes: Sizes
    batch: int
    first: float | None
    compiled: float
    compiles: bool = True


def settings(*, tiny: bool) -> dict[str, Setting]:
    """The settings by their short names."""
    small, large = (TINY_SD15, TINY_SDXL) if tiny else (SD15, SDXL)
    # On a processor a C++ compiler takes half a minute for each shape, so one of them does.
    return {
        "sd15": Setting(f"SD1.5 {small.side}x{small.side} batch 1", small, 1, 2.0, 3.3),
        "sdxl": Setting(f"SDXL {large.side}x{large.side} batch 1", large, 1, 1.5, 1.8, compiles=not tiny),
        "sdxl4": Setting(f"SDXL {large.side}x{large.side} batch 4", large, 4, None, 1.15, compiles=not tiny),
    }


class Gate:
    """Compiles nothing before it is opened, so that it disturbs no other figure. See `running.Compiled`."""

    def __init__(self) -> None:
        self.behind: CompilesBeside | None = None
        self.last: Shapes = ()

    def ready(self, unet: Any) -> Mapping[Shapes, Code]:
        """See Compiled."""
        return self.behind.ready(unet) if self.behind else {}

    def asked(self, unet: Any, shapes: Shapes) -> None:
        """See Compiled."""
        self.last = shapes


@dataclass
class Memory:
    """Packages as an instance finds them that comes later. See `compiled.Kept`."""

    packages: dict[str, bytes] = field(default_factory=dict)

    def read(self, made: Recipe) -> bytes | None:
        """See Kept."""
        return self.packages.get(made.digest)

    def write(self, made: Recipe, package: bytes) -> None:
        """See Kept."""
        self.packages[made.digest] = package


class OneModel(Models):
    """A checkpoint that is in memory already, whatever file is asked for."""

    def __init__(self, made: Model) -> None:
        super().__init__(made.placement)
        self._made = made

    @property
    def current(self) -> Model | None:
        """See Models."""
        return self._made

    def get(self, path: Path | OpenFile, name: str, step: Callable[[], None] = lambda: None) -> Model:
        """See Models."""
        return self._made


class Bench:
    """One checkpoint with an engine around it."""

    def __init__(self, sizes: Sizes, folder: Path, steps: int) -> None:
        self.sizes, self.steps = sizes, steps
        self.model = model(sizes, placement())
        self.gate = Gate()
        recorder = CudaRecorder() if torch.cuda.is_available() else None
        self.model.runner = Runner(self.model.unet, recorder, self.gate)
        (folder / NAME).write_bytes(b"The weights are in memory.")
        files = ModelFiles(Store(), cache=folder / "cache", local=folder)
        self.engine = DiffusersEngine(files, OneModel(self.model))

    def paint(self, batch: int, side: int | None = None) -> list[Painting]:
        """The pictures of one job."""
        side = side or self.sizes.side
        fields: dict[str, Any] = {"prompt": PROMPT, "width": side, "height": side, "steps": self.steps, "seed": 1}
        request = WorkRequest(
            job_id="bench",
            type="txt2img",
            parameters={**fields, "batch_size": batch, "sampler_name": "Euler"},
            images={},
            checkpoint=ModelFile(name=NAME, s3=f"s3://models/{NAME}"),
            output="s3://pictures/jobs/bench/output/",
        )
        return [*self.engine.paint(Task(request, settings_of(request), {}, lambda share: None))]

    def plain(self, pipe: Any, batch: int) -> list[Any]:
        """The same by the pipeline of diffusers."""
        side = self.sizes.side
        made: list[Any] = pipe(
            PROMPT,
            width=side,
            height=side,
            num_inference_steps=self.steps,
            guidance_scale=7.0,
            num_images_per_prompt=batch,
        ).images
        return made


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """How long the work takes, the mean of some times."""
    began = now()
    for _ in range(times):
        work()
    return (now() - began) / times


def now() -> float:
    """Seconds, when the GPU has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def rows(*, tiny: bool, only: Sequence[str] = ()) -> list[Row]:
    """The rows of all settings, or of those named."""
    chosen = {name: each for name, each in settings(tiny=tiny).items() if not only or name in only}
    found: list[Row] = []
    steps, times = (3, 1) if tiny else (20, 3)
    with tempfile.TemporaryDirectory() as folder:
        bench: Bench | None = None
        for setting in chosen.values():
            if bench is None or bench.sizes is not setting.sizes:
                # The one before goes first: both may not fit.
                bench = None
                bench = Bench(setting.sizes, Path(folder), steps)
            found += _speeds(setting, bench, times, judged=not tiny)
    return found


def _speeds(setting: Setting, bench: Bench, times: int, *, judged: bool) -> list[Row]:
    batch, name = setting.batch, setting.name

    def row(what: str, took: float, budget: float | None) -> Row:
        ratio = plain / took
        figure = f"{batch / took:.2f} images/s, {ratio:.2f} x"
        met = ratio >= budget if judged and budget else None
        return Row(f"{name}, {what}", figure, f">= {budget} x" if budget else "", met)

    plain = _plain(bench, batch, times)
    # Another size: what is made once a process is no part of the first picture of a shape.
    bench.paint(1, bench.sizes.side // 2)
    first = seconds(lambda: bench.paint(batch))
    steady = seconds(lambda: bench.paint(batch), times)
    found = [
        Row(f"{name}, plain diffusers", f"{batch / plain:.2f} images/s"),
        row("first of its shape", first, setting.first),
        row("then", steady, None),
    ]
    if not setting.compiles:
        left = "not with --tiny"
        names = ("compiled", "seconds to compile", "ready from what is kept")
        return [*found, *(Row(f"{name}, {what}", left) for what in names)]
    kept = Memory()
    # The tiny one is to be done soon, on a machine that has more to do.
    build = compile_beside if judged else partial(compile_beside, nice=0)
    took = _ready(bench, kept, build)
    again = _ready(bench, kept, build)
    # The first job compares what was compiled with the UNet, and records it.
    bench.paint(batch)
    found.append(row("compiled", seconds(lambda: bench.paint(batch), times), setting.compiled))
    found.append(Row(f"{name}, seconds to compile", f"{took:.1f} s"))
    ratio = took / again
    budget = f">= {SOONER:g} x sooner"
    met = ratio >= SOONER if judged else None
    return [*found, Row(f"{name}, ready from what is kept", f"{again:.2f} s, {ratio:.0f} x sooner", budget, met)]


def _plain(bench: Bench, batch: int, times: int) -> float:
    """The seconds of the pipeline, which is gone afterwards, with the modules of its own."""
    pipe = pipeline(bench.model)
    bench.plain(pipe, batch)
    return seconds(lambda: bench.plain(pipe, batch), times)


def _ready(bench: Bench, kept: Memory, build: Callable[[Recipe, Path], None]) -> float:
    """How long it takes until the shape that was painted last is ready, for an instance that has nothing yet."""
    done = threading.Semaphore(0)
    compiler = CompilesBeside(kept, build, often=1, changed=done.release)
    began = time.perf_counter()
    compiler.asked(bench.model.unet, bench.gate.last)
    if not done.acquire(timeout=LONGEST) or bench.gate.last not in compiler.ready(bench.model.unet):
        raise RuntimeError("it was not compiled; the log says why")
    took = time.perf_counter() - began
    bench.gate.behind = compiler
    return took
