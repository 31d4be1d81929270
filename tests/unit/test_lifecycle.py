"""Random events over stores in memory. `tests/support/lifecycle.py` has the events and what must always hold."""

from typing import Any, cast

from hypothesis import HealthCheck, settings

from darkroom.checkpoints.model import ModelKey
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.images.service import Images
from darkroom.webui.spelling import KnownFile
from tests.support.lifecycle import SHARDS, Clock, Lifecycle, World
from tests.support.memory import MemoryBookmarks, MemoryJobs, MemoryOutputs, NoUses


class ModelRegistry:
    """A registry with one checkpoint."""

    def known_files(self, kind: str) -> list[KnownFile]:
        return [KnownFile("v1-5.safetensors")] if kind == "stable-diffusion" else []

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
        images=Images(cast(Any, None), NoUses(), 90),
        resolver=ModelResolver(registry, clock),
        objects=lambda: list(outputs.objects),
        put=outputs.objects.__setitem__,
        registry=registry,
    )


class InMemory(Lifecycle):
    world = staticmethod(in_memory)


TestLifecycle = InMemory.TestCase
TestLifecycle.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
