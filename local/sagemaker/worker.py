"""The worker behind an endpoint, asked over HTTP as SageMaker asks a container."""

from dataclasses import dataclass

import httpx

from local.sagemaker.backlog import Invocation


@dataclass(frozen=True)
class Answer:
    """What the worker said: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


class WorkerUnreachable(Exception):
    """Nobody listens: there is no healthy instance, and the request waits for one."""


class WorkerBroke(Exception):
    """The connection ended in the middle: the container died over this request."""


async def ask(client: httpx.AsyncClient, invocation: Invocation, body: bytes) -> Answer:
    """POST a body to the worker's `/invocations`; `client` has the worker's base URL.

    Raises WorkerUnreachable and WorkerBroke; the caller minds the time.
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
