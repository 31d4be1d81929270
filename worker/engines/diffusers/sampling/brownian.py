"""A Brownian path that can be asked for any part in any order, and always is the same path.

It is the tree that torchsde calls BrownianTree: each node is a part of the path, its halves are drawn from a seed of
their own, so any part follows from one seed. Own code, because torchsde can draw from torch's generators only, and
Philox must be possible on any processor; the tests compare the two.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

DIGITS = 6
"""Times are rounded to so many places; the tree is never deeper than that."""
POOL = 24


@dataclass(frozen=True)
class _Node:
    """The part from `start` to `end`. `number` counts the nodes of one depth from the left."""

    start: float
    end: float
    number: int = 0
    depth: int = 0

    def halves(self) -> tuple["_Node", "_Node"]:
        middle = round(0.5 * (self.end + self.start), DIGITS)
        return (
            _Node(self.start, middle, 2 * self.number, self.depth + 1),
            _Node(middle, self.end, 2 * self.number + 1, self.depth + 1),
        )


class BrownianTree:
    """A Brownian path from time `start` to `end`. `draw` gives standard normal numbers for a seed, always the same."""

    def __init__(self, draw: Callable[[int], Tensor], start: float, end: float, seed: int) -> None:
        self._draw = draw
        self._seed = seed
        self._root = _Node(round(start, DIGITS), round(end, DIGITS))
        first = np.random.SeedSequence(seed, pool_size=POOL).generate_state(3)[0]
        self._whole = draw(int(first)) * math.sqrt(end - start)
        self._known: dict[_Node, Tensor] = {}

    def between(self, start: float, end: float) -> Tensor:
        """How far the path moves between two times, start before end; what is outside of the path is cut off."""
        first, last = (round(min(max(time, self._root.start), self._root.end), DIGITS) for time in (start, end))
        # Only what this call meets is kept: the next call is beside it, and a tensor a node would fill the memory.
        known, self._known = self._known, {self._root: self._whole}
        parts = [self._known[node] for node in self._parts(self._root, first, last, known)]
        return sum(parts[1:], parts[0]) if parts else self._whole * 0

    def _parts(self, node: _Node, start: float, end: float, known: dict[_Node, Tensor]) -> Iterator[_Node]:
        """The fewest nodes that together reach from start to end, from left to right."""
        if start == end:
            return
        if (start, end) == (node.start, node.end):
            yield node
            return
        left, right = node.halves()
        self._split(node, left, right, known)
        if start < left.end:
            yield from self._parts(left, start, min(end, left.end), known)
        if end > right.start:
            yield from self._parts(right, max(start, right.start), end, known)

    def _split(self, node: _Node, left: _Node, right: _Node, known: dict[_Node, Tensor]) -> None:
        if left not in known:
            seeds = np.random.SeedSequence(self._seed, spawn_key=(node.number, node.depth), pool_size=POOL)
            noise = self._draw(int(seeds.generate_state(4)[0]))
            share = 1 / (node.end - node.start)
            before, after = left.end - left.start, right.end - right.start
            moved = before * self._known[node] * share
            known[left] = moved + math.sqrt(before * after * share) * noise
            known[right] = self._known[node] - known[left]
        self._known[left], self._known[right] = known[left], known[right]
