"""The worker's calls of AWS: pictures and the cancel marker in S3, progress to SQS."""

import base64
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from darkroom.jobs.contract import Progress
from worker.errors import JobError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

MAX_BYTES = 100 * 1024 * 1024
PIECE = 256 * 1024
MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "403", "AccessDenied"})
"""S3 answers 403 instead of 404 for a missing key when the role may not list the bucket."""

PATIENT = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
"""For pictures: an S3 that is silent holds a job for four times 25 seconds at the most."""
CONNECTIONS = 64
BULK = PATIENT.merge(Config(max_pool_connections=CONNECTIONS))
"""For model files, which many threads fetch piece by piece."""
QUICK = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2})
"""For what painting waits for, and may go without: a look for the cancel marker, a message of progress."""


@dataclass(frozen=True)
class Location:
    """A location in S3: a bucket and a key, or a prefix of keys."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "Location":
        """Reads `s3://bucket/key`; raises ValueError for anything else."""
        bucket, slash, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not slash or not key:
            raise ValueError(f"not an S3 URI: {uri}")
        return cls(bucket, key)

    def within(self, name: str) -> "Location":
        """The key `name` under this prefix (a prefix ends with a slash)."""
        return Location(self.bucket, self.key + name)

    def beside(self, name: str) -> "Location":
        """The key `name` next to this prefix: `jobs/1/output/` and `cancelled` give `jobs/1/cancelled`."""
        parent = self.key.rstrip("/").rpartition("/")
        return Location(self.bucket, f"{parent[0]}{parent[1]}{name}")


@dataclass(frozen=True)
class Version:
    """One version of an object: its ETag, and its size in bytes."""

    etag: str
    size: int


class Replaced(Exception):
    """The object has another ETag than the one that was asked for."""


class ShortAnswer(Exception):
    """S3 sent another number of bytes than it was asked for."""


class Store:
    """S3 and SQS for one process; the clients are made when they are first used."""

    # Clients may be used by several threads at once, but not made by them.
    _making = threading.Lock()

    def read(self, uri: str, name: str, look: Callable[[], object] = lambda: None) -> bytes:
        """The bytes at `uri`. JobError `image_missing`, or `image_too_large` above MAX_BYTES.

        `look` is called before each PIECE, and what it raises ends the reading.
        """
        at = Location.parse(uri)
        try:
            found = self._s3.get_object(Bucket=at.bucket, Key=at.key)
        except ClientError as error:
            if _code(error) not in MISSING:
                raise
            message = f"The image '{name}' is not in the store any more, or this worker may not read it."
            raise JobError("image_missing", message) from error
        with closing(found["Body"]) as body:
            if found["ContentLength"] > MAX_BYTES:
                raise JobError("image_too_large", f"The image '{name}' has more than {MAX_BYTES:,} bytes.")
            content = bytearray()
            look()
            while piece := body.read(PIECE):
                content += piece
                look()
        return bytes(content)

    def version(self, at: Location) -> Version:
        """What an object is now. Raises botocore's errors."""
        found = self._bulk_s3.head_object(Bucket=at.bucket, Key=at.key)
        return Version(found["ETag"].strip('"'), found["ContentLength"])

    def read_into(
        self, room: memoryview, at: Location, etag: str, begin: int, look: Callable[[], object] = lambda: None
    ) -> None:
        """Fill `room` with the bytes of an object from byte `begin` on, as long as it has that ETag. `look` is called
        before each PIECE, and what it raises ends the reading.

        Raises Replaced when the object has another ETag, ShortAnswer when fewer or more bytes come, and botocore's
        errors.
        """
        span = f"bytes={begin}-{begin + len(room) - 1}"
        try:
            # S3 checks IfMatch before it sends anything, and answers 412 (API reference of GetObject).
            found = self._bulk_s3.get_object(Bucket=at.bucket, Key=at.key, Range=span, IfMatch=etag)
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "412"):
                raise Replaced(at.key) from error
            raise
        with closing(found["Body"]) as body:
            if found["ContentLength"] != len(room):
                raise ShortAnswer(at.key)
            filled = 0
            while filled < len(room):
                look()
                read = body.readinto(room[filled : filled + PIECE])  # type: ignore[arg-type]
                if not read:
                    raise ShortAnswer(at.key)
                filled += read

    def write(self, at: Location, content: bytes, content_type: str) -> str:
        """Stores a picture and returns its SHA-256 (hex); S3 refuses it should a byte change on the way."""
        digest = hashlib.sha256(content)
        self._s3.put_object(
            Bucket=at.bucket,
            Key=at.key,
            Body=content,
            ContentType=content_type,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
        )
        return digest.hexdigest()

    def exists(self, at: Location) -> bool:
        """Whether the key exists. Also False when S3 does not answer, because no job shall fail for that."""
        try:
            self._quick_s3.head_object(Bucket=at.bucket, Key=at.key)
        except ClientError as error:
            if _code(error) not in MISSING:
                log.warning("cannot look for %s: %s", at.key, _code(error))
            return False
        except BotoCoreError as error:
            log.warning("cannot look for %s: %s", at.key, type(error).__name__)
            return False
        return True

    def send(self, queue: str, progress: Progress) -> None:
        """Sends `progress` to the queue with that URL. An error is only logged, because no job depends on the
        message."""
        try:
            self._sqs.send_message(QueueUrl=queue, MessageBody=progress.model_dump_json())
        except (BotoCoreError, ClientError) as error:
            log.warning("progress of %s not sent: %s", progress.job_id, type(error).__name__)

    def read_kept(self, at: Location) -> bytes | None:
        """What was kept at that key; None when there is nothing, or S3 does not answer, as no job depends on it."""
        try:
            with closing(self._s3.get_object(Bucket=at.bucket, Key=at.key)["Body"]) as body:
                return body.read()
        except (BotoCoreError, ClientError) as error:
            if not isinstance(error, ClientError) or _code(error) not in MISSING:
                log.warning("cannot read %s: %s", at.key, type(error).__name__)
            return None

    def write_kept(self, at: Location, content: bytes, content_type: str) -> None:
        """Keeps it at that key. An error is only logged, because no job depends on it."""
        try:
            self.write(at, content, content_type)
        except (BotoCoreError, ClientError) as error:
            log.warning("cannot keep %s: %s", at.key, type(error).__name__)

    @cached_property
    def _s3(self) -> "S3Client":
        with self._making:
            return self._session.client("s3", config=PATIENT)

    @cached_property
    def _bulk_s3(self) -> "S3Client":
        with self._making:
            return self._session.client("s3", config=BULK)

    @cached_property
    def _quick_s3(self) -> "S3Client":
        with self._making:
            return self._session.client("s3", config=QUICK)

    @cached_property
    def _sqs(self) -> "SQSClient":
        with self._making:
            return self._session.client("sqs", config=QUICK)

    @cached_property
    def _session(self) -> "boto3.session.Session":
        # SageMaker sets AWS_REGION, boto3 itself looks only at AWS_DEFAULT_REGION.
        return boto3.session.Session(region_name=os.environ.get("AWS_REGION"))


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
