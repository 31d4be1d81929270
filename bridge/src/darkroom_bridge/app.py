"""The application: all routes behind the guard."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from darkroom_bridge import list_routes, openai_routes, page_routes, painting_routes, problems
from darkroom_bridge.guard import Guard
from darkroom_bridge.problems import Problem
from darkroom_bridge.sessions import Sessions
from darkroom_bridge.settings import Settings
from darkroom_client import Darkroom

log = logging.getLogger(__name__)


def build(settings: Settings, connect: Callable[[str], Darkroom] | None = None) -> ASGIApp:
    """The bridge as an ASGI application. `connect` makes a client for a key, where it is another than usual."""
    api: list[BaseRoute] = [*painting_routes.routes(), *list_routes.routes(), *openai_routes.routes()]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.sessions = Sessions(settings, connect)
        yield
        if cancelled := await app.state.sessions.close():
            log.warning("%d open jobs were cancelled.", cancelled)

    app = Starlette(
        routes=[*api, *page_routes.routes(api)],
        lifespan=lifespan,
        exception_handlers={HTTPException: _as_fastapi, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return Guard(app, settings.hosts)


async def _as_fastapi(request: Request, error: Any) -> Response:
    """404 and 405, with the body that FastAPI gives them."""
    return problems.answer(request, Problem(error.status_code, error.detail, "not_found", plain=True))


async def _failed(request: Request, error: Exception) -> Response:
    return problems.answer(request, error)
