"""Errors as RFC 9457 problems: the one place where an exception becomes an HTTP status."""

from pydantic import BaseModel

from darkroom.errors import (
    Busy,
    Conflict,
    DarkroomError,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    MethodNotAllowed,
    Missing,
    OverBudget,
    Throttled,
    TooLarge,
    TooMany,
    Unsupported,
)

CONTENT_TYPE = "application/problem+json"
STATUS: dict[type[DarkroomError], int] = {
    Malformed: 400,
    OverBudget: 402,
    Forbidden: 403,
    Missing: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    TooLarge: 413,
    Unsupported: 415,
    Invalid: 422,
    TooMany: 429,
    Busy: 503,
    Throttled: 503,
}


class ProblemField(BaseModel):
    """One invalid field: `loc` is its place in the request, `msg` what is wrong with it."""

    loc: list[str | int]
    msg: str


class Problem(BaseModel):
    """RFC 9457 problem details with a stable `code`, the request's id for the operator, and the invalid fields."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[ProblemField] = []


def problem(error: DarkroomError, request_id: str) -> Problem:
    """The problem that a caller gets for an error; `request_id` is API Gateway's."""
    return Problem(
        type=f"urn:darkroom:problem:{error.code}",
        title=error.title,
        status=STATUS[type(error)],
        detail=error.detail,
        code=error.code,
        request_id=request_id,
        errors=[ProblemField(loc=list(field.loc), msg=field.msg) for field in error.errors],
    )


def unexpected(request_id: str) -> Problem:
    """The problem that a caller gets for an error that is our own fault."""
    return Problem(
        type="urn:darkroom:problem:internal_error",
        title="Internal error",
        status=500,
        detail="Something broke on our side. Try again; if it stays, give the request_id to your operator.",
        code="internal_error",
        request_id=request_id,
    )


def invalid_fields(errors: list[FieldError]) -> DarkroomError:
    """Fields that failed validation, as one error: Invalid for fields of the body, Malformed for path, query and
    headers."""
    first = errors[0]
    where = ".".join(str(part) for part in first.loc[1:]) or "body"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    kind = Invalid if first.loc[0] == "body" else Malformed
    return kind("invalid_request", f"{where}: {first.msg}{more}", tuple(errors))
