"""The calls of clients that make jobs: one idempotent job each, which outlives its client for a minute."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from darkroom_bridge.threads import Run
from darkroom_bridge.waiter import Waiter
from darkroom_client import Darkroom
from darkroom_client.answers import Job
from darkroom_client.errors import Failure, Refused

_AT_ONCE = 8
"""Jobs of one call that are made side by side."""
_PAUSES = (1.0, 3.0)
"""Seconds before a job is handed in again that Darkroom did not answer for (500 to 504): the key is the same."""

log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client closed its connection before its answer was there."""


@dataclass(frozen=True)
class Order:
    """What a call wants: the jobs to submit, each by a function that returns its body; it is dropped once its job is
    made, for it holds the pictures. `digest` is the same for equal
    requests. `address` is the client's; `task` is the `force_task_id` that it sent. `steps` and `batches` are what its
    progress counts."""

    what: str
    bodies: list[Callable[[], dict[str, Any]]]
    digest: str
    address: str
    task: str | None = None
    steps: int = 0
    batches: int = 1


@dataclass(eq=False)
class Call:
    """A call that is open, or whose client broke off. `jobs` are its jobs as they were last seen, by id."""

    order: Order
    key: str
    jobs: dict[str, Job] = field(default_factory=dict)
    looked: float = float("-inf")
    alive: bool = True
    stopped: bool = False
    task: "asyncio.Task[list[Job]] | None" = None
    timer: "asyncio.Task[None] | None" = None

    @property
    def open(self) -> bool:
        """Whether its jobs have not all ended."""
        return self.task is None or not self.task.done()


class Calls:
    """The calls of one key. All methods are called from one event loop."""

    def __init__(
        self, darkroom: Darkroom, run: Run, grace: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._darkroom = darkroom
        self._run = run
        self._grace = grace
        self._sleep = sleep
        self._calls: list[Call] = []
        self._unsure: dict[str, tuple[str, float]] = {}
        self.waiter = Waiter(darkroom, run, self._note)

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def open(self) -> list[Call]:
        """Those whose jobs have not all ended, the newest last."""
        return [call for call in self._calls if call.open]

    def newest(self, address: str, task: str | None = None) -> Call | None:
        """The newest open call from an address, or the one with this `force_task_id`; None when there is none."""
        own = [call for call in self.open if call.order.address == address]
        if task:
            own = [call for call in own if call.order.task == task]
        return own[-1] if own else None

    async def serve(self, order: Order, gone: Awaitable[object]) -> list[Job]:
        """Make the jobs of an order and wait for their ends, in the order of its bodies; or take over those of an equal
        request whose client broke off. `gone` ends when the client breaks off: that raises ClientGone, and after the
        grace the jobs are cancelled. Raises what the client raises when a job cannot be made."""
        call = self._left(order.digest) or self._begin(order)
        call.alive = True
        if call.timer:
            call.timer.cancel()
        work = call.task = call.task or asyncio.create_task(self._work(call))
        leaving = asyncio.ensure_future(gone)
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGone
            self._calls.remove(call)
            return work.result()
        except (ClientGone, asyncio.CancelledError):
            self._leave(call)
            raise
        finally:
            leaving.cancel()

    async def stop(self, call: Call) -> None:
        """Cancel the jobs of a call; those that are not made yet are cancelled as soon as they are."""
        call.stopped = True
        await asyncio.gather(*(self._cancel(job) for job in list(call.jobs.values())))

    async def close(self) -> int:
        """Cancel all open jobs, for nobody can get their results any more; returns how many."""
        left = self.open
        await asyncio.gather(*(self.stop(call) for call in left), return_exceptions=True)
        tasks = [task for call in self._calls for task in (call.task, call.timer) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.waiter.close()
        return sum(len(call.jobs) for call in left)

    def _left(self, digest: str) -> Call | None:
        """The call of an equal request whose client broke off, unless it is being cancelled or came to nothing."""
        left = (call for call in self._calls if not call.alive and not call.stopped and call.order.digest == digest)
        return next((call for call in left if call.open or (call.task and call.task.exception() is None)), None)

    def _begin(self, order: Order) -> Call:
        call = Call(order, self._key_for(order.digest))
        self._calls.append(call)
        return call

    def _key_for(self, digest: str) -> str:
        """A new idempotency key; that of the call before when nobody knows whether its job was made."""
        key, since = self._unsure.pop(digest, ("", 0.0))
        return key if key and time.monotonic() - since < self._grace else uuid.uuid4().hex

    async def _work(self, call: Call) -> list[Job]:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> Job:
            async with limit:
                job = await self._submitted(call, number)
            return await self.waiter.ended(job)

        return list(await asyncio.gather(*map(one, range(len(call.order.bodies)))))

    async def _submitted(self, call: Call, number: int) -> Job:
        bodies, key = call.order.bodies, f"{call.key}-{number}"
        for pause in (*_PAUSES, None):
            try:
                job: Job = await self._run(lambda: self._darkroom.submit(bodies[number](), key))
                break
            except (httpx.TransportError, Refused) as error:
                unsure = not isinstance(error, Refused) or error.status >= 500
                if unsure:
                    self._remember(call)
                # The client has tried lost connections again by itself.
                if pause is None or not unsure or not isinstance(error, Refused):
                    raise
                await self._sleep(pause)
        bodies[number] = dict
        call.jobs[job["id"]] = job
        log.info("%s: job %s", call.order.what, job["id"])
        if call.stopped:
            await self._cancel(job)
            return call.jobs[job["id"]]
        return job

    def _remember(self, call: Call) -> None:
        """Nobody knows whether the job of this call was made: a repeat within the grace asks with the same key."""
        now = time.monotonic()
        recent = {digest: kept for digest, kept in self._unsure.items() if now - kept[1] < self._grace}
        self._unsure = recent | {call.order.digest: (call.key, now)}

    def _leave(self, call: Call) -> None:
        call.alive = False
        call.timer = asyncio.create_task(self._expire(call))

    async def _expire(self, call: Call) -> None:
        await self._sleep(self._grace)
        if call.open:
            log.info("%s: its client broke off a while ago; it is cancelled.", call.order.what)
            await self.stop(call)
        if call.task:
            await asyncio.gather(call.task, return_exceptions=True)
        if call in self._calls:
            self._calls.remove(call)

    async def _cancel(self, job: Job) -> None:
        """Cancel a job; one that has ended meanwhile, or is gone, needs no cancel."""
        try:
            self.waiter.tell(await self._run(self._darkroom.cancel, job["id"]))
        except Refused as refused:
            if refused.status not in (404, 409):
                log.warning("The job %s cannot be cancelled: %s", job["id"], refused.code)
        except (httpx.TransportError, Failure) as error:
            log.warning("The job %s cannot be cancelled: %s", job["id"], type(error).__name__)

    def _note(self, job: Job) -> None:
        for call in self._with(job["id"]):
            call.jobs[job["id"]] = job
            call.looked = time.monotonic()

    def _with(self, job_id: str) -> Iterator[Call]:
        return (call for call in self._calls if job_id in call.jobs)
