"""Calls of the client, which block, beside the event loop."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")
AT_ONCE = 10
"""Requests of one key at the same time: as many as the functions of a new AWS account run. They take parts of a second,
for nobody waits for a job's end in a thread."""

Run = Callable[..., Awaitable[Any]]
"""Calls a function with arguments in a thread, and returns what it returns."""


def runner() -> Run:
    """Something that runs functions in at most AT_ONCE threads. Made inside an event loop."""
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def run(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return await anyio.to_thread.run_sync(
            partial(function, *arguments, **named), abandon_on_cancel=True, limiter=limiter
        )

    return run
