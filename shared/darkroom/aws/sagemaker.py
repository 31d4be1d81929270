"""SageMaker asynchronous inference."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from darkroom.errors import Throttled
from darkroom.jobs.model import JobTimeouts, answer_name, output_prefix
from darkroom.jobs.ports import EndpointRefused
from darkroom.jobs.runs import Run

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker_runtime import SageMakerRuntimeClient

MAX_INLINE_BODY = 128_000
"""Bytes that InvokeEndpointAsync takes as `Body` (botocore's service model of sagemaker-runtime)."""
_T = TypeVar("_T")
THROTTLED_TRIES = 3
_REFUSALS = frozenset({"ValidationError", "ValidationException", "ResourceNotFound", "ModelNotReadyException"})


class SageMakerInference:
    """`darkroom.jobs.ports.Inference`: InvokeEndpointAsync with the body inline, or in S3 when it is too large."""

    def __init__(self, runtime: "SageMakerRuntimeClient", s3: "S3Client", bucket: str, timeouts: JobTimeouts) -> None:
        self._runtime = runtime
        self._s3 = s3
        self._bucket = bucket
        self._timeouts = timeouts

    def invoke(self, endpoint: str, run: Run, body: bytes) -> tuple[str, str | None]:
        """See `Inference.invoke`: one call, two for a body over 128,000 bytes."""
        where = {"Body": body} if len(body) <= MAX_INLINE_BODY else {"InputLocation": self._put(run.job_id, body)}
        call = partial(
            self._runtime.invoke_endpoint_async,
            EndpointName=endpoint,
            ContentType="application/json",
            InferenceId=run.name,
            S3OutputPathExtension=output_prefix(run.job_id).rstrip("/"),
            Filename=answer_name(run.number),
            RequestTTLSeconds=self._timeouts.queue,
            InvocationTimeoutSeconds=self._timeouts.run,
            **where,
        )
        try:
            answer = _unless_throttled(call)
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSALS:
                raise EndpointRefused(error.response["Error"].get("Message", "no reason given")) from error
            raise
        return answer["OutputLocation"], answer.get("FailureLocation")

    def _put(self, job_id: str, body: bytes) -> str:
        key = f"jobs/{job_id}/input.json"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        return f"s3://{self._bucket}/{key}"


def _unless_throttled(call: Callable[[], _T]) -> _T:
    """Call again while SageMaker throttles: such a call was not carried out, so nothing can happen twice."""
    for attempt in range(THROTTLED_TRIES - 1):
        try:
            return call()
        except Throttled:
            time.sleep(random.uniform(0.1, 0.3) * 2**attempt)  # noqa: S311 - jitter
    return call()
