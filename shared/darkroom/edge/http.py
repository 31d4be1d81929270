"""HTTP behind API Gateway: routing, validation, errors, and one log line for each request."""

import time
from collections.abc import Callable
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from darkroom import ids, logs
from darkroom.edge.log import logger
from darkroom.edge.problems import CONTENT_TYPE, STATUS, Problem, invalid_fields, problem, unexpected
from darkroom.edge.queries import check_query
from darkroom.edge.requests import read_body, read_json
from darkroom.errors import (
    Busy,
    DarkroomError,
    FieldError,
    Forbidden,
    MethodNotAllowed,
    Missing,
    TooMany,
    Unsupported,
)
from darkroom.keys.routes import allows, permission_of

__all__ = ["Api", "IdempotencyKey", "Path", "Query", "Response", "answers", "created"]

Event = dict[str, Any]
MAX_ERRORS = 20
EXPOSED_HEADERS = ("Content-Disposition", "Link", "Retry-After", "x-amzn-RequestId")
"""The headers that a page in a browser may read, beside those that every page may read anyway (Fetch standard,
"CORS-safelisted response-header name"). API Gateway sets the last one, the id of the request."""
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=128, pattern="^[!-~]+$")
]
"""The header that makes it safe to repeat a POST."""


class RateLimiter(Protocol):
    """Counts requests: `darkroom.keys.rate_limiter.RateLimiter`."""

    def wait(self, key: str, limit: int) -> int | None:
        """Count a request: None when it is allowed, otherwise the seconds until the next one is."""


class Api(APIGatewayRestResolver):
    """A group of routes. Bodies are JSON objects, and every error is answered as a problem (RFC 9457).

    The caller and its limits come from the authorizer only. API Gateway has refused what the caller's role may not do;
    the role is checked here again, against the route that answers.
    """

    def __init__(
        self, origins: Callable[[], tuple[str, ...]], rate_limiter: Callable[[], RateLimiter] | None = None
    ) -> None:
        """`origins` gives the origins of the web pages that may read the answers, `rate_limiter` what counts the
        requests of each key. Both are called when a request needs them, not at import."""
        self._origins = origins
        self._rate_limiter = rate_limiter
        # Never Powertools' debug mode, which the environment could switch on: it prints whole events with their keys.
        super().__init__(enable_validation=True, debug=False, json_body_deserializer=read_json)
        self._logger = logger()
        self.exception_handler(RequestValidationError)(self._on_validation)
        self.exception_handler(RequestUnsupportedContentType)(self._on_content_type)
        self.exception_handler(list(STATUS))(self._on_refusal)
        self.not_found(self._on_not_found)
        self.exception_handler(Exception)(self._on_fault)

    def handle(self, event: Event, context: Any) -> dict[str, Any]:
        """Answer one API Gateway proxy event. Every log line of the request, and every problem, has API Gateway's id of
        the request."""
        request_id = str((event.get("requestContext") or {}).get("requestId") or "")
        with logs.request(request_id):
            return self._answer_event(event, context, request_id)

    def _answer_event(self, event: Event, context: Any, request_id: str) -> dict[str, Any]:
        started = time.perf_counter()
        headers = {str(k).lower(): v for k, v in (event.get("headers") or {}).items()}
        try:
            self._check_rate(event)
            content_type = str(headers.get("content-type") or "")
            body = read_body(event.get("body"), bool(event.get("isBase64Encoded")), content_type)
            answer = self.resolve({**event, "body": body or None, "isBase64Encoded": False}, context)
        except DarkroomError as error:
            answer = _problem_answer(problem(error, request_id), _retry_after(error))
        except Exception as error:
            # Errors inside a route are answered by `_on_fault`; this one happened before a route was found.
            answer = _problem_answer(self._fault(error, request_id), {})
        # API Gateway accepts null as an empty body, but emulators of it need a string.
        answer["body"] = answer.get("body") or ""
        if (origin := headers.get("origin")) in self._origins():
            cors = {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
                "Vary": "Origin",
            }
            answer.setdefault("headers", {}).update(cors)
        self._log(event, answer["statusCode"], time.perf_counter() - started)
        return answer

    @property
    def owner(self) -> str:
        """The owner of the caller's key, as the authorizer found it."""
        return str(self._caller["owner"])

    @property
    def read_scope(self) -> str | None:
        """The only owner whose jobs the caller may see; None when it may see all jobs."""
        sees_all = self._caller["role"] in ("viewer", "admin") or self._caller.get("shared_history") == "true"
        return None if sees_all else self.owner

    @property
    def write_scope(self) -> str | None:
        """The only owner whose jobs and files the caller may change; None when it may change all."""
        return None if self._caller["role"] == "admin" else self.owner

    @property
    def open_jobs_limit(self) -> int | None:
        """How many open jobs the caller's key may have; None means the stage's limit."""
        limit = self._caller.get("open_jobs")
        return int(limit) if limit else None

    @property
    def _caller(self) -> dict[str, str]:
        """See `_authorizer_context`."""
        return _authorizer_context(self.current_event.raw_event)

    @property
    def accept(self) -> str:
        """The request's `Accept` header; several lines of it are joined by commas."""
        event = self.current_event.raw_event
        lines = {str(k).lower(): v for k, v in (event.get("multiValueHeaders") or {}).items()}.get("accept")
        return ",".join(lines or [])

    def page(self, content_type: str, body: Any, following: str | None) -> Response[Any]:
        """A page of a list. When there is a next page, `following` is its `before`, and the header Link (RFC 8288) has
        its URL: the same query with that `before`."""
        headers = {}
        if following:
            query = dict(_query_of(self.current_event.raw_event))
            query["before"] = [following]
            headers["Link"] = f'<?{urlencode(query, doseq=True, errors="replace")}>; rel="next"'
        return Response(200, content_type=content_type, body=body, headers=headers)

    def _call_route(self, route: Route, route_arguments: dict[str, str]) -> ResponseBuilder[Any]:
        """Overrides Powertools' step from a matched route to its answer: checks role and query before the body
        is validated."""
        # For a path without a route Powertools makes one that answers 404 or 405; that answer is for every role.
        is_registered = any(route is known for known in self._static_routes + self._dynamic_routes)
        role = self._caller["role"]
        if is_registered and not allows(role, route.method, route.openapi_path):
            permission = permission_of(route.method, route.openapi_path) or "of nobody"
            raise Forbidden(
                "not_permitted", f"This takes the permission {permission}, which the role {role} does not have."
            )
        if is_registered:
            check_query(
                route.method, route.openapi_path, route.dependant.query_params, _query_of(self.current_event.raw_event)
            )
        if ids.is_id(job_id := route_arguments.get("job_id", "")):
            logs.note_job(job_id)
        return super()._call_route(route, route_arguments)

    def _check_rate(self, event: Event) -> None:
        if self._rate_limiter is None:
            return
        caller = _authorizer_context(event)
        seconds = self._rate_limiter().wait(caller["key"], limit := int(caller["requests_per_minute"]))
        if seconds is not None:
            raise TooMany(
                "rate_limited", f"This key may send {limit} requests a minute. Go on in {seconds} s.", seconds
            )

    def _log(self, event: Event, status: int, seconds: float) -> None:
        self._logger.info(
            "request",
            extra={
                "method": event.get("httpMethod"),
                # The route and not the path: the path has ids and whatever a caller writes, which must not be logged.
                "route": event.get("resource"),
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
            },
        )

    def _answer(self, found: Problem, headers: dict[str, str] | None = None) -> Response[str]:
        return Response(found.status, content_type=CONTENT_TYPE, body=found.model_dump_json(), headers=headers)

    def _request_id(self) -> str:
        return str(self.current_event.raw_event["requestContext"].get("requestId") or "")

    def _on_refusal(self, error: DarkroomError) -> Response[str]:
        if isinstance(error, Busy):
            self._logger.warning("busy", extra={"code": error.code})
        return self._answer(problem(error, self._request_id()), _retry_after(error))

    def _on_validation(self, error: RequestValidationError) -> Response[str]:
        fields = [FieldError(tuple(found["loc"]), str(found["msg"])) for found in list(error.errors())[:MAX_ERRORS]]
        return self._answer(problem(invalid_fields(fields), self._request_id()))

    def _on_content_type(self, _: RequestUnsupportedContentType) -> Response[str]:
        refusal = Unsupported("unsupported_content_type", "Send the body as application/json.")
        return self._answer(problem(refusal, self._request_id()))

    def _on_not_found(self, _: Exception) -> Response[str]:
        event = self.current_event
        path = self._remove_prefix(event.path)
        if methods := self._methods(path):
            use = " or ".join(methods)
            refusal = MethodNotAllowed("method_not_allowed", f"{event.http_method} is not possible here; use {use}.")
            return self._answer(problem(refusal, self._request_id()), {"Allow": ", ".join(methods)})
        missing = Missing("route_not_found", "There is nothing under this path; see docs/openapi.json.")
        return self._answer(problem(missing, self._request_id()))

    def _methods(self, path: str) -> list[str]:
        """The methods of a path; empty when there is no such path. A route without parameters hides those with
        parameters."""
        for routes in (self._static_routes, self._dynamic_routes):
            if methods := sorted({route.method for route in routes if route.rule.match(path)}):
                return methods
        return []

    def _on_fault(self, error: Exception) -> Response[str]:
        return self._answer(self._fault(error, self._request_id()))

    def _fault(self, error: Exception, request_id: str) -> Problem:
        # Only the type of the error: its message may contain what a caller sent.
        self._logger.error("fault", extra={"error": type(error).__name__, "at": _where(error)})
        return unexpected(request_id)


def answers(model: type[Any], headers: dict[str, str] | None = None, **descriptions: str) -> dict[int, Any]:
    """A route's `responses` for its OpenAPI, by status: `answers(JobOut, _200="the same job", _201="the new job")`.
    `headers` are the names of headers that these answers may have, each with what it says."""
    answer: dict[str, Any] = {"content": {"application/json": {"model": model}}}
    if headers:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    return {int(code.strip("_")): {"description": text, **answer} for code, text in descriptions.items()}


def created(model: Any, new: bool) -> Response[Any]:
    """The answer 201 when `model` is new, 200 when it existed before."""
    return Response(201 if new else 200, content_type="application/json", body=model)


def _where(error: Exception) -> list[str]:
    """File and line of the last eight frames, without any values."""
    frames = []
    trace = error.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-8:]


def _authorizer_context(event: Event) -> dict[str, str]:
    """What the authorizer found out about the caller; API Gateway turns every value into text."""
    context: dict[str, str] = event["requestContext"]["authorizer"]
    return context


def _query_of(event: Event) -> dict[str, list[str]]:
    """The query's values by name."""
    return event.get("multiValueQueryStringParameters") or {}


def _retry_after(error: DarkroomError) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after)} if isinstance(error, Busy | TooMany) else {}


def _problem_answer(found: Problem, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "statusCode": found.status,
        "headers": {"Content-Type": CONTENT_TYPE, **headers},
        "body": found.model_dump_json(),
        "isBase64Encoded": False,
    }
