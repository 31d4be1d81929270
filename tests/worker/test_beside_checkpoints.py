"""What is used beside a checkpoint: VAEs, ControlNets, upscalers, hypernetworks."""

from pathlib import Path

import pytest
import torch

from tests.worker.files import loaded, painted, same_bits, state
from worker.engines.diffusers import (
    controlnets,
    hypernetworks,
    tiny,
    tiny_command,
    tiny_networks,
    upscalers,
    vaes,
)
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.models import Model
from worker.errors import JobError

FAMILIES = {"tiny-sd15": Family.SD1, "tiny-sd2": Family.SD2, "tiny-sdxl": Family.SDXL}


def test_a_vae_of_its_own_file_is_used_for_one_job_only(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    plain = vaes.decode(model, latent)
    vae = vaes.read(tiny.write(tmp_path / "v.safetensors", tiny_networks.vae(seed=5)), "v.safetensors", model)
    with vaes.chosen(model, vae):
        other = vaes.decode(model, latent)
    assert plain.shape == (1, 3, 64, 64)
    assert not torch.allclose(other, plain)
    assert torch.equal(vaes.decode(model, latent), plain)


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_vae_is_read_with_and_without_its_place_in_a_checkpoint(prefix: str, tmp_path: Path) -> None:
    model = loaded("tiny-sdxl")
    tensors = {prefix + key: tensor for key, tensor in tiny_networks.vae().items()} | {"loss.logvar": torch.ones(1)}
    vae = vaes.read(tiny.write(tmp_path / "v.safetensors", tensors), "v.safetensors", model)
    assert vae.config.scaling_factor == model.latent_scale == 0.13025


def test_a_vae_in_the_layout_of_diffusers_is_the_same(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    one = vaes.read(tiny.write(tmp_path / "v.safetensors", tiny_networks.vae()), "v.safetensors", model)
    two = vaes.read(tiny.write(tmp_path / "d.safetensors", one.state_dict()), "d.safetensors", model)
    assert same_bits(one.state_dict(), two.state_dict())


def test_a_vae_that_overflows_in_half_precision_decodes_in_full_and_is_unchanged() -> None:
    model = loaded("tiny-sd15")
    model.vae.half()
    last = model.vae.decoder.conv_norm_out
    last.weight.mul_(60_000 / last.weight.abs().max())
    model.vae.decoder.conv_out.weight.fill_(1.0)
    before = state(model)
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    overflown = model.vae.decode((latent / model.latent_scale).half()).sample
    assert not torch.isfinite(overflown).all()
    assert torch.isfinite(vaes.decode(model, latent)).all()
    assert model.vae.dtype is torch.float16
    assert same_bits(state(model), before)


def test_a_latent_that_is_no_number_is_said_and_not_painted() -> None:
    with pytest.raises(JobError, match="no numbers"):
        vaes.decode(loaded("tiny-sd15"), torch.full((1, 4, 8, 8), torch.nan))


def test_encoding_takes_the_middle_or_chooses_by_noise() -> None:
    model = loaded("tiny-sd15")
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    middle = vaes.encode(model, picture)
    assert middle.shape == (1, 4, 8, 8)
    assert torch.equal(vaes.encode(model, picture, torch.zeros(1, 4, 8, 8)), middle)
    assert not torch.equal(vaes.encode(model, picture, torch.ones(1, 4, 8, 8)), middle)


@pytest.mark.parametrize("key", ["decoder.conv_in.weight", "taesd_decoder.1.weight", "x"])
def test_what_is_no_vae_for_these_families_is_refused(key: str, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "other.safetensors", {key: torch.ones(8, 16, 3, 3)})
    with pytest.raises(JobError, match=r"'other\.safetensors'"):
        vaes.read(path, path.name, loaded("tiny-sd15"))


def control(model: Model, path: Path) -> list[torch.Tensor]:
    network = controlnets.read(path, path.name, model)
    extra = None
    if width := getattr(model.unet.config, "projection_class_embeddings_input_dim", None):
        numbers = (width - 32) // 256
        extra = {"text_embeds": torch.ones(1, 32), "time_ids": torch.ones(1, numbers)}
    words = torch.ones(1, 77, model.unet.config.cross_attention_dim)
    with torch.no_grad():
        down, mid = network(
            torch.ones(1, 4, 8, 8), 500, words, torch.ones(1, 3, 64, 64), added_cond_kwargs=extra, return_dict=False
        )
    return [*down, mid]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_controlnet_in_either_layout_adds_the_same_to_the_unet(name: str, tmp_path: Path) -> None:
    model = loaded(name)
    path = tiny.write(tmp_path / "c.safetensors", tiny.controlnet(FAMILIES[name]))
    added = control(model, path)
    assert any(part.abs().sum() > 0 for part in added)
    other = tiny.write(tmp_path / "d.safetensors", controlnets.read(path, path.name, model).state_dict())
    again = control(model, other)
    assert all(torch.equal(one, two) for one, two in zip(added, again, strict=True))


def test_a_controlnet_of_another_family_is_refused(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "c.safetensors", tiny.controlnet(Family.SDXL))
    with pytest.raises(JobError, match=r"'c\.safetensors' is a ControlNet for"):
        controlnets.read(path, path.name, loaded("tiny-sd15"))


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("lora_controlnet", "Control-LoRA"),
        ("adapter.body.0.block1.weight", "T2I-Adapter"),
        ("image_proj.proj.weight", "IP-Adapter"),
        ("task_embedding", "ControlNet Union"),
        ("controlnet_blocks.0.weight", "FLUX"),
        ("difference", "difference"),
        ("x", "no ControlNet"),
    ],
)
def test_other_networks_that_control_are_refused_by_name(key: str, what: str, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "other.safetensors", {key: torch.ones(1)})
    with pytest.raises(JobError, match=what):
        controlnets.read(path, path.name, loaded("tiny-sd15"))


def test_an_upscaler_enlarges_by_its_factor(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "up.safetensors", tiny_networks.upscaler(scale=4))
    upscaler = upscalers.read(path, path.name, "cpu")
    assert upscaler.scale == 4
    assert upscaler(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)


def test_an_upscaler_of_an_old_file_is_read_where_pickles_are_allowed(tmp_path: Path) -> None:
    path = tiny_networks.write_pickle(tmp_path / "up.pth", {"params_ema": tiny_networks.upscaler()})
    with pytest.raises(JobError, match="setting pickles"):
        upscalers.read(path, path.name, "cpu")
    assert upscalers.read(path, path.name, "cpu", pickles=True).scale == 2


def test_what_is_no_upscaler_is_refused(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "vae.safetensors", tiny_networks.vae())
    with pytest.raises(JobError, match="no upscaler"):
        upscalers.read(path, path.name, "cpu")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_hypernetwork_changes_the_picture_for_one_job_only(name: str, tmp_path: Path) -> None:
    model = loaded(name)
    before, plain = state(model), painted(model)
    path = tiny_networks.write_pickle(tmp_path / "h.pt", tiny_networks.hypernetwork(FAMILIES[name]))
    network = hypernetworks.read(path, path.name, "cpu", torch.float32, pickles=True)
    with hypernetworks.apply(model, [(network, 1.0)]):
        full = painted(model)
    with hypernetworks.apply(model, [(network, 0.0)]):
        assert torch.equal(painted(model), plain)
    assert not torch.allclose(full, plain)
    assert torch.equal(painted(model), plain)
    assert same_bits(state(model), before)


def test_a_hypernetwork_computes_what_its_settings_say(tmp_path: Path) -> None:
    content = {
        8: ({"linear.0.weight": torch.eye(8) * -1, "linear.0.bias": torch.zeros(8), "linear.2.weight": torch.ones(8),
             "linear.2.bias": torch.zeros(8)},) * 2,
        "activation_func": "relu", "is_layer_norm": True, "activate_output": True,
    }  # fmt: skip
    path = tiny_networks.write_pickle(tmp_path / "h.pt", content)
    key, _ = hypernetworks.read(path, path.name, "cpu", torch.float32, pickles=True).networks[8]
    given = torch.randn(1, 3, 8)
    expected = torch.nn.functional.layer_norm(torch.relu(-given), (8,))
    torch.testing.assert_close(key(given), expected)


def test_the_oldest_hypernetworks_have_two_layers_and_no_settings(tmp_path: Path) -> None:
    tensors = {
        f"linear{n}.{part}": torch.ones(*shape) for n, shape in ((1, (16, 8)), (2, (8, 16))) for part in ("weight",)
    }
    tensors |= {"linear1.bias": torch.zeros(16), "linear2.bias": torch.zeros(8)}
    path = tiny_networks.write_pickle(tmp_path / "h.pt", {8: (tensors, tensors)})
    key, _ = hypernetworks.read(path, path.name, "cpu", torch.float32, pickles=True).networks[8]
    assert key(torch.ones(1, 8)).tolist() == [[128.0] * 8]


def test_a_hypernetwork_for_another_family_is_refused(tmp_path: Path) -> None:
    path = tiny_networks.write_pickle(
        tmp_path / "h.pt", {7: ({"linear.0.weight": torch.ones(7, 7), "linear.0.bias": torch.ones(7)},) * 2}
    )
    network = hypernetworks.read(path, path.name, "cpu", torch.float32, pickles=True)
    with pytest.raises(JobError, match="another family"), hypernetworks.apply(loaded("tiny-sd15"), [(network, 1.0)]):
        pass


def test_the_command_writes_files_of_every_kind(tmp_path: Path) -> None:
    written = tiny_command.write_all(tmp_path)
    assert all(path.is_file() for path in written)
    folders = {path.parent.name for path in written}
    assert folders == {"Stable-diffusion", "VAE", "Lora", "embeddings", "hypernetworks", "ControlNet", "ESRGAN"}
