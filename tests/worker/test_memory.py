"""A memory that does not do: what is given up for a picture, and what a job is told when nothing helps."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.worker.files import CPU, checkpoint_file, folder, loaded
from tests.worker.jobs import SIZE, paint, picture, request_of, task_of
from tests.worker.recorders import TracingRecorder
from tests.worker.test_graphs import inputs
from tests.worker.test_painting import apart
from worker.engines.diffusers import memory, running, vaes
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.memory import fits_in, largest
from worker.engines.diffusers.models import Model, Models
from worker.engines.diffusers.running import Runner
from worker.errors import JobError
from worker.model_files import ModelFiles
from worker.store import Store


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


class Small:
    """A GPU that holds a UNet's call over so many latents, and a VAE's work over so many."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, unet: float = float("inf"), vae: float = float("inf")
    ) -> None:
        self.unet, self.vae = unet, vae
        self.failed = 0
        real = running.answer_of

        def answer_of(unet: Any, given: Any) -> Any:
            self.take(given["latents"].shape, self.unet)
            return real(unet, given)

        for module in (running, memory):
            monkeypatch.setattr(module, "answer_of", answer_of)
        for name, factor in (("decoder", 1), ("encoder", 64)):
            self.limit(monkeypatch, name, factor)

    def limit(self, monkeypatch: pytest.MonkeyPatch, name: str, factor: int) -> None:
        """Limits one half of every VAE."""
        from diffusers.models.autoencoders import vae

        part: Any = {"decoder": vae.Decoder, "encoder": vae.Encoder}[name]
        real = part.forward

        def forward(module: Any, sample: Any, *rest: Any) -> Any:
            self.take(sample.shape, self.vae * factor)
            return real(module, sample, *rest)

        monkeypatch.setattr(part, "forward", forward)

    def take(self, shape: torch.Size, limit: float) -> None:
        """Fails for a tensor (n, channels, h, w) that is too large."""
        if shape[0] * shape[2] * shape[3] > limit:
            self.failed += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")


def latent(side: int) -> torch.Tensor:
    return torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(1))


def watched() -> tuple[Model, TracingRecorder]:
    """A model with a graph."""
    model, recorder = loaded("tiny-sd15"), TracingRecorder()
    model.runner = Runner(model.unet, recorder)
    model.runner.begin(9)
    for _ in range(3):
        model.runner(inputs(model))
    assert len(model.runner.graphs or ()) == 1
    return model, recorder


def test_a_vae_that_does_not_fit_works_in_tiles_and_paints_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = watched()
    whole = vaes.decode(model, latent(96))
    small = Small(monkeypatch, vae=64 * 64)
    tiled = vaes.decode(model, latent(96))
    assert small.failed == 2
    assert tiled.shape == whole.shape == (1, 3, 768, 768)
    assert (tiled - whole).abs().mean() < 0.05 * whole.abs().mean() + 0.02
    # What fits is not cut.
    assert torch.equal(vaes.decode(model, latent(64)), vaes.decode(model, latent(64)))
    assert (small.failed, model.vae.use_tiling) == (2, False)


def test_pictures_are_encoded_in_tiles_too(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = watched()
    pictures = torch.rand(1, 3, 768, 768, generator=torch.Generator().manual_seed(1)) * 2 - 1
    whole = vaes.encode(model, pictures)
    small = Small(monkeypatch, vae=64 * 64)
    tiled = vaes.encode(model, pictures)
    assert small.failed == 2
    assert tiled.shape == whole.shape == (1, 4, 96, 96)
    assert (tiled - whole).abs().mean() < 0.1 * whole.abs().mean()


def test_graphs_are_given_up_before_the_picture_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    model, recorder = watched()
    small = Small(monkeypatch, vae=0)
    monkeypatch.setattr(recorder, "release", lambda: setattr(small, "vae", float("inf")))
    whole = vaes.decode(model, latent(16))
    assert (small.failed, len(model.runner.graphs or ())) == (1, 0)
    assert torch.equal(whole, vaes.decode(loaded("tiny-sd15"), latent(16)))


@pytest.mark.parametrize(
    ("limit", "size", "batch", "found"),
    [
        (4 * 64 * 64, (512, 512), 8, ((512, 512), 4)),
        (64 * 64, (512, 512), 2, ((512, 512), 1)),
        (7 * 64 * 64, (512, 512), 8, ((512, 512), 7)),
        (64 * 64, (1024, 1024), 4, ((512, 512), 1)),
        (100 * 100, (1536, 1024), 1, ((960, 640), 1)),
        (1, (512, 512), 1, None),
        (9 * 64 * 64, (512, 512), 8, None),
    ],
)
def test_the_largest_that_fits_is_found_in_few_tries(
    limit: int, size: tuple[int, int], batch: int, found: tuple[tuple[int, int], int] | None
) -> None:
    tries: list[tuple[tuple[int, int], int]] = []

    def fits(size: tuple[int, int], pictures: int) -> bool:
        tries.append((size, pictures))
        return pictures * size[0] * size[1] // 64 <= limit

    assert largest(size, batch, lambda: None, fits) == found
    assert len(tries) <= 11


@pytest.mark.parametrize("checkpoint", ["tiny-sd15", "tiny-sd15-inpainting", "tiny-sdxl", "tiny-sdxl-refiner"])
def test_whether_something_fits_is_tried_with_the_model_itself(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(checkpoint)
    Small(monkeypatch, unet=4 * 8 * 8)
    assert fits_in(model, (64, 64), 2)
    assert not fits_in(model, (64, 64), 3)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"batch_size": 4}, r"64x64 with batch_size 4 needs more .* 64x64 with batch_size 2 would fit"),
        ({"width": 256, "height": 256}, r"256x256 with batch_size 1 needs more .* 64x64 with batch_size 1 would fit"),
        ({"enable_hr": True, "hr_scale": 4}, r"256x256 with batch_size 1 needs more .* would fit"),
    ],
)
def test_a_job_that_does_not_fit_is_told_what_would(
    fields: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture()
    small = Small(monkeypatch, unet=4 * 8 * 8)
    with pytest.raises(JobError, match=says) as refused:
        paint(**fields)
    assert refused.value.code == "out_of_memory"
    assert "tiny-sd15.safetensors alone" in refused.value.message
    assert small.failed > 0
    # The next job finds everything as it was.
    assert apart(picture(), before) == 0


def test_a_job_that_is_cancelled_meanwhile_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Small(monkeypatch, unet=1)

    def look(share: float) -> None:
        if small.failed > 1:
            raise JobError("cancelled", "The job was cancelled.")

    with pytest.raises(JobError) as refused:
        paint(look=look, width=256, height=256)
    assert refused.value.code == "cancelled"


def test_a_checkpoint_that_does_not_fit_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> Model:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("worker.engines.diffusers.models.load", load)
    engine = DiffusersEngine(ModelFiles(Store(), cache=folder() / "cache", local=folder()), Models(CPU))
    assert checkpoint_file("tiny-sd15").is_file()
    with pytest.raises(JobError, match="larger instance") as refused:
        engine.load(task_of(request_of()))
    assert refused.value.code == "out_of_memory"
    assert engine.models.current is None


def test_a_picture_whose_vae_works_in_tiles_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"width": 640, "height": 576, "steps": 1}
    whole = picture(**fields)
    Small(monkeypatch, vae=64 * 64)
    tiled = picture(**fields)
    assert tiled.size == whole.size == (640, 576)
    assert apart(whole, tiled) < 12
    assert tiled.size > SIZE
