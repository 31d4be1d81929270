"""SageMaker's notifications, and SQS events made of them."""

import base64
import importlib
import json
from typing import Any

from tests.support.http import Context


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


def deliver(*messages: Any) -> list[str]:
    """Hand messages to the job_events function as one SQS batch; returns the ids of those given back."""
    return deliver_to("job_events", *messages)


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
