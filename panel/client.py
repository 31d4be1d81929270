"""A client of Darkroom's HTTP API for programs."""

import hashlib
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx

from darkroom.images.model import CONTENT_TYPES, format_of
from darkroom.jobs.api import JobLineOut, JobOut, JobPage

_WAIT = 20
_BUSY = frozenset({429, 503})
_TRIES = 5


class Refused(Exception):
    """Darkroom refused a request: `status` is HTTP's, `code` the problem's stable code."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code}, HTTP {status})")
        self.status = status
        self.code = code
        self.detail = detail


class Failure(Exception):
    """Something that a person can put right, said in one line."""


class Darkroom:
    """One stage, as the owner of one key. `url` is the API's address with its stage, without a slash at the end."""

    def __init__(self, url: str, key: str, timeout: float = 40) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._bare = httpx.Client(timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._bare.close()

    def upload(self, picture: bytes | Path) -> str:
        """Store a picture if it is not stored yet; returns its id."""
        content = picture.read_bytes() if isinstance(picture, Path) else picture
        image_id = hashlib.sha256(content).hexdigest()
        content_type = CONTENT_TYPES[format_of(content) or "png"]
        body = {"sha256": image_id, "bytes": len(content), "content_type": content_type}
        upload = self.request("POST", "/images", json=body)["upload"]
        if upload:
            answer = self._bare.post(upload["url"], data=upload["fields"], files={"file": content})
            if answer.status_code >= 300:
                raise Refused(answer.status_code, "upload_refused", f"S3 refused the upload: {answer.text[:200]}")
        return image_id

    def submit(self, body: dict[str, Any], idempotency_key: str | None = None) -> JobOut:
        """Create and submit a job; `body` is that of `POST /jobs`."""
        # A key of its own makes it safe to send the request again while Darkroom is busy.
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return JobOut.model_validate(self.request("POST", "/jobs", json=body, headers=headers))

    def job(self, job_id: str, wait: int = 0) -> JobOut:
        """The whole job, after at most `wait` (0 to 20) seconds."""
        return JobOut.model_validate(self.request("GET", f"/jobs/{job_id}", params={"wait": wait}))

    def cancel(self, job_id: str) -> JobOut:
        """End an open job."""
        return JobOut.model_validate(self.request("POST", f"/jobs/{job_id}/cancel"))

    def replay(self, job_id: str, idempotency_key: str | None = None) -> JobOut:
        """Submit a job anew."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return JobOut.model_validate(self.request("POST", f"/jobs/{job_id}/replay", headers=headers))

    def settled(self, job_id: str, seconds: float) -> JobOut:
        """The job once it is settled; raises TimeoutError when it is not within so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            job = self.job(job_id, wait=max(1, min(_WAIT, int(left))))
            if job.completed_at is not None:
                return job
        raise TimeoutError(f"The job {job_id} is not settled after {seconds:g} seconds.")

    def page(self, **query: Any) -> JobPage:
        """One page of the history; `query` as `GET /jobs` takes it."""
        return JobPage.model_validate(self.request("GET", "/jobs", params=query))

    def history(self, **query: Any) -> Iterator[JobLineOut]:
        """Show All: every job, newest first, page by page."""
        following: str | None = None
        while True:
            page = self.page(**query, **({"before": following} if following else {}))
            yield from page.jobs
            following = page.next
            if following is None:
                return

    def download(self, url: str) -> bytes:
        """The bytes behind a presigned URL."""
        answer = self._bare.get(url)
        if not answer.is_success:
            # Without the URL: its query is a key to the picture.
            raise Refused(answer.status_code, "download_refused", "S3 refused the download")
        return answer.content

    def request(self, method: str, path: str, **options: Any) -> Any:
        """One request, sent again while Darkroom is busy; the answer's JSON, None when it has none.

        Raises Refused for a problem.
        """
        for attempt in range(_TRIES):
            answer = self._http.request(method, path, **options)
            if answer.status_code not in _BUSY or attempt == _TRIES - 1:
                break
            # Not all at the same moment: those who were refused together would come back together.
            time.sleep(float(answer.headers.get("Retry-After", 1)) * random.uniform(1, 1.3))  # noqa: S311 - jitter
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            problem = answer.json()
            raise Refused(answer.status_code, problem["code"], problem["detail"])
        except (ValueError, KeyError, TypeError):
            raise Refused(answer.status_code, "no_problem", answer.text[:200]) from None
