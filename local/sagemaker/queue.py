"""The queue of each endpoint: which invocation runs next, and how many run at once."""

import asyncio
import logging

from botocore.exceptions import BotoCoreError

from local.sagemaker.backlog import Backlog, Work
from local.sagemaker.clock import Clock
from local.sagemaker.endpoints import SERVING, Endpoints
from local.sagemaker.execution import Execution
from local.sagemaker.knobs import Chance
from local.sagemaker.notifications import notices
from local.sagemaker.protocol import Document
from local.sagemaker.worker import WorkerUnreachable

RETRY_SECONDS = 1.0
"""After how many seconds an invocation is tried again when worker or S3 did not answer."""

TICK_SECONDS = 0.2
DEFAULT_CONCURRENCY = 1
"""Invocations at once on an instance when MaxConcurrentInvocationsPerInstance is not given: SageMaker then
chooses a number of its own.
"""

log = logging.getLogger(__name__)


class Queue:
    """Starts waiting invocations in order, as many at once as their endpoint may run."""

    def __init__(
        self,
        endpoints: Endpoints,
        backlog: Backlog,
        execution: Execution,
        chance: Chance,
        region: str,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._backlog = backlog
        self._execution = execution
        self._chance = chance
        self._region = region
        self._clock = clock
        self._running: dict[str, set[asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Check the queue at once, because an invocation was added or an endpoint changed."""
        self._changed.set()

    async def serve_for_ever(self) -> None:
        """Start the invocations that may run, after every change and at every tick. When this task is cancelled,
        running invocations are stopped, and wait for the next start.
        """
        self._backlog.give_back_all()
        try:
            while True:
                self._changed.clear()
                for endpoint in self._endpoints.all():
                    self._start(endpoint)
                try:
                    await asyncio.wait_for(self._changed.wait(), TICK_SECONDS)
                except TimeoutError:
                    continue
        finally:
            tasks = [task for running in self._running.values() for task in running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._backlog.give_back_all()

    def _start(self, endpoint: Document) -> None:
        name = endpoint["EndpointName"]
        running = self._running.setdefault(name, set())
        while endpoint["EndpointStatus"] in SERVING and len(running) < _capacity(endpoint):
            work = self._backlog.take(name, self._clock())
            if work is None:
                return
            task = asyncio.create_task(self._run(work))
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(self._ended)

    async def _run(self, work: Work) -> None:
        invocation = work.invocation
        log.info("invocation %s running on %s", invocation.inference_id, invocation.endpoint)
        try:
            outcome = await self._execution.run(work)
        except (WorkerUnreachable, BotoCoreError) as error:
            self._backlog.give_back(work.sequence, self._clock() + RETRY_SECONDS)
            log.warning("invocation %s waiting again: %s", invocation.inference_id, type(error).__name__)
            return
        sent = notices(invocation, outcome, self._chance, work.sequence, self._region, self._clock())
        self._backlog.settle(work.sequence, sent)
        state = "expired" if outcome.expired else "failed" if outcome.reason else "completed"
        log.info("invocation %s %s on %s", invocation.inference_id, state, invocation.endpoint)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.wake()
        if not task.cancelled() and (error := task.exception()):
            log.error("an invocation stays running until the next start", exc_info=error)


def instances(endpoint: Document) -> int:
    """How many instances of an endpoint run now, over all its variants."""
    return sum(variant["CurrentInstanceCount"] for variant in endpoint["ProductionVariants"])


def _capacity(endpoint: Document) -> int:
    client = endpoint.get("AsyncInferenceConfig", {}).get("ClientConfig", {})
    capacity: int = instances(endpoint) * client.get("MaxConcurrentInvocationsPerInstance", DEFAULT_CONCURRENCY)
    return capacity
