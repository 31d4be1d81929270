"""What the routes share: reading a body, waiting for a job, fetching its pictures."""

import hashlib
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from darkroom_bridge import problems
from darkroom_bridge.answers import check
from darkroom_bridge.calls import ClientGone, Order
from darkroom_bridge.problems import Problem
from darkroom_bridge.sessions import Session, Sessions
from darkroom_client import Darkroom
from darkroom_client.answers import Job
from darkroom_client.errors import Refused

CLIENT_GONE = 499
"""The status of an answer that nobody reads, as proxies call it."""
Handler = Callable[[Request, Session], Awaitable[Response]]


def for_key(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A route whose handler gets what is kept for the caller's key; errors become answers."""

    async def endpoint(request: Request) -> Response:
        session = None
        try:
            sessions: Sessions = request.app.state.sessions
            session = await sessions.of(request)
            return await handler(request, session)
        except ClientGone:
            return Response(status_code=CLIENT_GONE)
        except Exception as error:
            problem = problems.of(error)
            if session and problem.status == 401:
                await sessions.forget(session)
            if problem.code == "bridge_failed":
                raise
            return problems.answer(request, problem)

    endpoint.__doc__ = handler.__doc__
    return endpoint


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in a request, empty for an empty body. Raises Problem with FastAPI's words for anything else.

    Numbers that JSON cannot say become text, as Darkroom takes them.
    """
    # Not `request.body()`, which would keep the pictures of a body until its job has ended.
    content = b"".join([chunk async for chunk in request.stream()])
    if not content.strip():
        return {}
    try:
        body = json.loads(content.decode("utf-8-sig"), parse_constant=str, parse_float=_real)
    except json.JSONDecodeError as error:
        raise _invalid(["body", error.pos], error.msg, "value_error.jsondecode") from None
    except (ValueError, RecursionError):
        raise _invalid(["body"], "the body is no JSON in UTF-8", "value_error.jsondecode") from None
    if not isinstance(body, dict):
        raise _invalid(["body"], "value is not a valid dict", "type_error.dict")
    return body


def missing(name: str) -> Problem:
    """422 for a body without a field."""
    return _invalid(["body", name], "field required", "value_error.missing")


async def gone(request: Request) -> None:
    """Ends when the client closes its connection. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def made(request: Request, session: Session, order: Order) -> list[Job]:
    """The jobs of an order once they have ended. Raises Problem when one failed."""
    jobs = await session.calls.serve(order, gone(request))
    for job in jobs:
        check(job)
    return jobs


async def pictures_of(session: Session, job: Job) -> list[bytes]:
    """The pictures of a job, byte for byte."""
    try:
        found: list[bytes] = await session.run(_download, session.darkroom, job)
    except Refused:
        # The links live a quarter of an hour; new ones come with the job.
        again = await session.run(session.darkroom.job, job["id"])
        found = await session.run(_download, session.darkroom, again)
    return found


def _download(darkroom: Darkroom, job: Job) -> list[bytes]:
    found = []
    for picture in job["images"]:
        content = darkroom.download(picture["url"])
        if picture["sha256"] and hashlib.sha256(content).hexdigest() != picture["sha256"]:
            raise Problem(500, "A picture that arrived is not what the worker wrote. Send the request again.")
        found.append(content)
    return found


def _invalid(loc: list[str | int], msg: str, kind: str) -> Problem:
    return Problem(422, msg, fields=({"loc": loc, "msg": msg, "type": kind},))


def _real(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
