"""The routes of access keys."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.edge.http import Api, IdempotencyKey, Path, Query, Response, answers, created
from darkroom.keys.api import KeyIn, KeyList, KeyMade

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)


@app.get("/keys", summary="Access keys, newest first", tags=["keys"])
def get_keys(
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    before: Annotated[str | None, Query(min_length=1, description="the `next` of the page before")] = None,
) -> KeyList:
    """All keys except the first admin key, which is in Secrets Manager. The list contains no secrets."""
    return wiring.stage().keys.page(before, limit)


@app.post(
    "/keys",
    summary="Make an access key",
    tags=["keys"],
    responses=answers(
        KeyMade,
        headers={"Cache-Control": "always `no-store`: a secret belongs into no cache"},
        _200="The key this Idempotency-Key made before, with a new secret; the one before stops working",
        _201="The key, with its secret, which no other answer contains",
    ),
)
def post_key(key: KeyIn, idempotency_key: IdempotencyKey = None) -> Response[KeyMade]:
    """A name may have two valid keys at once, so that a new key can replace an old one."""
    answer = created(*wiring.stage().keys.create_once(app.owner, key, idempotency_key))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@app.delete(
    "/keys/<key_id>",
    summary="Withdraw an access key",
    tags=["keys"],
    responses={204: {"description": "Withdrawn; within a minute it is refused everywhere"}},
)
def delete_key(key_id: Annotated[str, Path(description="a key's id, as GET /keys lists it")]) -> Response[None]:
    """Answers 204. The key that sends this request may be withdrawn too."""
    wiring.stage().keys.delete(key_id)
    return Response(204)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
