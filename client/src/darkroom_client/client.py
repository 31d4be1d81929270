"""The client itself: requests to one stage with one key, and the calls for jobs and pictures."""

import csv
import hashlib
import io
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from darkroom_client import address, pictures, retry
from darkroom_client.answers import Image, Job, JobLine, JobPage, Pong, Summary
from darkroom_client.errors import NotDarkroom, Refused
from darkroom_client.refusals import refusal

LONGEST_WAIT = 20
"""The longest time, in seconds, that `GET /jobs/{id}` waits for a job's end."""
POLL_SECONDS = 1.0
"""The pause between two looks at a job that this client does not ask Darkroom to wait for."""
CONNECT_SECONDS = 10.0
_DELETED = frozenset({"job_not_found", "key_not_found", "checkpoint_not_found"})
"""What Darkroom says when there is nothing to delete. An endpoint that is gone may be deleted again."""
Answer = TypeVar("Answer")


class Darkroom:
    """A client for one stage and one key. `url` is the API's address with its stage (`/v1`), `timeout` is in seconds.

    Raises WrongAddress when `url` cannot be that. Methods raise Refused when Darkroom refuses, WrongAddress or its kind
    NotDarkroom when something else answers, and httpx.TransportError when nothing answers. While Darkroom is busy, a
    request is sent again a few times.
    """

    def __init__(self, url: str, key: str, timeout: float = 40, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
        self._http = httpx.Client(base_url=address.checked(url), headers=headers, timeout=limits, transport=transport)
        # A client of its own for signed links to S3, which must not get the key.
        self._storage = httpx.Client(timeout=limits, transport=transport)

    def __enter__(self) -> "Darkroom":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._storage.close()

    def ping(self) -> Pong:
        """Version and stage of the Darkroom that answers."""
        return expect(Pong, self.request("GET", "/ping"))

    def upload(self, picture: bytes | Path) -> str:
        """Upload a picture unless it is stored already; returns its id."""
        content = picture.read_bytes() if isinstance(picture, Path) else picture
        image_id = hashlib.sha256(content).hexdigest()
        body = {"sha256": image_id, "bytes": len(content), "content_type": pictures.content_type(content)}
        upload = expect(Image, self.request("POST", "/images", json=body))["upload"]
        if upload:
            form = {"data": upload["fields"], "files": {"file": content}}
            answer = retry.send(self._storage, "POST", upload["url"], **form)
            if answer.status_code >= 300:
                raise Refused(answer.status_code, "upload_refused", f"S3 refused the upload: {answer.text[:200]}")
        return image_id

    def submit(self, body: dict[str, Any], idempotency_key: str | None = None) -> Job:
        """Create and submit a job; `body` is that of `POST /jobs`. Two calls with the same idempotency key and body
        make only one job."""
        return expect(Job, self.request("POST", "/jobs", json=body, idempotency_key=idempotency_key))

    def job(self, job_id: str, wait: int = 0) -> Job:
        """The whole job, as soon as it has ended, or after `wait` (0 to 20) seconds. For a job that waits in line, or
        for its endpoint to wake, the answer comes at once: `settled` knows when to ask again."""
        return expect(Job, self.request("GET", f"/jobs/{job_id}", params={"wait": wait}))

    def cancel(self, job_id: str) -> Job:
        """End an open job; returns it."""
        return expect(Job, self.request("POST", f"/jobs/{job_id}/cancel"))

    def replay(self, job_id: str, idempotency_key: str | None = None) -> Job:
        """Submit a job again with the same inputs; returns the new job."""
        return expect(Job, self.request("POST", f"/jobs/{job_id}/replay", idempotency_key=idempotency_key))

    def edit(self, job_id: str, **changes: Any) -> Job:
        """Change `title`, `rating` (1 to 5) or `tags` of a job, those that are given; None, or no tags, takes one away.
        Returns the job."""
        return expect(Job, self.request("PATCH", f"/jobs/{job_id}", json=changes))

    def delete_job(self, job_id: str) -> None:
        """Delete a job and the pictures it made."""
        self.request("DELETE", f"/jobs/{job_id}")

    def settled(self, job_id: str, seconds: float, watch: Callable[[Job], object] | None = None) -> Job:
        """Wait for the end of a job, at most `seconds`; returns the job. `watch` is called with the open job each time
        it was looked at. Raises TimeoutError when it has not ended.

        Darkroom waits only for a job whose end may be near, and says of any other when to ask again.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            wait = max(0, min(LONGEST_WAIT, int(left)))
            job, pause = self._look(job_id, wait)
            if job["completed_at"] is not None:
                return job
            if watch:
                watch(job)
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError(f"The job {job_id} has not ended after {seconds:g} seconds.")
            time.sleep(min(left, pause))

    def _look(self, job_id: str, wait: int) -> tuple[Job, float]:
        """The job, and in how many seconds to ask again if it is still open."""
        answer = self.send("GET", f"/jobs/{job_id}", params={"wait": wait})
        job, told = expect(Job, _json(answer)), retry.retry_after(answer)
        if told is not None:
            return job, retry.spread(max(POLL_SECONDS, told))
        # Without the header, Darkroom itself has waited as long as it was asked to.
        return job, 0.0 if wait else POLL_SECONDS

    def page(self, **query: Any) -> JobPage:
        """One page of the history; `query` as `GET /jobs` takes it, with `from_` for `from`."""
        return expect(JobPage, self.request("GET", "/jobs", params=_named(query)))

    def history(self, **query: Any) -> Iterator[JobLine]:
        """Every job that `query` (as for `page`) finds, newest first; reads page by page."""
        for page in self.pages("/jobs", "before", _named(query), JobPage):
            yield from page["jobs"]

    def history_rows(self, **query: Any) -> Iterator[list[str]]:
        """The same as rows of CSV: first the names of the columns, then a row for each job."""
        params, header = _named(query), None
        while True:
            answer = self.send("GET", "/jobs", params=params, headers={"Accept": "text/csv"})
            if not answer.headers.get("Content-Type", "").startswith("text/csv"):
                raise NotDarkroom
            # Every page is a whole file: it may begin with a byte order mark, and it has the header again.
            rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
            for number, row in enumerate(rows):
                if number or header is None:
                    yield row
                header = header or row
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return
            params = {**params, "before": httpx.URL(following).params["before"]}

    def summary(self, **query: Any) -> Summary:
        """How many jobs there are in the time range from `from_` to `to`, by several fields."""
        return expect(Summary, self.request("GET", "/jobs/summary", params=_named(query)))

    def save_pictures(self, job: Job, folder: Path, overwrite: bool = False) -> list[Path]:
        """Save the pictures of a job as `<id>-1.png` and so on, byte for byte as the worker wrote them.

        Returns the paths. Raises Failure when a file is there already, unless `overwrite` says so.
        """
        return pictures.save(job, folder, self.download, overwrite)

    def download(self, url: str) -> bytes:
        """The bytes behind a signed link."""
        answer = retry.send(self._storage, "GET", url)
        if not answer.is_success:
            # The URL is left out of the message: anybody who has it can read the picture.
            raise Refused(answer.status_code, "download_refused", "S3 refused the download")
        return answer.content

    def pages(self, path: str, cursor: str, query: dict[str, Any], kind: type[Answer]) -> Iterator[Answer]:
        """Every page of a list. `cursor` names the field of the query that gets the `next` of the page before; `kind`
        is the type of a page."""
        following: str | None = None
        while True:
            page: Any = expect(kind, self.request("GET", path, params={**query, **without_none({cursor: following})}))
            yield page
            following = page["next"]
            if following is None:
                return

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request with `json`, `params` or `headers`; returns the answer's JSON, None for an empty answer."""
        return _json(self.send(method, path, **options))

    def send(
        self,
        method: str,
        path: str,
        *,
        idempotency_key: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request; returns the answer. Raises Refused when its status is an error.

        Every POST has an Idempotency-Key, which stays the same when the request is sent again. So nothing is made twice
        when only the answer was lost. A DELETE whose answer was lost, and that then finds nothing, has done its work:
        the answer is 204.
        """
        if method == "POST":
            headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4()), **(headers or {})}
        answer, lost = retry.send_noting(self._http, method, path, headers=headers, **options)
        if answer.is_success:
            return answer
        refused = refusal(answer, str(self._http.base_url))
        gone = isinstance(refused, Refused) and refused.status == 404 and refused.code in _DELETED
        if method == "DELETE" and lost and gone:
            return httpx.Response(204, request=answer.request)
        raise refused


def _json(answer: httpx.Response) -> Any:
    """The JSON of an answer, None for an empty one; raises NotDarkroom when it is something else."""
    try:
        return answer.json() if answer.content else None
    except ValueError:
        raise NotDarkroom from None


def expect(kind: type[Answer], answer: Any) -> Answer:
    """The answer, typed as `kind` (a type of `answers`); raises NotDarkroom when a field is missing."""
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    if not isinstance(answer, dict) or not required <= answer.keys():
        raise NotDarkroom
    found: Any = answer
    return found  # type: ignore[no-any-return]


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _named(query: dict[str, Any]) -> dict[str, Any]:
    """A query with the API's names: callers write `from_`, because `from` is a keyword of Python."""
    return without_none({name.rstrip("_"): value for name, value in query.items()})
