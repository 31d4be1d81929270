"""The routes of jobs and pictures, and ping."""

from typing import Annotated, Any

from pydantic import BaseModel

from darkroom import wiring
from darkroom.edge.http import Api, IdempotencyKey, Path, Query, Response, answers, created
from darkroom.edge.queries import grouped
from darkroom.images.api import ImageIn, ImageOut
from darkroom.jobs.api import HistoryQuery, JobEditIn, JobIn, JobOut, JobPage, Summary
from darkroom.jobs.deletion_api import DeletedJobs, DeleteIn, DeletionOut
from darkroom.jobs.export import render
from darkroom.jobs.filters import PARAMETERS, Filters

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
DeletionId = Annotated[str, Path(description="a deletion's id")]
JobId = Annotated[str, Path(description="a job's id")]
PAGE = answers(
    JobPage,
    headers={
        "Link": "where the next page is (RFC 8288), if there is one",
        "Content-Disposition": "the name of the file, for CSV and NDJSON",
    },
    _200="A page; the header Link names the next one",
)
for form in ("text/csv", "application/x-ndjson"):
    PAGE[200]["content"][form] = {"schema": {"type": "string"}}


class Pong(BaseModel):
    """Version and stage of the Darkroom that answers."""

    version: str
    stage: str


@app.get("/ping", summary="Version and stage", tags=["stage"])
def ping() -> Pong:
    """Also a check of the key: a wrong key is refused."""
    return Pong(version=wiring.stage().settings.version, stage=wiring.stage().settings.stage)


@app.post(
    "/images",
    summary="Register a picture and get an upload for its bytes",
    tags=["images"],
    responses=answers(ImageOut, _200="These bytes are stored already", _201="Upload the bytes now"),
)
def post_image(image: ImageIn) -> Response[ImageOut]:
    """Answers 200 when the bytes are stored already, otherwise 201 with a presigned POST."""
    registered = wiring.stage().images.register(app.owner, image)
    return created(registered, new=registered.upload is not None)


@app.post(
    "/jobs",
    summary="Create and submit a job",
    tags=["jobs"],
    responses=answers(JobOut, _200="The job this Idempotency-Key made before", _201="The new job"),
)
def post_job(
    job: JobIn,
    idempotency_key: IdempotencyKey = None,
) -> Response[JobOut]:
    """Answers 201 with the job, or 200 when the same Idempotency-Key made it before."""
    submitted = wiring.stage().submission.submit(app.owner, job, idempotency_key, app.open_jobs_limit)
    return created(submitted.job, new=submitted.created)


@app.get("/jobs", summary="The history, newest first", tags=["jobs"], responses=PAGE)
@grouped("filters", Filters, PARAMETERS)
def get_jobs(
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    before: Annotated[str | None, Query(min_length=1, description="the `next` of the page before")] = None,
    filters: Filters,
    from_: Annotated[
        str | None, Query(alias="from", min_length=1, description="an ISO 8601 date, week, month, year or date-time")
    ] = None,
    to: Annotated[str | None, Query(min_length=1, description="the same; all that it names is included")] = None,
) -> Response[Any]:
    """To read all pages, follow `next`. The Accept header chooses JSON, CSV or NDJSON."""
    query = HistoryQuery(limit, before, filters, from_, to)
    page = wiring.stage().jobs.page(query, scope=app.read_scope)
    file = render(page, app.accept, first=before is None)
    answer = app.page(file.content_type, file.body, following=page.next)
    answer.headers.update(file.headers)
    return answer


@app.get("/jobs/summary", summary="How many jobs there are of each kind in a time range", tags=["jobs"])
def get_summary(
    from_: Annotated[
        str | None, Query(alias="from", min_length=1, description="an ISO 8601 date, week, month, year or date-time")
    ] = None,
    to: Annotated[str | None, Query(min_length=1, description="the same; all that it names is included")] = None,
) -> Summary:
    """Exact for up to 10,000 jobs; when there are more, the newest are counted."""
    return wiring.stage().jobs.summary(from_, to, scope=app.read_scope)


@app.post(
    "/jobs/delete",
    summary="Delete many jobs",
    tags=["jobs"],
    responses=answers(DeletedJobs, _200="What became of each job in `ids`")
    | answers(DeletionOut, _202="A deletion of what `filters` find was begun; GET /jobs/deletions/{id} tells more"),
)
def post_delete(request: DeleteIn, idempotency_key: IdempotencyKey = None) -> Response[Any]:
    """Up to 100 jobs by id at once; or all that filters find, in steps, none that is made after this request."""
    answer = wiring.stage().deletions.delete(app.owner, request, idempotency_key, scope=app.write_scope)
    return Response(202 if isinstance(answer, DeletionOut) else 200, content_type="application/json", body=answer)


@app.get("/jobs/deletions/<deletion_id>", summary="How far a deletion is", tags=["jobs"])
def get_deletion(deletion_id: DeletionId) -> DeletionOut:
    """It is kept for a month."""
    return wiring.stage().deletions.get(deletion_id, scope=app.read_scope)


@app.post("/jobs/deletions/<deletion_id>/stop", summary="Stop a deletion", tags=["jobs"])
def post_stop(deletion_id: DeletionId) -> DeletionOut:
    """The deletion; what is deleted stays deleted, and one that has ended stays as it is."""
    return wiring.stage().deletions.stop(deletion_id, scope=app.write_scope)


@app.get(
    "/jobs/<job_id>",
    summary="The whole job",
    tags=["jobs"],
    responses=answers(
        JobOut,
        headers={"Retry-After": "in how many seconds to ask again about a job that the API does not wait for"},
        _200="The job; the header Retry-After says when to ask again, if the API does not wait for it",
    ),
)
def get_job(
    job_id: JobId,
    wait: Annotated[int, Query(ge=0, le=20, description="seconds to wait at most for the job's end")] = 0,
) -> Response[JobOut]:
    """With `wait`, the answer comes when the job ends, or after that many seconds. For a job that waits in line, or for
    its endpoint to wake, it comes at once, with the header Retry-After."""
    awaited = wiring.stage().jobs.wait_for(job_id, wait, scope=app.read_scope)
    headers = {} if awaited.retry_after is None else {"Retry-After": str(awaited.retry_after)}
    return Response(200, content_type="application/json", body=awaited.job, headers=headers)


@app.post("/jobs/<job_id>/cancel", summary="End an open job, and stop its worker", tags=["jobs"])
def post_cancel(job_id: JobId) -> JobOut:
    """Answers the job. A job that is cancelled already stays as it is."""
    return wiring.stage().jobs.cancel(job_id, scope=app.write_scope)


@app.post(
    "/jobs/<job_id>/replay",
    summary="Submit a job again with the same inputs",
    tags=["jobs"],
    responses=answers(JobOut, _200="The job this Idempotency-Key made before", _201="The new job"),
)
def post_replay(job_id: JobId, idempotency_key: IdempotencyKey = None) -> Response[JobOut]:
    """Answers 201 with the new job; its `replay_of` is the old job's id."""
    submitted = wiring.stage().submission.replay(
        app.owner, job_id, idempotency_key, app.open_jobs_limit, scope=app.read_scope
    )
    return created(submitted.job, new=submitted.created)


@app.patch("/jobs/<job_id>", summary="Change a job's title, rating or tags", tags=["jobs"])
def patch_job(job_id: JobId, edit: JobEditIn) -> JobOut:
    """Answers the job. What the body leaves out stays as it is."""
    return wiring.stage().jobs.edit(job_id, edit, scope=app.write_scope)


@app.delete(
    "/jobs/<job_id>",
    summary="Delete a job and all it stored",
    tags=["jobs"],
    responses={204: {"description": "Deleted"}},
)
def delete_job(job_id: JobId) -> Response[None]:
    """Answers 204."""
    wiring.stage().jobs.delete(job_id, scope=app.write_scope)
    return Response(204)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
