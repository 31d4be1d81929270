"""`python -m local.page`: serves the page on this machine as CloudFront does, with the same build, paths and headers,
and forwards `/api/*` to the API of the local stack.

MiniStack's CloudFront does not reach an API, so this stands in for it. It knows no key: the page sends it along.
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from layers.page import headers

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
READ_SECONDS = 60
"""How long an answer of the API may take, as at CloudFront (`infra/page.py`). `?wait=` takes 20 at most."""
_OF_ONE_CONNECTION = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are not forwarded (RFC 9110, section 7.6.1)."""


def sources(aws: str, buckets: list[str]) -> list[str]:
    """Buckets as sources of the policy. Here all services have one origin, so each bucket is named with its path: with
    a slash at the end for what lies in it, without one for the form of an upload."""
    return [f"{aws}/{bucket}{end}" for bucket in buckets for end in ("/", "")]


def application(folder: Path, api: str, buckets: list[str]) -> Starlette:
    """The server of a build that lies in `folder`, before the API at `api`. `buckets` are sources of the policy."""
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(10, read=READ_SECONDS), trust_env=False, limits=httpx.Limits(max_connections=None)
    )
    # Only what the browser sent goes on.
    client.headers.clear()

    async def forward(request: Request) -> Response:
        return await _forward(client, api, request)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(
        routes=[
            Route(f"{headers.API}/{{path:path}}", forward, methods=METHODS),
            Mount("/", StaticFiles(directory=folder, html=True)),
        ],
        middleware=[Middleware(_Headers, policy=headers.policy(buckets))],
        lifespan=lifespan,
    )


class _Headers:
    """Puts the headers of `layers.page.headers` on every answer, and says how long a file of the page may be kept."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._added = {"Content-Security-Policy": policy, **headers.SECURITY}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = dict(self._added)
                if not _is_api(scope["path"]):
                    found = message["status"] in (200, 206, 304)
                    added["Cache-Control"] = headers.caching(scope["path"].lstrip("/")) if found else "no-store"
                written = {name.lower() for name in added}
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in written]
                new = [(name.lower().encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": [*kept, *new]}
            await send(message)

        await self._app(scope, receive, marked if scope["type"] == "http" else send)


def _is_api(path: str) -> bool:
    return path.startswith(f"{headers.API}/")


async def _forward(client: httpx.AsyncClient, api: str, request: Request) -> Response:
    """Send a request on to the API, and its answer back while it comes."""
    path = request.scope["raw_path"].decode("ascii")[len(headers.API) :]
    if any(part in (".", "..") for part in unquote(path).replace("\\", "/").split("/")):
        return PlainTextResponse("There is no such path.", 404)
    query = request.scope["query_string"].decode("ascii")
    sent = client.build_request(
        request.method,
        f"{api}{path}{'?' if query else ''}{query}",
        headers=[(name, value) for name, value in request.headers.raw if _goes_on(name, b"host")],
        content=request.stream() if _has_body(request) else None,
    )
    try:
        answer = await client.send(sent, stream=True)
    except httpx.TransportError as error:
        return PlainTextResponse(f"The API does not answer ({type(error).__name__}).", 502)
    response = StreamingResponse(_parts(answer), answer.status_code)
    response.raw_headers = [(name, value) for name, value in answer.headers.raw if _goes_on(name)]
    return response


async def _parts(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes. The connection to the API is given back also when the browser goes away."""
    try:
        async for part in answer.aiter_raw():
            yield part
    finally:
        await answer.aclose()


def _goes_on(name: bytes, *also: bytes) -> bool:
    return name.lower().decode("latin-1") not in _OF_ONE_CONNECTION and name.lower() not in also


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser("local.page", description="The page of Darkroom on this machine")
    parser.add_argument("--folder", type=Path, required=True, help="a build of the page")
    parser.add_argument("--api", required=True, help="the address of the API")
    parser.add_argument("--aws", required=True, help="the address of the local AWS")
    parser.add_argument("--bucket", action="append", default=[], help="a bucket of the stage; may repeat")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    app = application(options.folder, options.api, sources(options.aws, options.bucket))
    # No log of requests: a query may hold words of prompts.
    uvicorn.run(app, host="127.0.0.1", port=options.port, access_log=False, log_level="warning", server_header=False)


if __name__ == "__main__":
    main()
