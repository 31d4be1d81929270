"""CUDA's random numbers on any processor.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) and the Box–Muller transform, put
together as cuRAND and torch do it: each number of a tensor has a counter of its own.
"""

import math
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF

Words: TypeAlias = NDArray[np.uint64]
"""Whole numbers below 2**32, in 64 bits so that their products fit."""


class PhiloxGenerator:
    """Gives what `torch.randn(shape, device="cuda")` gives after `torch.manual_seed(seed)`, call after call.

    That is true up to rounding, and for tensors that one wave of the card's threads fills (all latents up to about
    1024 pixels a side on most cards).
    """

    def __init__(self, seed: int) -> None:
        self._key = (seed & LOW, seed >> 32 & LOW)
        self._calls = 0

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        """The next tensor of this shape, float32, on the CPU."""
        count = math.prod(shape)
        first, second, _, _ = philox(self._counter(count), self._key)
        self._calls += 1
        return torch.from_numpy(_normal(first, second).astype(np.float32)).reshape(shape)

    def _counter(self, count: int) -> tuple[Words, Words, Words, Words]:
        places = np.arange(count, dtype=np.uint64)
        nothing = np.zeros(count, dtype=np.uint64)
        return nothing + np.uint64(self._calls), nothing, places, nothing


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Ten rounds of Philox4x32: four random words for each counter of four words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (product1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            product1 & np.uint64(LOW),
            (product0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            product0 & np.uint64(LOW),
        )
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return c0, c1, c2, c3


def _normal(first: Words, second: Words) -> NDArray[np.float64]:
    """The sine half of Box–Muller, from words that are moved to the middle of their steps so that none becomes 0."""
    step = float(np.float32(2**-32))
    turn = float(np.float32(2**-32 * 2 * math.pi))
    radius = np.sqrt(-2.0 * np.log(first * step + step / 2))
    return radius * np.sin(second * turn + turn / 2)
