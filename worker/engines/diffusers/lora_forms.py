"""The forms of LoRA: what each adds to a weight. The names of the tensors are those of kohya's and LyCORIS' files.

LoRA and LoCon (`up`, `down`, `mid`), LoHa (`hada_…`), LoKr (`lokr_…`), (IA)³ (`weight`, `on_input`), OFT
(`oft_blocks`), whole differences (`diff`), norms (`w_norm`), and DoRA (`dora_scale`) over those that are low-rank.
"""

from collections.abc import Callable, Mapping

import torch

Parts = Mapping[str, torch.Tensor]
"""The tensors that a file has for one module, by their names."""
REFUSED = {
    "a1.weight": "GLoRA",
    "b1.weight": "GLoRA",
    "bias_indices": "LoRA with sparse biases",
    "lambda_layer": "T-LoRA",
    "wd_for_diff": "DoRA of the difference",
    "lokr_t1": "LoKr with two cores",
}


def form_of(parts: Parts) -> Callable[[Parts, torch.Tensor, int | None], torch.Tensor] | None:
    """The function that makes the difference of a weight from `parts`; None for a form that is not known."""
    if parts.keys() & REFUSED.keys():
        return None
    return next((make for names, make in FORMS if names <= parts.keys()), None)


def difference(parts: Parts, weight: torch.Tensor, dyn: int | None = None) -> torch.Tensor:
    """What `parts` add to `weight` with strength 1, in full precision and in the shape of the weight.

    `dyn` limits the rank of a LoRA. ValueError for a form that is not known, or of another shape than the weight.
    """
    make = form_of(parts)
    if make is None:
        raise ValueError(f"unknown form: {', '.join(sorted(parts))}")
    whole = weight.float()
    try:
        added = make(parts, whole, dyn) * _scale(parts)
        if added.dim() == 4 and whole.dim() == 4 and (added.shape[1], whole.shape[1]) == (4, 9):
            # The first convolution of an inpainting model has five inputs more; those stay as they are.
            added = torch.nn.functional.pad(added, (0, 0, 0, 0, 0, 5))
        added = added.reshape(whole.shape)
    except RuntimeError as error:
        raise ValueError(f"of another shape than {tuple(weight.shape)}") from error
    return _decomposed(parts, whole, added) if "dora_scale" in parts else added


def plain_factors(parts: Parts, dyn: int | None) -> tuple[torch.Tensor, torch.Tensor, float] | None:
    """The two matrices and the scale of a plain LoRA, which are multiplied and added in one go; None for another
    form."""
    if "up" not in parts or "down" not in parts or parts.keys() & {"mid", "dora_scale"}:
        return None
    up, down = _matrix(parts["up"]), _matrix(parts["down"])
    return up[:, :dyn], down[:dyn], _scale(parts)


def _scale(parts: Parts) -> float:
    if "scale" in parts:
        return float(parts["scale"])
    rank = next(
        (parts[name].shape[0] for name in ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b") if name in parts), None
    )
    if rank is None or "alpha" not in parts:
        return 1.0
    return float(parts["alpha"]) / rank


def _matrix(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(tensor.shape[0], -1)


def _lora(parts: Parts, _: torch.Tensor, dyn: int | None) -> torch.Tensor:
    up, down = _matrix(parts["up"].float()), _matrix(parts["down"].float())
    if "mid" in parts:
        return torch.einsum("m n ..., i m, n j -> i j ...", parts["mid"].float(), up, down)
    return up[:, :dyn] @ down[:dyn]


def _loha(parts: Parts, _: torch.Tensor, __: int | None) -> torch.Tensor:
    def half(number: int) -> torch.Tensor:
        left, right = (parts[f"hada_w{number}_{side}"].float() for side in "ab")
        core = parts.get(f"hada_t{number}")
        if core is None:
            return left @ right
        return torch.einsum("i j ..., i p, j r -> p r ...", core.float(), left, right)

    return half(1) * half(2)


def _lokr(parts: Parts, _: torch.Tensor, __: int | None) -> torch.Tensor:
    def factor(number: int) -> torch.Tensor:
        whole = parts.get(f"lokr_w{number}")
        if whole is not None:
            return whole.float()
        left, right = (parts[f"lokr_w{number}_{side}"].float() for side in "ab")
        core = parts.get(f"lokr_t{number}")
        if core is None:
            return left @ right
        return torch.einsum("i j ..., i p, j r -> p r ...", core.float(), left, right)

    outer, inner = factor(1), factor(2)
    return torch.kron(outer.reshape(*outer.shape, *[1] * (inner.dim() - outer.dim())), inner.contiguous())


def _ia3(parts: Parts, weight: torch.Tensor, _: int | None) -> torch.Tensor:
    factors = parts["weight"].float().flatten()
    on_input = bool(parts["on_input"]) if "on_input" in parts else False
    ones = [1] * (weight.dim() - 2)
    return weight * factors.reshape(*((1, -1) if on_input else (-1, 1)), *ones)


def _oft(parts: Parts, weight: torch.Tensor, _: int | None) -> torch.Tensor:
    """Turns the outputs block by block. The blocks hold half of a skew matrix, whose Cayley transform turns."""
    blocks = parts["oft_blocks"].float()
    if blocks.dim() != 3:
        raise ValueError("unknown form: BOFT")
    skew = blocks - blocks.transpose(1, 2)
    constraint = float(parts["alpha"]) * weight.shape[0] if "alpha" in parts else 0.0
    if constraint > 0:
        norm = skew.norm() + 1e-8
        skew = skew * (norm.clamp(max=constraint) / norm)
    one = torch.eye(blocks.shape[1], device=blocks.device)
    turn = (one + skew) @ torch.linalg.inv(one - skew)
    cut = weight.reshape(blocks.shape[0], blocks.shape[1], -1)
    turned = torch.einsum("k n m, k n i -> k m i", turn, cut).reshape(weight.shape)
    if "rescale" in parts:
        turned = turned * parts["rescale"].float().reshape(-1, *[1] * (weight.dim() - 1))
    return turned - weight


def _whole(name: str) -> Callable[[Parts, torch.Tensor, int | None], torch.Tensor]:
    return lambda parts, _, __: parts[name].float()


def _decomposed(parts: Parts, weight: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
    """DoRA: the changed weight gets the length that the file says, for each output or each input."""
    length = parts["dora_scale"].float()
    by_output = length.dim() == 1 or (length.shape[0] == weight.shape[0] and length.numel() == length.shape[0])
    axis = 0 if by_output else 1
    shape = [1] * weight.dim()
    shape[axis] = -1
    changed = weight + added
    others = [dimension for dimension in range(weight.dim()) if dimension != axis]
    norms = torch.linalg.vector_norm(changed, dim=others) + torch.finfo(torch.float32).eps
    return changed * (length.flatten() / norms).reshape(shape) - weight


FORMS: tuple[tuple[set[str], Callable[[Parts, torch.Tensor, int | None], torch.Tensor]], ...] = (
    ({"up", "down"}, _lora),
    ({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}, _loha),
    ({"lokr_w1", "lokr_w2"}, _lokr),
    ({"lokr_w1", "lokr_w2_a", "lokr_w2_b"}, _lokr),
    ({"lokr_w1_a", "lokr_w1_b", "lokr_w2"}, _lokr),
    ({"lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"}, _lokr),
    ({"oft_blocks"}, _oft),
    ({"diff"}, _whole("diff")),
    ({"w_norm"}, _whole("w_norm")),
    ({"weight"}, _ia3),
)
"""The forms, by the tensors that each must have. The first that is found counts."""
