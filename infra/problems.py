"""API Gateway's own refusals, as problems of the same format as those of the functions.

The types and their statuses are in the API Gateway Developer Guide, "Gateway response types". Every type is listed
here, because API Gateway would answer any other with the template of DEFAULT_4XX or DEFAULT_5XX but with its own
status.
"""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class GatewayProblem:
    """One refusal; `retry_after` is in seconds."""

    status: int
    code: str
    title: str
    detail: str
    retry_after: int | None = None


_TRY_AGAIN = "Try again; if it stays, give the request_id to your operator."
_UNAUTHENTICATED = GatewayProblem(
    401,
    "unauthenticated",
    "No valid access key",
    "Send a valid access key in the header Authorization: Bearer <key>.",
)
_FORBIDDEN = GatewayProblem(403, "forbidden", "Not allowed", "A firewall refused this request.")
_NOT_PERMITTED = GatewayProblem(
    403, "not_permitted", "Not allowed", "The role of this access key may not do that; docs/api.md has the table."
)
_NOT_FOUND = GatewayProblem(404, "route_not_found", "Not found", "There is nothing under this path.")
_BROKEN = GatewayProblem(500, "internal_error", "Internal error", f"Something broke on our side. {_TRY_AGAIN}", 5)
_LATE = GatewayProblem(
    504, "no_answer", "No answer in time", f"The request may still have been carried out. {_TRY_AGAIN}", 5
)
_SHUT = GatewayProblem(503, "keys_busy", "Busy, try again", f"Your key could not be looked at. {_TRY_AGAIN}", 2)
_BUSY = GatewayProblem(
    429, "throttled", "Too many requests", "Send the same request again after the seconds in Retry-After.", 2
)

PROBLEMS = {
    "ACCESS_DENIED": _NOT_PERMITTED,
    "API_CONFIGURATION_ERROR": _BROKEN,
    "AUTHORIZER_CONFIGURATION_ERROR": _BROKEN,
    "AUTHORIZER_FAILURE": _SHUT,
    "BAD_REQUEST_BODY": GatewayProblem(400, "malformed", "The request cannot be read", "Send the body as JSON."),
    "BAD_REQUEST_PARAMETERS": GatewayProblem(
        400, "malformed", "The request cannot be read", "Check path, query and headers."
    ),
    # API Gateway answers this for a header Authorization that it cannot parse; all else has a type of its own.
    "DEFAULT_4XX": GatewayProblem(
        400,
        "malformed",
        "The request cannot be read",
        "Check the path, the method and the header Authorization: Bearer <key>.",
    ),
    "DEFAULT_5XX": _BROKEN,
    "EXPIRED_TOKEN": _UNAUTHENTICATED,
    "INTEGRATION_FAILURE": _LATE,
    "INTEGRATION_TIMEOUT": _LATE,
    "INVALID_API_KEY": _UNAUTHENTICATED,
    "INVALID_SIGNATURE": _UNAUTHENTICATED,
    # In spite of its name, API Gateway answers this when there is no such path or method.
    "MISSING_AUTHENTICATION_TOKEN": _NOT_FOUND,
    "QUOTA_EXCEEDED": _BUSY,
    "REQUEST_TOO_LARGE": GatewayProblem(
        413, "too_large", "Too large", "The body is over 10 MB. Upload pictures with POST /images."
    ),
    "RESOURCE_NOT_FOUND": _NOT_FOUND,
    "THROTTLED": _BUSY,
    "UNAUTHORIZED": _UNAUTHENTICATED,
    "UNSUPPORTED_MEDIA_TYPE": GatewayProblem(
        415, "unsupported_content_type", "Unsupported content type", "Send the body as application/json."
    ),
    "WAF_FILTERED": _FORBIDDEN,
}


def template(problem: GatewayProblem) -> str:
    """The template of the body, JSON. API Gateway fills in the request's id only: that needs no escaping. Its error
    messages are left out, because they may quote what the caller sent."""
    return json.dumps(
        {
            "type": f"urn:darkroom:problem:{problem.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "code": problem.code,
            "request_id": "$context.requestId",
            "errors": [],
        }
    )
