"""What putting a LoRA on and off costs a GPU: counted, as there is none here."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC2701 - torch documents it under this name

from tests.worker.files import loaded, same_bits, state
from worker.engines.diffusers import loras, tiny, tiny_networks, weights
from worker.engines.diffusers.weights import Use


class Counted(TorchDispatchMode):
    """Counts what is sent to a device, by the name of the operation; views are free."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and "empty" not in func.__name__ and "detach" not in func.__name__:
            self.calls[func.__name__.partition(".")[0]] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_lora_costs_one_product_for_each_weight_and_one_copy_each_way(
    layout: torch.memory_format, tmp_path: Path
) -> None:
    model = loaded("tiny-sdxl")
    model.unet.to(memory_format=layout)
    whole = tiny_networks.lora(model)
    # Of matrices alone; kernels of convolutions that lie in channels_last are added in another way.
    matrices = {key.partition(".")[0] for key, part in whole.items() if part.dim() == 2}
    tensors = {key: part for key, part in whole.items() if key.partition(".")[0] in matrices}
    path = tiny.write(tmp_path / "lora.safetensors", tensors)
    lora = loras.read(path, path.name)
    before, many = state(model), len(lora.modules)
    assert many > 50
    places = {name: weight.data_ptr() for name, weight in model.unet.named_parameters()}
    worn = weights.apply(model, [Use(lora)])
    with Counted() as merging:
        worn.__enter__()
    assert merging.calls["addmm_"] == many
    assert merging.calls["_foreach_copy_"] == 1
    # The tiny file is in half precision and the weights are not; nothing else is done for each weight.
    assert set(merging.calls) <= {"addmm_", "_foreach_copy_", "_to_copy", "_local_scalar_dense"}
    assert not same_bits(state(model), before)
    with Counted() as restoring:
        worn.__exit__(None, None, None)
    assert restoring.calls == {"_foreach_copy_": 1}
    assert same_bits(state(model), before)
    assert places == {name: weight.data_ptr() for name, weight in model.unet.named_parameters()}


def test_a_file_goes_to_a_device_in_one_transfer_for_each_precision() -> None:
    tensors = {
        f"{n}.{dtype}": torch.ones(n + 2, 3, dtype=dtype) for n in range(50) for dtype in (torch.half, torch.float)
    }
    tensors |= {f"{n}.alpha": torch.tensor(4.0) for n in range(50)}
    with Counted() as counted:
        found = loras.moved(tensors, "meta")
    assert counted.calls["_to_copy"] == 2
    for name, tensor in tensors.items():
        assert (found[name].shape, found[name].dtype) == (tensor.shape, tensor.dtype)
        assert found[name].is_meta is (tensor.numel() > 1)


def test_what_is_moved_is_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    # `cpu:0` is another word for the processor, which is not taken as it is.
    tensors = {str(n): torch.randn(n, 5) for n in range(1, 40)} | {"half": torch.randn(7, 3).half()}
    found = loras.moved(tensors, "cpu:0")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert all(tensor.storage_offset() % loras.ALIGNED == 0 for tensor in found.values())
