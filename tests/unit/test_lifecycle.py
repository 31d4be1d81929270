"""Random events over stores in memory. `tests/support/lifecycle.py` has the events and what must always hold."""

from typing import Any, cast

from hypothesis import HealthCheck, settings

from darkroom.checkpoints.model import ModelKey
from darkroom.checkpoints.networks import Networks
from darkroom.images.service import Images
from tests.support.lifecycle import SHARDS, Clock, Lifecycle, World
from tests.support.memory import MemoryBookmarks, MemoryJobs, MemoryOutputs


class ModelRegistry:
    """A registry without model files, for prompts that name none."""

    def active_names(self, kind: str) -> list[str]:
        return []

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        return ()


def in_memory() -> World:
    """A world without AWS."""
    clock, outputs, registry = Clock(), MemoryOutputs(), cast(Any, ModelRegistry())
    return World(
        clock=clock,
        store=MemoryJobs(clock, SHARDS),
        bookmarks=MemoryBookmarks(),
        outputs=outputs,
        images=Images(cast(Any, None), 90),
        networks=Networks(registry, clock),
        objects=lambda: list(outputs.objects),
        put=outputs.objects.__setitem__,
        registry=registry,
    )


class InMemory(Lifecycle):
    world = staticmethod(in_memory)


TestLifecycle = InMemory.TestCase
TestLifecycle.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
