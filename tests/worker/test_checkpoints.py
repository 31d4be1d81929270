"""Checkpoints: what each file is recognised as, what is refused by which name, and what is kept in memory."""

import argparse
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.worker.files import CPU, checkpoint_file, loaded, painted, same_bits, state
from worker.engines.diffusers import tiny
from worker.engines.diffusers.families import Family, Prediction
from worker.engines.diffusers.models import Models, load
from worker.errors import JobError


@pytest.mark.parametrize(
    ("name", "family", "inpainting", "prediction", "zero_snr"),
    [
        ("tiny-sd15", Family.SD1, False, Prediction.EPSILON, False),
        ("tiny-sd15-inpainting", Family.SD1, True, Prediction.EPSILON, False),
        ("tiny-sd2", Family.SD2, False, Prediction.EPSILON, False),
        ("tiny-sd2-v", Family.SD2, False, Prediction.V, False),
        ("tiny-sdxl", Family.SDXL, False, Prediction.EPSILON, False),
        ("tiny-sdxl-inpainting", Family.SDXL, True, Prediction.EPSILON, False),
        ("tiny-sdxl-v", Family.SDXL, False, Prediction.V, True),
        ("tiny-sdxl-refiner", Family.REFINER, False, Prediction.EPSILON, False),
    ],
)
def test_a_checkpoint_is_recognised(
    name: str, family: Family, inpainting: bool, prediction: Prediction, zero_snr: bool
) -> None:
    model = loaded(name)
    assert (model.kind.family, model.kind.inpainting) == (family, inpainting)
    assert (model.prediction, model.kind.zero_snr) == (prediction, zero_snr)
    assert torch.isfinite(painted(model)).all()


def copied(name: str, folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    return folder / f"{name}.safetensors", load_file(checkpoint_file(name))


def test_a_yaml_beside_the_file_decides_over_the_prediction(tmp_path: Path) -> None:
    path, tensors = copied("tiny-sd15", tmp_path)
    save_file(tensors, path)
    path.with_suffix(".yaml").write_text('model:\n  params:\n    parameterization: "v"  # velocity\n')
    assert load(path, path.name, CPU).prediction is Prediction.V
    path, tensors = copied("tiny-sd2-v", tmp_path)
    save_file(tensors, path)
    path.with_suffix(".yaml").write_text("model:\n  params:\n    linear_start: 0.00085\n")
    assert load(path, path.name, CPU).prediction is Prediction.EPSILON


def test_the_metadata_of_a_file_may_name_the_prediction(tmp_path: Path) -> None:
    path, tensors = copied("tiny-sdxl", tmp_path)
    save_file(tensors, path, metadata={"modelspec.prediction_type": "v"})
    assert load(path, path.name, CPU).prediction is Prediction.V


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "Stable Diffusion 3"),
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "FLUX"),
        ("double_blocks.0.img_attn.qkv.weight", "FLUX"),
        ("model.diffusion_model.double_layers.0.attn.w1q.weight", "AuraFlow"),
        ("model.diffusion_model.clip_txt_mapper.weight", "Stable Cascade"),
        ("adaln_single.linear.weight scale_shift_table", "PixArt"),
        ("model.diffusion_model.blocks.0.cross_attn.norm_k.weight", "Wan"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", "a LoRA"),
        ("control_model.input_blocks.0.0.weight", "a ControlNet"),
        ("down_blocks.0.resnets.0.conv1.weight", "layout of diffusers"),
        ("encoder.conv_in.weight", "a VAE"),
        ("params.body.0.weight", "no checkpoint that this engine knows"),
    ],
)
def test_what_cannot_be_painted_with_is_refused_by_its_name(key: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({key: torch.ones(1)}, path)
    with pytest.raises(JobError) as refused:
        load(path, path.name, CPU)
    assert refused.value.code == "model_unsupported"
    assert "'other.safetensors'" in refused.value.message
    assert what in refused.value.message


@pytest.mark.parametrize(("channels", "what"), [(5, "SD 2 depth"), (8, "InstructPix2Pix"), (7, "SD upscaler")])
def test_a_unet_with_other_inputs_is_refused_by_its_name(channels: int, what: str, tmp_path: Path) -> None:
    path, tensors = copied("tiny-sd15", tmp_path)
    key = "model.diffusion_model.input_blocks.0.0.weight"
    save_file(tensors | {key: torch.ones(32, channels, 3, 3)}, path)
    with pytest.raises(JobError, match=what):
        load(path, path.name, CPU)


@pytest.mark.parametrize("extra", ["edm_mean", "edm_vpred.sigma_max", "cond_stage_model.roberta.x", "a.scale_weight"])
def test_a_variant_of_a_known_family_that_would_paint_wrong_is_refused(extra: str, tmp_path: Path) -> None:
    path, tensors = copied("tiny-sdxl", tmp_path)
    save_file(tensors | {extra: torch.ones(1)}, path)
    with pytest.raises(JobError) as refused:
        load(path, path.name, CPU)
    assert refused.value.code == "model_unsupported"


@pytest.mark.parametrize("name", ["tiny-sd15", "tiny-sdxl"])
def test_any_missing_tensor_is_named(name: str, tmp_path: Path) -> None:
    path, tensors = copied(name, tmp_path)
    ignored = {"logit_scale"}
    # A few are enough to meet each kind of block, and every one that decides over the sizes.
    for key in [
        *sorted(tensors)[::17],
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.out.2.weight",
        *(key for key in tensors if "label_emb.0.0" in key),
    ]:
        if key.rpartition(".")[2] in ignored:
            continue
        save_file({other: tensor for other, tensor in tensors.items() if other != key}, path)
        with pytest.raises(JobError) as refused:
            load(path, path.name, CPU)
        assert refused.value.code == "model_unreadable", key
        assert f"'{path.name}'" in refused.value.message
        assert key in refused.value.message


def test_a_tensor_of_another_shape_does_not_get_in(tmp_path: Path) -> None:
    path, tensors = copied("tiny-sd15", tmp_path)
    save_file(tensors | {"model.diffusion_model.time_embed.0.bias": torch.ones(3)}, path)
    with pytest.raises(JobError, match=r"'tiny-sd15\.safetensors' is broken"):
        load(path, path.name, CPU)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(2000)])
def test_a_broken_file_is_named(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(JobError) as refused:
        load(path, path.name, CPU, pickles=True)
    assert refused.value.code == "model_unreadable"
    assert f"'broken{suffix}'" in refused.value.message


def test_a_file_that_ends_early_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(checkpoint_file("tiny-sd15").read_bytes()[:-1000])
    with pytest.raises(JobError, match=r"'half\.safetensors' is broken"):
        load(path, path.name, CPU)


def test_a_ckpt_is_the_same_model_and_is_only_read_where_pickles_are_allowed(tmp_path: Path) -> None:
    _, tensors = copied("tiny-sd15", tmp_path)
    path = tmp_path / "tiny.ckpt"
    torch.save({"state_dict": tensors, "global_step": 7, "epoch": 1}, path)
    with pytest.raises(JobError, match="setting pickles"):
        load(path, path.name, CPU)
    assert same_bits(state(load(path, path.name, CPU, pickles=True)), state(loaded("tiny-sd15")))


def test_the_settings_of_a_trainer_in_an_old_ckpt_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, tensors = copied("tiny-sd15", tmp_path)
    path = tmp_path / "old.ckpt"
    trainer = ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    saved = type("ModelCheckpoint", (), {"__module__": trainer.__name__})
    trainer.ModelCheckpoint = saved  # type: ignore[attr-defined]
    with monkeypatch.context() as installed:
        for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
            installed.setitem(sys.modules, name, ModuleType(name))
        installed.setitem(sys.modules, trainer.__name__, trainer)
        torch.save({"state_dict": tensors, "callbacks": {saved: {"best": np.float64(0.5)}}}, path)
    assert load(path, path.name, CPU, pickles=True).kind.family is Family.SD1


def test_a_ckpt_that_could_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    # Any class will do: the reader knows none but those of tensors.
    torch.save({"state_dict": {}, "callback": argparse.Namespace(x=1)}, path)
    with pytest.raises(JobError, match="could run code"):
        load(path, path.name, CPU, pickles=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
def test_files_of_every_precision_are_loaded(dtype: torch.dtype, tmp_path: Path) -> None:
    path, tensors = copied("tiny-sd15", tmp_path)
    save_file({key: tensor.to(dtype) for key, tensor in tensors.items()}, path)
    model = load(path, path.name, CPU)
    assert model.unet.dtype is torch.float32
    assert torch.isfinite(painted(model)).all()


def test_the_old_names_of_a_text_encoder_are_understood(tmp_path: Path) -> None:
    path, tensors = copied("tiny-sd15", tmp_path)
    save_file({key.replace("transformer.text_model.", "transformer."): tensor for key, tensor in tensors.items()}, path)
    assert same_bits(state(load(path, path.name, CPU)), state(loaded("tiny-sd15")))


def test_one_model_is_kept_and_used_again_until_the_file_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(checkpoint_file("tiny-sd15").read_bytes())
    models = Models(CPU)
    first = models.get(path, "a.safetensors")
    assert models.get(path, "a.safetensors") is first
    assert models.get(path, "renamed.safetensors").unet is first.unet
    assert models.loaded == ["a.safetensors"]
    path.write_bytes(checkpoint_file("tiny-sdxl").read_bytes())
    assert models.get(path, "a.safetensors").kind.family is Family.SDXL


def test_loading_can_be_cancelled_between_its_parts_and_nothing_half_loaded_is_kept() -> None:
    looks = 0

    def step() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise JobError("cancelled", "The job was cancelled.")

    models = Models(CPU)
    with pytest.raises(JobError, match="cancelled"):
        models.get(checkpoint_file("tiny-sdxl"), "tiny.safetensors", step)
    assert models.loaded == []


def test_tiny_checkpoints_are_small_and_the_same_every_time(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "again.safetensors", tiny.CHECKPOINTS["tiny-sd15"]())
    assert path.read_bytes() == checkpoint_file("tiny-sd15").read_bytes()
    assert path.stat().st_size < 8_000_000
