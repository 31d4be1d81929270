"""The worker answers while its engine is being made: importing torch takes many seconds, and a container that answers
`/ping` shows that it is alive.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from darkroom.jobs.contract import WorkerState

AT_ONCE = 2.0
"""Seconds for which nobody can connect, so that an engine which is made at once is ready from the first request on."""


def starting(engine: str, make: Callable[[], Starlette], broken: Callable[[BaseException], None]) -> Starlette:
    """An application that makes another one, in a thread, and then is it.

    Until `make` has returned, `GET /ping` answers 503 with `{"ready": false}`, and a job waits. `broken` is called
    with what `make` raised; nothing else is answered then. `engine` is the name that `/ping` tells.
    """
    made: asyncio.Future[Starlette]

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/ping" and not made.done():
            state = WorkerState(ready=False, engine=engine)
            await JSONResponse(state.model_dump(), 503)(scope, receive, send)
        else:
            await (await asyncio.shield(made))(scope, receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal made
        made = asyncio.get_running_loop().create_future()
        async with contextlib.AsyncExitStack() as stack:

            async def become() -> None:
                try:
                    app = await asyncio.to_thread(make)
                    await stack.enter_async_context(app.router.lifespan_context(app))
                    made.set_result(app)
                except Exception as error:
                    broken(error)

            making = asyncio.create_task(become())
            await asyncio.wait({making}, timeout=AT_ONCE)
            yield
            making.cancel()

    return Starlette(routes=[Mount("/", app=gate)], lifespan=lifespan)
