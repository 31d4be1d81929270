"""Jobs with every sampler, and with everything that can be put on a model: what it changes, and that nothing stays."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.worker.files import checkpoint_file, folder, loaded
from tests.worker.jobs import engine, file, img2img, paint, photo, picture, pictures_of
from tests.worker.test_painting import apart
from worker.engines.diffusers import tiny, tiny_networks
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.sampling.names import SAMPLERS, SCHEDULERS
from worker.errors import JobError

NAMES = [sampler.name for sampler in SAMPLERS]


@pytest.mark.parametrize("sampler", NAMES)
def test_every_sampler_paints_and_a_picture_of_a_batch_is_the_same_alone(sampler: str) -> None:
    together = pictures_of(paint(sampler_name=sampler, batch_size=2, steps=6))
    assert apart(together[1], picture(sampler_name=sampler, seed=8, steps=6)) < 0.05
    assert apart(together[0], together[1]) > 1


@pytest.mark.parametrize("sampler", NAMES)
def test_every_sampler_paints_over_a_picture_and_within_a_mask(sampler: str) -> None:
    fields: dict[str, Any] = {"sampler_name": sampler, "steps": 6, "denoising_strength": 0.6}
    painted = img2img(pictures={"init": photo()}, **fields)
    assert apart(painted, photo()) > 0.01
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    masked = img2img(mode="inpaint", pictures={"init": photo(), "mask": mask}, mask_blur=0, **fields)
    outside = np.asarray(mask) == 0
    assert (np.asarray(masked)[outside] == np.asarray(photo())[outside]).all()


@pytest.mark.parametrize("scheduler", [scheduler.label for scheduler in SCHEDULERS])
def test_every_schedule_paints_a_picture_of_its_own(scheduler: str) -> None:
    painted = picture(sampler_name="Euler", scheduler=scheduler, steps=6)
    # Normal is Uniform by another way.
    if scheduler not in ("Automatic", "Uniform", "Normal"):
        assert apart(painted, picture(sampler_name="Euler", steps=6)) > 0


@pytest.mark.parametrize("checkpoint", ["tiny-sd2-v", "tiny-sdxl-v"])
@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M SDE", "DDIM", "UniPC"])
def test_checkpoints_that_predict_the_velocity_are_painted_so(checkpoint: str, sampler: str) -> None:
    velocity = picture(checkpoint, sampler_name=sampler)
    assert velocity.size == (64, 64)
    assert apart(velocity, picture(checkpoint.removesuffix("-v"), sampler_name=sampler)) > 0.1


# -- what is put on a model ----------------------------------------------------------------------------


def digest(model: Model) -> str:
    """The SHA-256 of all weights of a model, and of how its layers pad."""
    found = hashlib.sha256()
    for part in (model.unet, model.vae, *model.encoders):
        for name, tensor in sorted(part.state_dict().items()):
            found.update(name.encode() + tensor.contiguous().view(torch.uint8).numpy().tobytes())
        found.update(str([getattr(layer, "padding_mode", None) for layer in part.modules()]).encode())
        found.update(str([len(layer._forward_pre_hooks) for layer in part.modules()]).encode())  # noqa: SLF001
    return found.hexdigest()


def in_memory(checkpoint: str = "tiny-sd15") -> Model:
    """The checkpoint that the engine keeps."""
    path = checkpoint_file(checkpoint)
    return engine().models.get(path, path.name)


@pytest.fixture(scope="module", params=sorted(tiny_networks.FORMS))
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    tiny.write(folder() / f"lora-{form}.safetensors", tiny_networks.lora(loaded("tiny-sd15"), form))
    return form


def test_a_lora_of_each_form_changes_the_picture_and_leaves_no_trace(form: str) -> None:
    plain = picture()
    before = digest(in_memory())
    models = {"lora": [file(f"lora-{form}.safetensors")]}
    with_it = picture(prompt=f"a pier at night <lora:lora-{form}:1>", models=models)
    assert apart(with_it, plain) > 0.001
    half = picture(prompt=f"a pier at night <lora:lora-{form}:0.2>", models=models)
    assert apart(half, with_it) > 0.001
    assert apart(picture(prompt=f"a pier at night <lora:lora-{form}:0>", models=models), plain) == 0
    assert digest(in_memory()) == before
    assert apart(picture(), plain) == 0


@pytest.fixture(scope="module")
def beside() -> dict[str, Any]:
    """A VAE, an embedding and a hypernetwork for the tiny checkpoint."""
    tiny.write(folder() / "other.vae.safetensors", tiny_networks.vae(seed=5))
    tiny.write(folder() / "glow.safetensors", tiny_networks.embedding(Family.SD1))
    tiny_networks.write_pickle(folder() / "ink.pt", tiny_networks.hypernetwork(Family.SD1))
    return {
        "vae": [file("other.vae.safetensors")],
        "embedding": [file("glow.safetensors")],
        "hypernetwork": [file("ink.pt")],
    }


@pytest.mark.parametrize(
    ("kind", "prompt"),
    [
        ("vae", "a pier at night"),
        ("embedding", "a glow at night"),
        ("hypernetwork", "a pier at night <hypernet:ink:1>"),
    ],
)
def test_nothing_that_one_job_uses_changes_the_next(beside: dict[str, Any], kind: str, prompt: str) -> None:
    bare = prompt.replace("<hypernet:ink:1>", "")
    plain, before = picture(prompt=bare), digest(in_memory())
    assert apart(picture(prompt=prompt, models={kind: beside[kind]}), plain) > 0.001
    assert digest(in_memory()) == before
    assert apart(picture(prompt=bare), plain) == 0


def test_a_job_that_breaks_off_leaves_no_trace_either(beside: dict[str, Any]) -> None:
    before, kept = digest(in_memory()), in_memory().vae

    def look(share: float) -> None:
        if share > 0.4:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        paint(prompt="a glow <hypernet:ink:1>", models=beside, tiling=True, look=look)
    assert digest(in_memory()) == before
    assert in_memory().vae is kept


def test_the_vae_none_is_the_checkpoints_own() -> None:
    none = file("None").model_copy(update={"s3": None})
    assert apart(picture(models={"vae": [none]}), picture()) == 0


def test_a_checkpoint_is_read_once_for_jobs_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    picture()
    first = in_memory()
    picture(seed=9)
    assert in_memory() is first
    picture("tiny-sd2")
    assert engine().models_loaded() == ["tiny-sd2.safetensors"]
    assert apart(picture(), picture()) == 0


def test_a_lora_of_another_family_is_refused_by_name() -> None:
    tiny.write(folder() / "lora-other.safetensors", tiny_networks.lora(loaded("tiny-sd15")))
    models = {"lora": [file("lora-other.safetensors")]}
    with pytest.raises(JobError, match=r"lora-other\.safetensors.*does not fit.*tiny-sdxl"):
        picture("tiny-sdxl", prompt="<lora:lora-other:1>", models=models)
