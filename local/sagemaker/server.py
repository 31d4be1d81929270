"""The simulator as a web application: SageMaker's two services, Application Auto Scaling, Service Quotas, and the
simulator's own `/_simulator` pages.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Annotated, cast

import httpx
from pydantic import Field, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sagemaker.autoscaling import AutoScaling
from local.sagemaker.aws import Cloud
from local.sagemaker.backlog import Backlog
from local.sagemaker.capacity import Capacity
from local.sagemaker.catalog import Catalog
from local.sagemaker.clock import TurnableClock
from local.sagemaker.endpoints import Endpoints
from local.sagemaker.eventbus import Bus, deliver_for_ever
from local.sagemaker.events import StateEvents
from local.sagemaker.execution import Execution
from local.sagemaker.knobs import Chance, Knobs
from local.sagemaker.protocol import (
    ServiceError,
    Services,
    answer_invocation,
    answer_runtime_error,
    call_control,
    read_invocation,
    service_model,
)
from local.sagemaker.publisher import publish_for_ever
from local.sagemaker.queue import Queue, instances
from local.sagemaker.quotas import ServiceQuotas
from local.sagemaker.runtime import DEFAULT_TTL_SECONDS, accept
from local.sagemaker.scalable import ScalableTargets
from local.sagemaker.scaling import Scaling, scale_for_ever, wake_by_alarms
from local.sagemaker.settings import SimulatorSettings
from local.sagemaker.store import Documents, open_database
from local.sagemaker.updates import Updates

log = logging.getLogger(__name__)
_SECONDS = TypeAdapter(Annotated[float, Field(ge=0, allow_inf_nan=False)])


class Simulator:
    """The parts of a running simulator. They are created in its event loop, and only that thread uses the database."""

    def __init__(self, settings: SimulatorSettings, database: sqlite3.Connection, worker: httpx.AsyncClient):
        self.settings = settings
        documents = Documents(database)
        self.clock = clock = TurnableClock(documents)
        self.backlog = backlog = Backlog(database)
        self.cloud = Cloud(settings.aws, settings.region, lambda: self.endpoints.role(), clock)
        self.bus = Bus(settings.aws, settings.region)
        self.chance = Chance(documents, backlog, settings.idle_seconds)
        self.events = StateEvents(database, settings, self.chance)
        catalog, targets = Catalog(documents, settings, clock), ScalableTargets(documents)
        self.endpoints = Endpoints(
            documents,
            catalog,
            backlog,
            targets,
            self.events,
            settings,
            clock,
            lambda: self.queue.wake(),
            self.cloud.holds,
            Capacity(self.chance),
        )
        updates = Updates(self.endpoints, catalog, targets, settings, self.chance, clock)
        self.services: Services = {
            "sagemaker": catalog.operations() | self.endpoints.operations() | updates.operations(),
            "application-autoscaling": AutoScaling(targets, self.endpoints, settings, self.chance, clock).operations(),
            "service-quotas": ServiceQuotas(self.chance).operations(),
        }
        self.scaling = Scaling(self.endpoints, targets, backlog, settings, self.chance, clock)
        execution = Execution(self.cloud, worker, self.chance, clock)
        self.queue = Queue(self.endpoints, backlog, execution, self.chance, settings.region, clock)

    async def turn(self, seconds: float) -> None:
        """Turn the clock ahead. Endpoints and scaling are brought up to date before and after, so a test can be sure
        that what has not happened then does not happen at this time.
        """
        await self._update()
        self.clock.turn(seconds)
        await self._update()

    async def _update(self) -> None:
        self.endpoints.advance(self.clock())
        if self.scaling.look(self.clock()):
            await wake_by_alarms(self.scaling, self.cloud)
        self.queue.wake()


def build(settings: SimulatorSettings) -> Starlette:
    """The web application. It opens its database when it starts and closes it when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        for service in ("sagemaker", "sagemaker-runtime", "application-autoscaling", "service-quotas"):
            service_model(service)  # loaded now, so that no call waits for it
        worker = httpx.AsyncClient(base_url=settings.worker, trust_env=False, limits=httpx.Limits(max_connections=None))
        async with worker:
            with closing(open_database(settings.state)) as database:
                simulator = Simulator(settings, database, worker)
                app.state.simulator = simulator
                tasks = [
                    asyncio.create_task(simulator.queue.serve_for_ever()),
                    asyncio.create_task(publish_for_ever(simulator.backlog, simulator.cloud, simulator.clock)),
                    asyncio.create_task(deliver_for_ever(simulator.events, simulator.bus, simulator.clock)),
                    asyncio.create_task(scale_for_ever(simulator.scaling, simulator.cloud, simulator.clock)),
                ]
                for task in tasks:
                    task.add_done_callback(_tell_if_broken)
                yield
                for task in tasks:
                    task.cancel()
                for task in tasks:
                    with suppress(asyncio.CancelledError):
                        await task

    return Starlette(
        routes=[
            Route("/", _control, methods=["POST"]),
            Route("/endpoints/{endpoint}/async-invocations", _invoke, methods=["POST"]),
            Route("/_simulator/health", _health),
            Route("/_simulator/queues", _queues),
            Route("/_simulator/credentials", _credentials),
            Route("/_simulator/knobs", _knobs),
            Route("/_simulator/knobs", _set_knobs, methods=["PUT"]),
            Route("/_simulator/clock", _clock),
            Route("/_simulator/clock", _turn_clock, methods=["POST"]),
        ],
        exception_handlers={404: _unknown, 405: _unknown},
        lifespan=lifespan,
    )


def _tell_if_broken(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.critical("the simulator stands still until it is started again", exc_info=error)


def _simulator(request: Request) -> Simulator:
    return cast(Simulator, request.app.state.simulator)


async def _control(request: Request) -> Response:
    simulator, target = _simulator(request), request.headers.get("x-amz-target", "")
    return call_control(simulator.services, target, await request.body(), simulator.chance.throttles)


async def _invoke(request: Request) -> Response:
    simulator = _simulator(request)
    now = simulator.clock()
    name = request.path_params["endpoint"]
    try:
        parameters = read_invocation(name, request.headers, await request.body())
        endpoint = simulator.endpoints.serving(name)
        if endpoint is None:
            account = simulator.settings.account
            raise ServiceError("ValidationError", f"Endpoint {name} of account {account} not found.")
        invocation = accept(parameters, endpoint, now, simulator.chance.knobs.output_elsewhere)
    except ServiceError as error:
        return answer_runtime_error(error)
    expires = now + parameters.get("RequestTTLSeconds", DEFAULT_TTL_SECONDS)
    simulator.backlog.add(invocation, parameters.get("Body"), expires)
    simulator.queue.wake()
    log.info("invocation %s waiting on %s", invocation.inference_id, name)
    output = {"InferenceId": invocation.inference_id, "OutputLocation": invocation.output_location}
    if invocation.failure_location:
        output["FailureLocation"] = invocation.failure_location
    return answer_invocation(output)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _queues(request: Request) -> Response:
    """For each endpoint, how many invocations wait, run and are done, and how many instances run; also how many notices
    and state events are not sent yet.
    """
    simulator = _simulator(request)
    endpoints = {endpoint["EndpointName"]: endpoint for endpoint in simulator.endpoints.all()}
    return JSONResponse(
        {
            "endpoints": {name: simulator.backlog.counts(name) for name in endpoints},
            "instances": {name: instances(endpoint) for name, endpoint in endpoints.items()},
            "unsent_notices": simulator.backlog.unsent(),
            "unsent_events": simulator.events.waiting(),
        }
    )


async def _credentials(request: Request) -> Response:
    """Credentials of the endpoints' role, as a container gets them from the address that
    `AWS_CONTAINER_CREDENTIALS_FULL_URI` names (SDKs and Tools Reference Guide, "Container credential provider").
    """
    credentials = await _simulator(request).cloud.credentials()
    if credentials is None:
        return JSONResponse({"message": "There is no endpoint whose role could be given."}, 404)
    return JSONResponse(
        {
            "AccessKeyId": credentials.key,
            "SecretAccessKey": credentials.secret,
            "Token": credentials.token,
            "Expiration": credentials.expires,
        }
    )


async def _knobs(request: Request) -> Response:
    return JSONResponse(_simulator(request).chance.knobs.model_dump())


async def _set_knobs(request: Request) -> Response:
    """Set all knobs; those that the body does not name get their defaults."""
    try:
        knobs = Knobs.model_validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"errors": error.errors(include_url=False, include_context=False)}, 400)
    simulator = _simulator(request)
    served = {name for operations in simulator.services.values() for name in operations}
    unknown = sorted(set(knobs.fail_calls) - served)
    if unknown:
        return JSONResponse(
            {"errors": [{"loc": ["fail_calls", name], "msg": "no such operation"} for name in unknown]}, 400
        )
    simulator.chance.set(knobs)
    return JSONResponse(knobs.model_dump())


async def _clock(request: Request) -> Response:
    return JSONResponse({"now": _simulator(request).clock()})


async def _turn_clock(request: Request) -> Response:
    """Turn the clock ahead by the seconds in the body; answers when the simulator is up to date with the new time."""
    try:
        seconds = _SECONDS.validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"errors": error.errors(include_url=False, include_context=False)}, 400)
    await _simulator(request).turn(seconds)
    return await _clock(request)


async def _unknown(request: Request, _: Exception) -> Response:
    message = f"There is no operation at {request.method} {request.url.path}."
    return answer_runtime_error(ServiceError("UnknownOperationException", message, 404))
