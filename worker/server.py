"""The worker's HTTP side, as SageMaker calls it: `GET /ping` and `POST /invocations`.

`python -m worker.server --port 8080 --host 127.0.0.1`; see `docs/worker-contract.md`.
"""

import argparse
import asyncio
import logging
import os
import threading
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom.jobs.contract import WorkAnswer, WorkError, WorkRequest
from darkroom.logs import hold_libraries
from worker.engines import Engine, make_engine
from worker.store import Location, Store
from worker.work import perform

log = logging.getLogger(__name__)

GRACE = 20
"""Seconds that running jobs have to finish after SIGTERM; SageMaker kills a container after 30."""


def create_app(engine_name: str = "preview", at_once: int = 1) -> Starlette:
    """The web application with one engine. It runs `at_once` jobs at the same time; others wait.

    Raises ValueError for an unknown engine. The first call to AWS is made by the first job.
    """
    engine = make_engine(engine_name)
    store = Store()
    stopping = threading.Event()
    painters = ThreadPoolExecutor(at_once, thread_name_prefix="painter")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        # A job that still runs ends at its next step. Without this the process would wait for its threads.
        stopping.set()
        painters.shutdown(wait=False, cancel_futures=True)

    async def ping(_: Request) -> Response:
        return JSONResponse({"status": "ok", "engine": engine_name})

    async def invocations(request: Request) -> Response:
        try:
            work = read_request(await request.body())
        except ValueError as error:
            return _answer(_error("bad_request", str(error)), 400)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(painters, _respond, work, engine, store, stopping)

    routes = [Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)


def read_request(body: bytes) -> WorkRequest:
    """The job in a request body; raises ValueError with a readable message when the body is no job."""
    try:
        work = WorkRequest.model_validate_json(body)
    except ValidationError as error:
        # Without the input values: prompts and signed URLs must not be in logs and error messages.
        wrong = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise ValueError("; ".join(wrong)) from error
    if not work.output.endswith("/"):
        raise ValueError("output: must end with a slash")
    for uri in (work.output, *work.images.values()):
        Location.parse(uri)
    return work


def _respond(work: WorkRequest, engine: Engine, store: Store, stopping: threading.Event) -> Response:
    try:
        answer = perform(work, engine, store, stopping)
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
    return WorkAnswer(error=WorkError(code=code, message=message))


def _answer(answer: WorkAnswer, status: int) -> Response:
    return Response(answer.model_dump_json(exclude_defaults=True), status, media_type="application/json")


def main() -> None:
    """Runs the worker until SIGTERM or SIGINT. Options override the environment."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m worker.server", description=__doc__)
    parser.add_argument("--host", default=env.get("DARKROOM_HOST", "127.0.0.1"))
    # SageMaker sets this variable when the port is not 8080.
    parser.add_argument("--port", type=int, default=int(env.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    parser.add_argument("--engine", default=env.get("DARKROOM_ENGINE", "preview"))
    options = parser.parse_args()
    level = env.get("DARKROOM_LOG_LEVEL", "INFO")
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    hold_libraries()
    try:
        app = create_app(options.engine)
    except ValueError as error:
        parser.error(str(error))
    uvicorn.run(app, host=options.host, port=options.port, timeout_graceful_shutdown=GRACE, access_log=False)


if __name__ == "__main__":
    main()
