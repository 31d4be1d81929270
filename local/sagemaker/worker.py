"""Calling the worker over HTTP, as SageMaker calls a container."""

from dataclasses import dataclass

import httpx

from local.sagemaker.backlog import Invocation


@dataclass(frozen=True)
class Answer:
    """The worker's answer: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


class WorkerUnreachable(Exception):
    """The worker does not listen. The invocation waits, as it would for a healthy instance."""


class WorkerBroke(Exception):
    """The connection was closed before the answer, as when the container crashes."""


async def ask(client: httpx.AsyncClient, invocation: Invocation, body: bytes) -> Answer:
    """POST a body to the worker's `/invocations`; `client` has the worker's base URL.

    Raises WorkerUnreachable and WorkerBroke. There is no timeout here; the caller sets one.
    """
    headers = {
        "Content-Type": invocation.content_type or "application/octet-stream",
        "Accept": invocation.accept or "*/*",
    }
    if invocation.custom_attributes is not None:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = invocation.custom_attributes
    try:
        response = await client.post("/invocations", content=body, headers=headers, timeout=None)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise WorkerUnreachable from error
    except httpx.TransportError as error:
        raise WorkerBroke from error
    content_type = response.headers.get("content-type", "application/octet-stream")
    return Answer(response.status_code, content_type, response.content)
