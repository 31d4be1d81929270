"""LoRAs of each form and of each trainer's names: what they change, and that nothing of it stays."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from safetensors.torch import save_file

from tests.worker.files import loaded, painted, same_bits, state
from worker.engines.diffusers import loras, tiny_networks, weights
from worker.engines.diffusers.lora_forms import difference
from worker.engines.diffusers.loras import Lora, Strengths
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.weights import Use
from worker.errors import JobError


def lora_of(tensors: dict[str, torch.Tensor], folder: Path, metadata: dict[str, str] | None = None) -> Lora:
    path = folder / "tiny.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata)
    return loras.read(path, path.name)


def matrix() -> torch.nn.Module:
    return torch.nn.Linear(24, 16)


def convolution() -> torch.nn.Module:
    return torch.nn.Conv2d(8, 16, 3, padding=1)


ORACLES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "lora": (LoConModule, {}),
    "locon with a core": (LoConModule, {"use_tucker": True}),
    "dora by input": (LoConModule, {"weight_decompose": True, "wd_on_out": False}),
    "dora by output": (LoConModule, {"weight_decompose": True, "wd_on_out": True}),
    # LyCORIS merges a LoHa with the square of its scale, which is 1 where alpha is the rank; the WebUI takes it once.
    "loha": (LohaModule, {"alpha": 4}),
    "loha with a core": (LohaModule, {"alpha": 4, "use_tucker": True}),
    "loha with dora": (LohaModule, {"alpha": 4, "weight_decompose": True}),
    "lokr": (LokrModule, {"factor": 4}),
    "lokr with two factors": (LokrModule, {"factor": 4, "decompose_both": True}),
    "lokr with a core": (LokrModule, {"factor": 4, "use_tucker": True}),
    "ia3 on outputs": (IA3Module, {}),
    "ia3 on inputs": (IA3Module, {"train_on_input": True}),
    "oft": (DiagOFTModule, {}),
    "oft with a limit": (DiagOFTModule, {"constraint": 0.01}),
}
CALLED = {"lora_up.weight": "up", "lora_down.weight": "down", "lora_mid.weight": "mid"}


@pytest.mark.parametrize("made", [matrix, convolution], ids=["linear", "convolution"])
@pytest.mark.parametrize("oracle", ORACLES)
def test_each_form_adds_what_lycoris_itself_adds(oracle: str, made: Callable[[], torch.nn.Module]) -> None:
    torch.manual_seed(3)
    layer = made()
    kind, options = ORACLES[oracle]
    module = kind("tiny", layer, 1.0, 4, **{"alpha": 2, **options})
    for parameter in module.parameters():
        if parameter.ndim and not any(parameter is own for own in layer.parameters()):
            torch.nn.init.normal_(parameter, std=0.3)
    if getattr(module, "wd", False):
        # Lengths are positive.
        module.dora_scale.data.abs_().add_(0.5)
    parts = {CALLED.get(name, name): tensor.detach().clone() for name, tensor in module.state_dict().items()}
    parts = {name: tensor for name, tensor in parts.items() if "org_module" not in name}
    merged = module.get_merged_weight(1.0, layer.weight.shape)[0]
    ours = layer.weight + difference(parts, layer.weight)
    torch.testing.assert_close(ours, merged, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(ours, layer.weight, atol=1e-3)


@pytest.mark.parametrize("form", tiny_networks.FORMS)
@pytest.mark.parametrize("name", ["tiny-sd15", "tiny-sd2", "tiny-sdxl"])
def test_a_lora_of_each_form_changes_the_picture_and_leaves_no_trace(name: str, form: str, tmp_path: Path) -> None:
    model = loaded(name)
    before, plain = state(model), painted(model)
    lora = lora_of(tiny_networks.lora(model, form), tmp_path)
    with weights.apply(model, [Use(lora)]):
        changed = painted(model)
        touched = {key for key, tensor in state(model).items() if not torch.equal(tensor, before[key])}
    assert not torch.allclose(changed, plain)
    assert {key.split(".")[0] for key in touched} == {"unet", *(encoder.key for encoder in model.encoders)}
    assert same_bits(state(model), before)
    assert torch.equal(painted(model), plain)


def test_weights_come_back_bit_for_bit_in_half_precision_too(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    model.unet.half()
    before = state(model)
    lora = lora_of(tiny_networks.lora(model), tmp_path)
    with weights.apply(model, [Use(lora, Strengths(0.7, 0.3)), Use(lora, Strengths(-0.2, 1.3))]):
        assert not same_bits(state(model), before)
    assert same_bits(state(model), before)


def test_weights_come_back_when_the_job_fails(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    before = state(model)
    lora = lora_of(tiny_networks.lora(model), tmp_path)
    with pytest.raises(RuntimeError, match="cancelled"), weights.apply(model, [Use(lora)]):
        raise RuntimeError("cancelled")
    assert same_bits(state(model), before)


def test_strength_zero_is_as_without_the_lora(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    plain = painted(model)
    lora = lora_of(tiny_networks.lora(model), tmp_path)
    with weights.apply(model, [Use(lora, Strengths(0.0, 0.0))]):
        assert torch.equal(painted(model), plain)


def test_unet_and_text_encoder_have_strengths_of_their_own(tmp_path: Path) -> None:
    model = loaded("tiny-sdxl")
    before = state(model)
    lora = lora_of(tiny_networks.lora(model), tmp_path)
    for strength, parts in ((Strengths(1.0, 0.0), {"unet"}), (Strengths(0.0, 1.0), {"clip_l", "clip_g"})):
        with weights.apply(model, [Use(lora, strength)]):
            touched = {
                key.split(".")[0] for key, tensor in state(model).items() if not torch.equal(tensor, before[key])
            }
        assert touched == parts


def test_a_limited_rank_takes_the_first_columns_only(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    tensors = tiny_networks.lora(model)
    cut = {name: tensor.clone() for name, tensor in tensors.items()}
    for name, tensor in cut.items():
        if name.endswith("lora_up.weight"):
            tensor[:, 2:] = 0
    with weights.apply(model, [Use(lora_of(tensors, tmp_path), Strengths(dyn=2))]):
        limited = painted(model)
    with weights.apply(model, [Use(lora_of(cut, tmp_path))]):
        torch.testing.assert_close(painted(model), limited, rtol=1e-4, atol=1e-5)


def renamed(tensors: dict[str, torch.Tensor], model: Model, spelling: str) -> dict[str, torch.Tensor]:
    """The same LoRA as another trainer writes it."""
    dotted = {name.replace(".", "_"): name for name, _ in model.unet.named_modules()}
    in_file = {str(model.unet_layout.in_file(name)).replace(".", "_"): name for name, _ in model.unet.named_modules()}
    texts = {name.replace(".", "_"): name for name, _ in model.encoders[-1].named_modules()}
    found = {}
    for key, tensor in tensors.items():
        flat, _, part = key.partition(".")
        if part == "alpha":
            continue
        side = "up" if "up" in part else "down"
        if flat.startswith(("lora_te1_", "lora_te_")):
            module, owner = texts[flat.removeprefix("lora_te1_").removeprefix("lora_te_")], "text_encoder"
        elif flat.startswith("lora_te2_"):
            module, owner = texts[flat.removeprefix("lora_te2_")], "text_encoder_2"
        else:
            flat = flat.removeprefix("lora_unet_")
            module, owner = dotted.get(flat) or in_file[flat], "unet"
        if owner == "unet" and spelling == "kohya as in the file":
            found[f"lora_unet_{str(model.unet_layout.in_file(module)).replace('.', '_')}.lora_{side}.weight"] = tensor
        elif owner == "unet" and spelling == "kohya as in diffusers":
            found[f"lora_unet_{module.replace('.', '_')}.lora_{side}.weight"] = tensor
        elif spelling.startswith("kohya"):
            found[key] = tensor
        elif spelling == "peft":
            found[f"{owner}.{module}.lora_{'B' if side == 'up' else 'A'}.weight"] = tensor
        else:
            found[f"{owner}.{module}.lora.{side}.weight"] = tensor
    return found


@pytest.mark.parametrize("spelling", ["kohya as in the file", "kohya as in diffusers", "peft", "diffusers"])
@pytest.mark.parametrize("name", ["tiny-sd15", "tiny-sdxl"])
def test_the_names_of_every_trainer_mean_the_same(name: str, spelling: str, tmp_path: Path) -> None:
    model = loaded(name)
    tensors = {key: part for key, part in tiny_networks.lora(model).items() if not key.endswith("alpha")}
    with weights.apply(model, [Use(lora_of(tensors, tmp_path))]):
        expected = state(model)
    with weights.apply(model, [Use(lora_of(renamed(tensors, model, spelling), tmp_path))]):
        assert same_bits(state(model), expected)


def test_the_oldest_names_of_diffusers_mean_the_same(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    attention = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    up, down = torch.randn(32, 4), torch.randn(4, 32)
    old = {f"unet.{attention}.processor.to_out_lora.{side}.weight": part for side, part in (("up", up), ("down", down))}
    new = {f"unet.{attention}.to_out.0.lora_{side}.weight": part for side, part in (("B", up), ("A", down))}
    with weights.apply(model, [Use(lora_of(new, tmp_path))]):
        expected = state(model)
    with weights.apply(model, [Use(lora_of(old, tmp_path))]):
        assert same_bits(state(model), expected)


def test_the_alpha_that_diffusers_keeps_in_the_metadata_counts(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    module = "unet.down_blocks.0.attentions.0.proj_in"
    tensors = {f"{module}.lora_B.weight": torch.ones(32, 4, 1, 1), f"{module}.lora_A.weight": torch.ones(4, 32, 1, 1)}
    weight = model.unet.down_blocks[0].attentions[0].proj_in.weight
    before = weight.clone()
    adapter = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 2, "unet.r": 4})}
    with weights.apply(model, [Use(lora_of(tensors, tmp_path, adapter))]):
        # Each entry is 4 products of 1, times alpha through rank.
        torch.testing.assert_close(weight - before, torch.full_like(before, 2.0))


def test_a_lora_for_another_family_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    model, other = loaded("tiny-sd15"), loaded("tiny-sdxl")
    before = state(model)
    lora = lora_of(tiny_networks.lora(other), tmp_path)
    says = r"'tiny\.safetensors' does not fit 'tiny-sd15\.safetensors'"
    with pytest.raises(JobError, match=says), weights.apply(model, [Use(lora)]):
        pass
    assert same_bits(state(model), before)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("lora_unet_double_blocks_0_img_attn_proj.lora_up.weight", None),
        ("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", "FLUX"),
        ("model.diffusion_model.input_blocks.0.0.weight", None),
        ("lora_unet_conv_in.a1.weight", "GLoRA"),
        ("lora_unet_conv_in.surprise", "surprise"),
    ],
)
def test_what_is_no_lora_that_is_known_is_refused_by_name(key: str, says: str | None, tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    with pytest.raises(JobError) as refused, weights.apply(model, [Use(lora_of({key: torch.ones(4, 4)}, tmp_path))]):
        pass
    assert refused.value.code == "model_unsupported"
    assert "tiny.safetensors" in refused.value.message
    assert says is None or says in refused.value.message


def test_numbers_where_matrices_should_be_are_refused_and_change_nothing(tmp_path: Path) -> None:
    model = loaded("tiny-sd15")
    before = state(model)
    numbers = {key: torch.ones(()) for key in tiny_networks.lora(model)}
    with pytest.raises(JobError, match="no matrix"), weights.apply(model, [Use(lora_of(numbers, tmp_path))]):
        pass
    assert same_bits(state(model), before)


def test_embeddings_that_are_bundled_in_a_lora_come_with_it(tmp_path: Path) -> None:
    tensors = tiny_networks.lora(loaded("tiny-sd15")) | {"bundle_emb.cat.string_to_param.*": torch.ones(2, 32)}
    (found,) = lora_of(tensors, tmp_path).embeddings
    assert found.name == "cat"
    assert found.vectors[None].shape == (2, 32)
