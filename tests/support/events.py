"""SageMaker's notifications, and SQS events made of them."""

import base64
import importlib
import json
from typing import Any

from tests.support.http import Context
from tests.support.pictures import png
from tests.support.stage import plain_client


def manifest(job_id: str, **more: Any) -> dict[str, Any]:
    """What a worker answers for a job of one picture."""
    image = {"key": f"jobs/{job_id}/output/0.png", "width": 64, "height": 64, "seed": 7, "infotext": "a\nSteps: 20"}
    return {"images": [image], "timings": {"run": 1.5}, **more}


def completed(job_id: str, answer: Any = None) -> dict[str, Any]:
    """A success notification, with the answer included as base64 unless it is None."""
    message: dict[str, Any] = {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {"endpointName": "darkroom-test-a", "inputLocation": "s3://x/y"},
        "responseParameters": {
            "contentType": "application/json",
            "outputLocation": f"s3://pictures/jobs/{job_id}/output/response.json",
        },
        "inferenceId": job_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if answer is not None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        message["responseBody"] = {"content": base64.b64encode(text.encode()).decode(), "encoding": "BASE64"}
    return message


def failed(job_id: str, reason: str | None = "ModelError: out of memory") -> dict[str, Any]:
    """A failure notification as seen in the wild: a reason and no responseParameters."""
    message = completed(job_id) | {"invocationStatus": "Failed"}
    del message["responseParameters"]
    return message | ({"failureReason": reason} if reason is not None else {})


def progress(job_id: str, share: float) -> dict[str, Any]:
    """What a worker reports while it paints."""
    started = "2026-01-01T00:00:00Z"
    return {"event": "darkroom.progress", "job_id": job_id, "progress": share, "started_at": started}


def deliver(*messages: Any, painted: bool = True) -> list[str]:
    """Hand messages to the job_events function as one SQS batch; returns the ids of those given back.

    A worker stores its pictures before it answers, so those that a manifest names are put into S3 first, as far as they
    are not there; not with `painted=False`.
    """
    if painted:
        for key in {key for message in messages for key in pictures_of(message)}:
            put_picture(key)
    return deliver_to("job_events", *messages)


def pictures_of(message: Any) -> list[str]:
    """The keys under a job's own output that the answer in a notification names."""
    try:
        images = json.loads(base64.b64decode(message["responseBody"]["content"]))["images"]
        prefix = f"jobs/{message['inferenceId']}/output/"
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
