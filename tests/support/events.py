"""SageMaker's notifications, and SQS events made of them."""

import base64
import importlib
import json
from itertools import groupby
from typing import Any

from darkroom.jobs.model import answer_key
from darkroom.jobs.runs import Run
from tests.support.http import Context
from tests.support.pictures import png
from tests.support.stage import plain_client


def manifest(job_id: str, **more: Any) -> dict[str, Any]:
    """What a worker answers for a job of one picture."""
    image = {"key": f"jobs/{job_id}/output/0.png", "width": 64, "height": 64, "seed": 7, "infotext": "a\nSteps: 20"}
    return {"images": [image], "timings": {"run": 1.5}, **more}


TEST = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
"""What SageMaker sends when an endpoint is made or changed."""


def completed(job_id: str, answer: Any = None, run: int = 1) -> dict[str, Any]:
    """A success notification, with the answer included as base64 unless it is None."""
    message: dict[str, Any] = {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {"endpointName": "darkroom-test-a", "inputLocation": "s3://x/y"},
        "responseParameters": {
            "contentType": "application/json",
            "outputLocation": f"s3://pictures/{answer_key(job_id, run)}",
        },
        "inferenceId": Run(job_id, run).name,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if answer is not None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        message["responseBody"] = {"content": base64.b64encode(text.encode()).decode(), "encoding": "BASE64"}
    return message


def failed(job_id: str, reason: str | None = "ModelError: out of memory", run: int = 1) -> dict[str, Any]:
    """A failure notification as seen in the wild: a reason and no responseParameters."""
    message = completed(job_id, run=run) | {"invocationStatus": "Failed"}
    del message["responseParameters"]
    return message | ({"failureReason": reason} if reason is not None else {})


def expired(job_id: str, run: int = 1) -> dict[str, Any]:
    """The notification of a request whose time in line was over."""
    return failed(job_id, None, run) | {"invocationStatus": "Expired"}


def stopped(job_id: str, run: int = 1) -> dict[str, Any]:
    """The answer of a worker that was shut down while it had the job."""
    return completed(job_id, {"error": {"code": "worker_stopped", "message": "The worker was shut down."}}, run)


def progress(job_id: str, share: float) -> dict[str, Any]:
    """What a worker reports while it paints."""
    started = "2026-01-01T00:00:00Z"
    return {"event": "darkroom.progress", "job_id": job_id, "progress": share, "started_at": started}


def deliver(*messages: Any, painted: bool = True) -> list[str]:
    """Hand messages to the function of their queue, neighbours of one queue as one SQS batch; returns the ids of those
    given back.

    A worker stores its pictures before it answers, so those that a manifest names are put into S3 first, as far as they
    are not there; not with `painted=False`.
    """
    if painted:
        for key in {key for message in messages for key in pictures_of(message)}:
            put_picture(key)
    given_back: list[str] = []
    for function, neighbours in groupby(enumerate(messages), key=lambda numbered: _function_of(numbered[1])):
        numbers, batch = zip(*neighbours, strict=True)
        given_back += [str(numbers[int(place)]) for place in deliver_to(function, *batch)]
    return given_back


def _function_of(message: Any) -> str:
    """Workers put their progress into a queue of its own."""
    is_progress = isinstance(message, dict) and message.get("event") == "darkroom.progress"
    return "job_progress" if is_progress else "job_events"


def pictures_of(message: Any) -> list[str]:
    """The keys under a job's own output that the answer in a notification names."""
    try:
        images = json.loads(base64.b64decode(message["responseBody"]["content"]))["images"]
        prefix = f"jobs/{message['inferenceId'].partition('.')[0]}/output/"
        return [image["key"] for image in images if image["key"].startswith(prefix)]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return []


def put_picture(key: str) -> None:
    """Store a picture as a worker does, unless it is there."""
    s3 = plain_client("s3")
    if not s3.list_objects_v2(Bucket="pictures", Prefix=key).get("KeyCount"):
        s3.put_object(Bucket="pictures", Key=key, Body=png(), ContentType="image/png")


def deliver_to(function: str, *messages: Any) -> list[str]:
    """The same for any function behind a queue."""
    handler = importlib.import_module(f"functions.{function}.handler").handler
    records = [
        {
            "messageId": str(number),
            "receiptHandle": "r",
            "body": message if isinstance(message, str) else json.dumps(message),
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:events",
            "awsRegion": "us-east-1",
        }
        for number, message in enumerate(messages)
    ]
    answer = handler({"Records": records}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
