"""Whatever happens to jobs, over twins in memory: `tests/support/lifecycle.py` says what may happen and must hold."""

from typing import Any, cast

from hypothesis import HealthCheck, settings

from darkroom.checkpoints.model import ModelKey
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.images.service import Images
from darkroom.webui.spelling import KnownFile
from tests.support.lifecycle import SHARDS, Clock, Lifecycle, World
from tests.support.memory import MemoryBookmarks, MemoryJobs, MemoryOutputs, NoUses


class ModelRegistry:
    """A shelf with one checkpoint."""

    def known_files(self, kind: str) -> list[KnownFile]:
        return [KnownFile("v1-5.safetensors")] if kind == "stable-diffusion" else []

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        return ()


def in_memory() -> World:
    clock, outputs = Clock(), MemoryOutputs()
    return World(
        clock=clock,
        store=MemoryJobs(clock, SHARDS),
        bookmarks=MemoryBookmarks(),
        outputs=outputs,
        images=Images(cast(Any, None), NoUses(), 90),
        resolver=ModelResolver(cast(Any, ModelRegistry()), clock),
        objects=lambda: list(outputs.objects),
        put=outputs.objects.__setitem__,
    )


class InMemory(Lifecycle):
    world = staticmethod(in_memory)


TestLifecycle = InMemory.TestCase
TestLifecycle.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
