"""The routes of the shelf of model files."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.checkpoints.api import (
    CheckpointIn,
    CheckpointList,
    CheckpointOut,
    FileName,
    ImportIn,
    ModelIn,
    PartsIn,
    PartsOut,
    RegisteredOut,
    RenameIn,
)
from darkroom.checkpoints.model import Kind, ModelKey
from darkroom.edge.http import Api, IdempotencyKey, Query, Response, answers, created

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
UNKNOWN: dict[int, Any] = {404: {"description": "There is no such file"}}


@app.get("/checkpoints", summary="Model files by kind and name", tags=["checkpoints"])
def get_checkpoints(
    kind: Annotated[Kind | None, Query(description="one kind only")] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=200, description="a part of the name, in any case")] = None,
    after: Annotated[
        str | None, Query(min_length=1, max_length=220, description="the `next` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> CheckpointList:
    """One Query for each kind."""
    return wiring.stage().checkpoints.page(kind, q, after, limit)


@app.post(
    "/checkpoints",
    summary="Register a model file and begin its upload",
    tags=["checkpoints"],
    responses=answers(
        RegisteredOut,
        _200="The upload of this file that is open, or the file this Idempotency-Key made before",
        _201="A new upload",
    ),
)
def post_checkpoint(model: CheckpointIn, idempotency_key: IdempotencyKey = None) -> Response[RegisteredOut]:
    """The same request again finds the open upload, so that an interrupted upload can go on, from any machine."""
    fingerprint = wiring.stage().claims.claim(app.owner, idempotency_key, model)
    return created(
        *wiring.stage().checkpoints.register(app.owner, model, scope=app.write_scope, fingerprint=fingerprint)
    )


@app.post(
    "/checkpoints/import",
    summary="Fetch a model file from the web or from S3",
    tags=["checkpoints"],
    responses=answers(CheckpointOut, _202="It is being fetched; GET /checkpoints shows the progress"),
)
def post_import(model: ImportIn, idempotency_key: IdempotencyKey = None) -> Response[CheckpointOut]:
    """Answers 202, and the cloud fetches the file step by step. The same Idempotency-Key finds the same import."""
    fingerprint = wiring.stage().claims.claim(app.owner, idempotency_key, model)
    row = wiring.stage().imports.begin(app.owner, model, scope=app.write_scope, fingerprint=fingerprint)
    return Response(202, content_type="application/json", body=row)


@app.post(
    "/checkpoints/parts",
    summary="URLs for parts, and the parts that are stored",
    tags=["checkpoints"],
    responses=answers(PartsOut, _200="The URLs and the parts") | UNKNOWN,
)
def post_parts(parts: PartsIn) -> PartsOut:
    """S3 accepts each part only if its bytes have the SHA-256 in this request."""
    return wiring.stage().checkpoints.parts(parts, scope=app.write_scope)


@app.post(
    "/checkpoints/complete",
    summary="Finish an upload",
    tags=["checkpoints"],
    responses=answers(CheckpointOut, _200="The file can be used") | UNKNOWN,
)
def post_complete(model: ModelIn) -> CheckpointOut:
    """Joins the parts and checks the file's header; after that jobs can use the file."""
    return wiring.stage().checkpoints.complete(model, scope=app.write_scope)


@app.post(
    "/checkpoints/rename",
    summary="Give a model file another name",
    tags=["checkpoints"],
    responses=answers(CheckpointOut, _200="The file under its new name; the old one is an alias") | UNKNOWN,
)
def post_rename(rename: RenameIn) -> CheckpointOut:
    """No bytes move, and jobs that used the file by its old name can be repeated."""
    return wiring.stage().checkpoints.rename(rename, scope=app.write_scope)


@app.delete(
    "/checkpoints",
    summary="Delete a model file, or give its upload up",
    tags=["checkpoints"],
    responses={204: {"description": "Deleted"}} | UNKNOWN,
)
def delete_checkpoint(kind: Annotated[Kind, Query()], name: Annotated[FileName, Query()]) -> Response[None]:
    """Answers 204."""
    wiring.stage().checkpoints.delete(ModelKey(kind, name), scope=app.write_scope)
    return Response(204)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
