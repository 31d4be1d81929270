"""The worker's HTTP side, as SageMaker calls it: `GET /ping` and `POST /invocations`.

`python -m worker.server --port 8080 --host 127.0.0.1`, or `python -m worker.server serve` in a container, as SageMaker
starts one; see `docs/worker-contract.md` and `docs/worker.md`.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import time
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom.jobs.contract import MAX_INPUTS, WorkAnswer, WorkError, WorkerState, WorkRequest
from darkroom.logs import hold_libraries
from worker.checked import wrong_fields
from worker.engines import Engine, check_engine, make_engine
from worker.errors import MAX_MESSAGE
from worker.shutdown import GRACE, LAST_ANSWERS, Server, Shutdown
from worker.starting import starting
from worker.store import Location, Store
from worker.turns import WAITING, Turns
from worker.watch import stopped
from worker.work import perform

log = logging.getLogger(__name__)

MOST_AT_ONCE = 16
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_ID, MAX_KEY = 200, 1_000
MAX_MODELS = 128
"""What one request may be: bytes, characters of an id and of `output`, models with their kinds, and files with their
purposes. Darkroom's API allows as much, or less."""


def create_app(engine_name: str = "preview", at_once: int = 1, shutdown: Shutdown | None = None) -> Starlette:
    """The web application with one engine. It runs `at_once` jobs at the same time; others wait, and the files of the
    first of them are fetched meanwhile. `shutdown` is told by whoever runs the process.

    Raises ValueError for an unknown engine, and for a wrong setting of it. The first call to AWS is made by the first
    job.
    """
    engine = make_engine(engine_name)
    store = Store()
    shutdown = shutdown or Shutdown()
    turns = Turns(at_once, shutdown.begun)
    painters = ThreadPoolExecutor(at_once + WAITING, thread_name_prefix="painter")

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        shutdown.begun.set()
        shutdown.urgent.set()
        painters.shutdown(wait=False, cancel_futures=True)

    async def ping(_: Request) -> Response:
        state = WorkerState(
            ready=not shutdown.begun.is_set(),
            engine=engine_name,
            device=engine.device,
            models_loaded=engine.models_loaded(),
        )
        return JSONResponse(state.model_dump(), 200 if state.ready else 503)

    async def invocations(request: Request) -> Response:
        arrived = time.monotonic()
        try:
            work = read_request(await _body_of(request))
        except ValueError as error:
            return _answer(_error("bad_request", str(error)), 400)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(painters, _respond, work, engine, store, shutdown, arrived, turns)

    routes = [Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)


async def _body_of(request: Request) -> bytes:
    """The request's body; ValueError as soon as it is over MAX_BODY_BYTES, the rest is not read."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"body: must be at most {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


def read_request(body: bytes) -> WorkRequest:
    """The job in a request body; ValueError with a readable message when it is not one."""
    document = _counted(body)
    try:
        work = WorkRequest.model_validate(document)
    except ValidationError as error:
        raise ValueError(wrong_fields(error, "body")) from error
    if len(work.job_id) > MAX_ID or len(work.output) > MAX_KEY:
        raise ValueError(f"job_id, output: must be at most {MAX_ID} and {MAX_KEY} characters")
    if not work.output.endswith("/"):
        raise ValueError("output: must end with a slash")
    for uri in (work.output, *work.images.values()):
        Location.parse(uri)
    return work


def _counted(body: bytes) -> object:
    """The JSON in `body`; ValueError for what is none, or names more than a job may.

    Counted before it is checked, as the check remembers every single entry that is wrong.
    """
    try:
        document = from_json(body)
    except ValueError as error:
        raise ValueError(f"body: {error}") from error
    fields = document if isinstance(document, dict) else {}
    if _entries(fields.get("images")) > MAX_INPUTS:
        raise ValueError(f"images: must be at most {MAX_INPUTS}")
    for name in ("models", "files"):
        if _entries(fields.get(name)) > MAX_MODELS:
            raise ValueError(f"{name}: must be at most {MAX_MODELS}")
    return document


def _entries(value: object) -> int:
    """The entries of a list or object and of what is directly in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return len(inner) + sum(len(each) for each in inner if isinstance(each, list | dict))


def _respond(
    work: WorkRequest, engine: Engine, store: Store, shutdown: Shutdown, arrived: float, turns: Turns
) -> Response:
    if shutdown.begun.is_set():
        return _answer(_error("worker_stopped", stopped().message), 200)
    try:
        answer = perform(work, engine, store, shutdown.urgent, arrived, turns)
    except Exception as error:
        # 500, so that it counts as an error of the endpoint; the body becomes part of the job's failure reason.
        # Only the type and the place of the error: its text may contain a prompt or a signed URL.
        log.error("job %s failed: %s at %s", work.job_id, type(error).__name__, _where(error))
        return _answer(_error("worker_failed", f"The worker failed with {type(error).__name__}."), 500)
    outcome = answer.error.code if answer.error else "done"
    log.info("job %s (%s): %s", work.job_id, work.type, outcome)
    return _answer(answer, 200)


def _where(error: Exception) -> str:
    """File and line of the last eight frames, without any values."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return " ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)


def _error(code: str, message: str) -> WorkAnswer:
    return WorkAnswer(error=WorkError(code=code, message=message[:MAX_MESSAGE]))


def _answer(answer: WorkAnswer, status: int) -> Response:
    return Response(answer.model_dump_json(exclude_defaults=True), status, media_type="application/json")


def main() -> None:
    """Runs the worker until SIGTERM or SIGINT, or until its engine turns out to be broken: then it ends with 1. Options
    override the environment."""
    options = _options()
    level = os.environ.get("DARKROOM_LOG_LEVEL", "INFO")
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    hold_libraries()
    shutdown, faults = Shutdown(), list[BaseException]()

    def broken(error: BaseException) -> None:
        log.critical("the engine %s cannot be made", options.engine, exc_info=error)
        faults.append(error)
        server.should_exit = True

    app = starting(options.engine, lambda: create_app(options.engine, options.jobs_at_once, shutdown), broken)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        timeout_graceful_shutdown=int(GRACE + LAST_ANSWERS),
    )
    server = Server(config, shutdown)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    # Reached after Ctrl-C, and after SIGTERM where the process is the first of its container. Python would wait for a
    # painter that hangs in a library, though nobody waits for its answer any more.
    logging.shutdown()
    os._exit(1 if faults else 0)


def _options() -> argparse.Namespace:
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m worker.server", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["serve"], help="in a container: listen for others too")
    parser.add_argument("--host", default=env.get("DARKROOM_HOST"))
    # SageMaker sets this variable when the port is not 8080.
    parser.add_argument("--port", type=int, default=env.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    parser.add_argument("--engine", default=env.get("DARKROOM_ENGINE", "preview"))
    parser.add_argument("--jobs-at-once", type=int, default=env.get("DARKROOM_JOBS_AT_ONCE", "1"))
    options = parser.parse_args()
    if options.host is None:
        # SageMaker asks from outside of the container (SageMaker Developer Guide, "Custom inference code with hosting
        # services": a web server on port 8080).
        options.host = "0.0.0.0" if options.command == "serve" else "127.0.0.1"  # noqa: S104
    if not 1 <= options.jobs_at_once <= MOST_AT_ONCE:
        parser.error(f"--jobs-at-once must be from 1 to {MOST_AT_ONCE}")
    try:
        check_engine(options.engine)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
