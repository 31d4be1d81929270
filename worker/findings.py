"""What an engine finds out about a job and tells under its pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Findings:
    """What an engine found out and the body does not say. Hashes are SHA-256 in hex.

    `hires_checkpoint` is the file of the second pass, with its hash. `mask_weight` is set for a model that sees the
    mask (an inpainting model). `noise_seed_delta` is the option ENSD where it changed the picture. `start_hash` is the
    hash of the picture that img2img starts from, if it is to be told. An `empty_mask` covers nothing, so that the whole
    picture is painted. `scripts` are the fields of scripts (ControlNet's
    units), `painted` those that came up while it was painted, in their order.
    """

    model_hash: str | None = None
    vae_hash: str | None = None
    hires_checkpoint: tuple[str, str] | None = None
    mask_weight: float | None = None
    noise_seed_delta: int | None = None
    start_hash: str | None = None
    empty_mask: bool = False
    scripts: Mapping[str, Any] = field(default_factory=dict)
    painted: Mapping[str, Any] = field(default_factory=dict)


NOTHING = Findings()
