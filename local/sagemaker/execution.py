"""Carrying out one invocation, from its input to its file in S3."""

import asyncio
import logging

import httpx
from botocore.exceptions import ClientError

from local.sagemaker.aws import Cloud
from local.sagemaker.backlog import Invocation, Work
from local.sagemaker.clock import Clock, wait
from local.sagemaker.knobs import Chance
from local.sagemaker.notifications import Outcome
from local.sagemaker.worker import Answer, WorkerBroke, ask

GARBAGE = b'\x00{"garbage": \xff\xfe'
"""The answer that the knob `garbage_rate` makes: neither JSON nor text."""

log = logging.getLogger(__name__)


class Execution:
    """Sends invocations to the worker, with the faults that the knobs select."""

    def __init__(self, cloud: Cloud, worker: httpx.AsyncClient, chance: Chance, clock: Clock) -> None:
        self._cloud = cloud
        self._worker = worker
        self._chance = chance
        self._clock = clock

    async def run(self, work: Work) -> Outcome:
        """Send an invocation to the worker, and write the answer or the reason of the failure to S3.

        Raises WorkerUnreachable and botocore's connection errors. The invocation can then be run again without harm.
        """
        outcome = await self._outcome(work)
        if outcome.reason is None and outcome.answer:
            location, answer = work.invocation.output_location, outcome.answer
            try:
                await self._cloud.write(location, answer.body, answer.content_type)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                outcome = Outcome(f"ClientError: Unable to write the output to {location}: {code}", None)
        if outcome.reason is not None:
            await self._write_failure(work.invocation, outcome, outcome.reason)
        return outcome

    async def _outcome(self, work: Work) -> Outcome:
        invocation = work.invocation
        if work.expired:
            return Outcome("ClientError: The request expired in the queue.", None, expired=True)
        try:
            body = await self._input(work)
            async with asyncio.timeout(invocation.timeout_seconds):
                answer = await self._answer(work, body)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return Outcome(f"ClientError: Unable to read {invocation.input_location}: {code}", None)
        except TimeoutError:
            reason = f"no response from the model within {invocation.timeout_seconds} seconds"
            return Outcome(f"ClientError: The invocation timed out: {reason}.", None)
        except WorkerBroke:
            return Outcome("InternalServerError: The model closed the connection while it worked.", None)
        if 200 <= answer.status < 300:
            return Outcome(None, answer)
        return Outcome(_reason(answer.status), answer)

    async def _input(self, work: Work) -> bytes:
        if work.invocation.input_location:
            return await self._cloud.read(work.invocation.input_location)
        return work.body or b""

    async def _answer(self, work: Work, body: bytes) -> Answer:
        await wait(self._clock, self._chance.knobs.latency_seconds)
        if self._chance.fails(work.sequence):
            return Answer(500, "text/plain", b"the simulator was told to fail this one")
        answer = await ask(self._worker, work.invocation, body)
        if self._chance.happens("garbage_rate", work.sequence):
            return Answer(answer.status, answer.content_type, GARBAGE)
        return answer

    async def _write_failure(self, invocation: Invocation, outcome: Outcome, reason: str) -> None:
        """Write the failure file: the worker's answer if there is one, otherwise the reason. Without S3FailurePath
        there is no file."""
        if invocation.failure_location is None:
            return
        answer = outcome.answer or Answer(0, "text/plain", reason.encode())
        try:
            await self._cloud.write(invocation.failure_location, answer.body, answer.content_type)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            log.warning("invocation %s has no failure file: %s", invocation.inference_id, code)


def _reason(status: int) -> str:
    """SageMaker's message for an error status of the worker."""
    side = "client" if 400 <= status < 500 else "server"
    return (
        f"ClientError: Received {side} error ({status}) from model. "
        "See the SageMaker Endpoint logs in your account for more information."
    )
