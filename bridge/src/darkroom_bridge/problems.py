"""Refusals, and their bodies as the WebUI, FastAPI and OpenAI write them."""

from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom_client.errors import Failure, Refused
from darkroom_client.retry import BUSY

OPENAI = "/v1/"
"""What the paths of OpenAI's API begin with."""
_TYPES = {401: "invalid_request_error", 429: "rate_limit_error"}


class Problem(Exception):
    """A refusal: the HTTP status, a sentence, a code for OpenAI's clients, and the wrong fields, each with `loc`, `msg`
    and `type`. `plain` marks one that FastAPI makes by itself, whose body is only `detail`."""

    def __init__(
        self,
        status: int,
        detail: str,
        code: str | None = None,
        *,
        fields: tuple[dict[str, Any], ...] = (),
        plain: bool = False,
        name: str = "HTTPException",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.fields = fields
        self.plain = plain
        self.name = name


def unauthenticated(detail: str) -> Problem:
    """401: the caller sent no key, or a wrong one."""
    return Problem(401, detail, "invalid_api_key", plain=True)


def of(error: Exception) -> Problem:
    """What an error of the client means to a caller of the bridge."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, httpx.TransportError):
        why = f"Darkroom cannot be reached: {type(error).__name__}. Is this machine connected?"
        return Problem(500, why, "unreachable", name=type(error).__name__)
    if isinstance(error, Failure):
        return Problem(500, str(error), "failure", name=type(error).__name__)
    return Problem(500, f"The bridge itself failed ({type(error).__name__}).", "bridge_failed", name="RuntimeError")


def _refused(refused: Refused) -> Problem:
    if refused.status == 401:
        return unauthenticated(f"Darkroom does not take this key: {refused.detail}")
    if refused.status == 403:
        return Problem(403, refused.detail, refused.code)
    if refused.status in BUSY:
        return Problem(429, f"{refused.detail} ({refused.code})", refused.code, name=refused.code)
    if refused.status >= 500:
        return Problem(500, f"{refused.detail} ({refused.code})", refused.code, name=refused.code)
    fields = tuple(_field(error) for error in refused.errors) if refused.code == "invalid_request" else ()
    return Problem(422, refused.detail, refused.code, fields=tuple(field for field in fields if field))


def _field(error: Any) -> dict[str, Any]:
    """A wrong field of a job as a wrong field of the WebUI's body, which is the job's `parameters`."""
    if not isinstance(error, dict):
        return {}
    loc = [part for part in error.get("loc", ["body"]) if part != "parameters"]
    return {"loc": loc, "msg": str(error.get("msg", "")), "type": "value_error"}


def answer(request: Request, error: Exception) -> Response:
    """The answer to a request that was refused, in the shape of the API that it called."""
    problem = of(error)
    headers = {"WWW-Authenticate": 'Basic realm="Darkroom"'} if problem.status == 401 else {}
    if request.url.path.startswith(OPENAI):
        return JSONResponse(_openai(problem), problem.status, headers)
    # The WebUI has no word for "too busy": it says 500, and its clients know that.
    status = 500 if problem.status in BUSY else problem.status
    return JSONResponse(_webui(problem), status, headers)


def _webui(problem: Problem) -> dict[str, Any]:
    if problem.fields:
        return {"detail": list(problem.fields)}
    if problem.plain:
        return {"detail": problem.detail}
    return {"error": problem.name, "detail": problem.detail, "body": "", "errors": problem.detail}


def _openai(problem: Problem) -> dict[str, Any]:
    kind = _TYPES.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error")
    param = ".".join(str(part) for part in problem.fields[0]["loc"][1:]) if problem.fields else None
    detail = problem.detail
    if problem.fields:
        detail = "; ".join(f"{'.'.join(map(str, field['loc'][1:]))} {field['msg']}" for field in problem.fields)
    return {"error": {"message": detail, "type": kind, "param": param, "code": problem.code}}
