"""The pictures bucket: uploaded pictures, and the objects of jobs."""

import base64
import hashlib
import time
from collections.abc import Callable, Set
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darkroom.aws import objects
from darkroom.images.model import image_key
from darkroom.images.ports import Part, Stored, Upload
from darkroom.jobs.model import answer_key, answer_keys, cancel_key, job_prefix, output_prefix
from darkroom.jobs.ports import ANSWER_LIMIT, AnswerTooLarge

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

URL_SECONDS = 900
LISTED_PAGES = 10
_JOBS = "jobs/"
_FAILURES = "failures/"
FAILURE_LIMIT = 1024 * 1024
"""Bytes of a failure file that are read: it holds the worker's error, or a sentence."""
_FAILURE = "failure"
_ANSWER = "answer"
"""The names in the cancel marker's metadata under which it keeps the keys of the failure file, and of an answer that
lies elsewhere than the other objects of its job."""


class S3Images:
    """`darkroom.images.ports.ImageStore` on S3."""

    def __init__(self, client: "S3Client", bucket: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._client = client
        self._bucket = bucket
        self._clock = clock

    def find(self, owner: str, image_id: str) -> Stored | None:
        """See `ImageStore.find`: one HeadObject."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=image_key(owner, image_id))
        except ClientError as error:
            if _is_absent(error):
                return None
            raise
        return Stored(head["ContentLength"], self._age(head["LastModified"]))

    def read(self, owner: str, image_id: str, offset: int, length: int) -> Part | None:
        """See `ImageStore.read`: one ranged GetObject."""
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=image_key(owner, image_id), Range=f"bytes={offset}-{offset + length - 1}"
            )
        except ClientError as error:
            # S3 answers InvalidRange for an empty object; only a person can have put one there.
            if error.response["Error"]["Code"] == "InvalidRange":
                return Part(b"", 0, 0)
            if _is_absent(error):
                return None
            raise
        content = answer["Body"].read(length)
        total = answer.get("ContentRange", "").rpartition("/")[2]
        size = int(total) if total.isdigit() else answer["ContentLength"]
        return Part(content, size, self._age(answer["LastModified"]))

    def _age(self, modified: datetime) -> float:
        return self._clock() - modified.timestamp()

    def put(self, owner: str, image_id: str, content: bytes, content_type: str) -> None:
        """See `ImageStore.put`: one PutObject with its checksum."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=image_key(owner, image_id),
            Body=content,
            ContentType=content_type,
            ChecksumSHA256=_base64(image_id),
        )

    def upload(self, owner: str, image_id: str, size: int, content_type: str) -> Upload:
        """See `ImageStore.upload`: signed here, no call."""
        fields = {
            "Content-Type": content_type,
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": _base64(image_id),
        }
        conditions: list[object] = [{name: value} for name, value in fields.items()]
        conditions.append(["content-length-range", size, size])
        post = self._client.generate_presigned_post(
            self._bucket,
            image_key(owner, image_id),
            Fields=dict(fields),
            Conditions=conditions,
            ExpiresIn=URL_SECONDS,
        )
        return Upload(post["url"], post["fields"], URL_SECONDS)

    def copy(self, image_id: str, owner: str, to: str) -> bool:
        """See `ImageStore.copy`: one CopyObject."""
        return self._copy(image_key(owner, image_id), image_key(to, image_id))

    def renew(self, owner: str, image_id: str, content_type: str) -> bool:
        """See `ImageStore.renew`: one CopyObject of the picture onto itself, which S3 accepts only when the request
        replaces the metadata (S3 API Reference, CopyObject)."""
        key = image_key(owner, image_id)
        return self._copy(key, key, MetadataDirective="REPLACE", ContentType=content_type)

    def _copy(self, source: str, to: str, **more: Any) -> bool:
        try:
            self._client.copy_object(
                Bucket=self._bucket, Key=to, CopySource={"Bucket": self._bucket, "Key": source}, **more
            )
        except ClientError as error:
            if _is_absent(error):
                return False
            raise
        return True

    def delete(self, owner: str, image_id: str) -> None:
        """See `ImageStore.delete`: one DeleteObject."""
        self._client.delete_object(Bucket=self._bucket, Key=image_key(owner, image_id))

    def uri(self, owner: str, image_id: str) -> str:
        """See `ImageStore.uri`."""
        return f"s3://{self._bucket}/{image_key(owner, image_id)}"

    def url(self, owner: str, image_id: str) -> str:
        """See `ImageStore.url`: signed here, no call."""
        return _presigned(self._client, self._bucket, image_key(owner, image_id))


class S3Outputs:
    """`darkroom.jobs.ports.Outputs` on S3."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read_answer(self, job_id: str, limit: int = ANSWER_LIMIT, at: str | None = None) -> bytes | None:
        """See `Outputs.read_answer`: one GetObject."""
        key = self._answer_key(job_id, at)
        answer = self._open(key) if key else None
        if answer is None:
            return None
        if answer["ContentLength"] > limit:
            # Nothing of the body was read: its connection is closed with it.
            raise AnswerTooLarge(f"{answer['ContentLength']} bytes")
        return answer["Body"].read()

    def write_picture(self, job_id: str, name: str, content: bytes, content_type: str) -> str:
        """See `Outputs.write_picture`: one PutObject; the same key for every attempt."""
        key = output_prefix(job_id) + name
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
        )
        return key

    def sizes(self, job_id: str, keys: Set[str]) -> dict[str, int]:
        """See `Outputs.sizes`: one ListObjectsV2 for each 1,000 objects that lie there, until all keys are found, at
        most LISTED_PAGES."""
        found: dict[str, int] = {}
        pages = self._client.get_paginator("list_objects_v2")
        for page in islice(pages.paginate(Bucket=self._bucket, Prefix=output_prefix(job_id)), LISTED_PAGES):
            found |= {entry["Key"]: entry["Size"] for entry in page.get("Contents", []) if entry["Key"] in keys}
            if len(found) == len(keys):
                break
        return found

    def read_failure(self, failure_location: str) -> bytes | None:
        """See `Outputs.read_failure`: one GetObject."""
        key = self._failure_key(failure_location)
        answer = self._open(key) if key else None
        return answer["Body"].read(FAILURE_LIMIT) if answer else None

    def mark_cancelled(self, job_id: str, failure_location: str | None, at: str | None = None) -> None:
        """See `Outputs.mark_cancelled`: one PutObject."""
        kept = {_FAILURE: self._failure_key(failure_location), _ANSWER: self._elsewhere(job_id, at)}
        metadata = {name: key for name, key in kept.items() if key}
        self._client.put_object(Bucket=self._bucket, Key=cancel_key(job_id), Metadata=metadata)

    def has_answer(self, job_id: str, at: str | None = None) -> bool:
        """See `Outputs.has_answer`: one HeadObject."""
        key = self._answer_key(job_id, at)
        return key is not None and self._head(key) is not None

    def is_marked(self, job_id: str) -> bool:
        """See `Outputs.is_marked`: one HeadObject."""
        return self._marker(job_id) is not None

    def unmark(self, job_id: str) -> None:
        """See `Outputs.unmark`: one DeleteObject."""
        self._client.delete_object(Bucket=self._bucket, Key=cancel_key(job_id))

    def delete(
        self, job_id: str, failure_location: str | None = None, at: str | None = None, keep_marker: bool = False
    ) -> None:
        """See `Outputs.delete`: one ListObjectsV2, one DeleteObjects for each 1,000 objects, one HeadObject if the
        marker is there, one DeleteObject if a failure file is known, one more if the answer lies elsewhere."""
        failure_key, elsewhere = self._failure_key(failure_location), self._elsewhere(job_id, at)
        marker = cancel_key(job_id)
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=job_prefix(job_id)):
            keys = [entry["Key"] for entry in page.get("Contents", [])]
            if marker in keys:
                remembered = self._marker(job_id) or {}
                failure_key = failure_key or remembered.get(_FAILURE)
                elsewhere = elsewhere or remembered.get(_ANSWER)
                if keep_marker:
                    keys.remove(marker)
            objects.delete(self._client, self._bucket, keys)
        for key in (failure_key, elsewhere):
            if key:
                self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_pictures(self, job_id: str, at: str | None = None) -> None:
        """See `Outputs.delete_pictures`: one ListObjectsV2, one DeleteObjects for each 1,000 objects."""
        answers = {*answer_keys(job_id), self._answer_key(job_id, at)}
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=output_prefix(job_id)):
            keys = [entry["Key"] for entry in page.get("Contents", [])]
            objects.delete(self._client, self._bucket, [key for key in keys if key not in answers])

    def folders(self, after: str, until: str) -> list[str]:
        """See `Outputs.folders`: one ListObjectsV2."""
        answer = self._client.list_objects_v2(
            Bucket=self._bucket,
            Prefix=_JOBS,
            Delimiter="/",
            # What lies in the folder `after` sorts before this; a hyphen and digits sort before the tilde.
            StartAfter=f"{_JOBS}{after}/~",
        )
        found = [entry["Prefix"].removeprefix(_JOBS).rstrip("/") for entry in answer.get("CommonPrefixes", [])]
        return [job_id for job_id in found if after < job_id <= until]

    def failures(self, after: str) -> list[str]:
        """See `Outputs.failures`: one ListObjectsV2."""
        answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=_FAILURES, StartAfter=after)
        return [entry["Key"] for entry in answer.get("Contents", [])]

    def delete_failures(self, keys: list[str]) -> None:
        """See `Outputs.delete_failures`: one DeleteObjects."""
        objects.delete(self._client, self._bucket, keys)

    def _open(self, key: str) -> "GetObjectOutputTypeDef | None":
        """An object whose body is not read yet, None when it is not there."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _is_absent(error):
                return None
            raise

    def _marker(self, job_id: str) -> dict[str, str] | None:
        """The metadata of a job's marker, None when it is not there."""
        return self._head(cancel_key(job_id))

    def _head(self, key: str) -> dict[str, str] | None:
        """The metadata of an object, None when it is not there."""
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"]
        except ClientError as error:
            if _is_absent(error):
                return None
            raise

    def _failure_key(self, location: str | None) -> str | None:
        key = (location or "").removeprefix(f"s3://{self._bucket}/")
        return key if key.startswith(_FAILURES) else None

    def _answer_key(self, job_id: str, at: str | None) -> str | None:
        """The key of an answer. None for a place that no worker may write to: nothing can lie there."""
        key = (at or answer_key(job_id)).removeprefix(f"s3://{self._bucket}/")
        return key if key.startswith(_JOBS) else None

    def _elsewhere(self, job_id: str, at: str | None) -> str | None:
        """The key of an answer that does not lie with the other objects of its job, else None."""
        key = self._answer_key(job_id, at)
        return None if key is None or key.startswith(job_prefix(job_id)) else key

    def url(self, key: str) -> str:
        """See `Outputs.url`: signed here, no call."""
        return _presigned(self._client, self._bucket, key)


def _presigned(client: "S3Client", bucket: str, key: str) -> str:
    return client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=URL_SECONDS)


def _base64(sha256: str) -> str:
    """A SHA-256 in hex as S3's checksum fields want it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _is_absent(error: ClientError) -> bool:
    """HeadObject answers a bare 404, GetObject NoSuchKey."""
    return error.response["Error"]["Code"] in ("404", "NoSuchKey")
