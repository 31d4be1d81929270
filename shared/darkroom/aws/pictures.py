"""The pictures bucket: what people upload and what jobs leave."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from darkroom.images.model import image_key
from darkroom.images.ports import Start, Stored, Upload
from darkroom.jobs.model import answer_key, output_prefix

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

URL_SECONDS = 900


class S3Images:
    """`darkroom.images.ports.ImageStore` on S3."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def find(self, owner: str, image_id: str) -> Stored | None:
        """See `ImageStore.find`: one HeadObject."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=image_key(owner, image_id))
        except ClientError as error:
            if _is_absent(error):
                return None
            raise
        age = (datetime.now(UTC) - head["LastModified"]).total_seconds()
        return Stored(head["ContentLength"], age)

    def start(self, owner: str, image_id: str, length: int) -> Start | None:
        """See `ImageStore.start`: one ranged GetObject."""
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=image_key(owner, image_id), Range=f"bytes=0-{length - 1}"
            )
        except ClientError as error:
            # S3 answers InvalidRange for an object of no bytes; such a one can only have been put by hand.
            if error.response["Error"]["Code"] == "InvalidRange":
                return Start(b"", 0)
            if _is_absent(error):
                return None
            raise
        content = answer["Body"].read(length)
        total = answer.get("ContentRange", "").rpartition("/")[2]
        return Start(content, int(total) if total.isdigit() else answer["ContentLength"])

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
        made = self._client.generate_presigned_post(
            self._bucket,
            image_key(owner, image_id),
            Fields=dict(fields),
            Conditions=conditions,
            ExpiresIn=URL_SECONDS,
        )
        return Upload(made["url"], made["fields"], URL_SECONDS)

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

    def read_answer(self, job_id: str) -> bytes | None:
        """See `Outputs.read_answer`: one GetObject."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=answer_key(job_id))["Body"].read()
        except ClientError as error:
            if _is_absent(error):
                return None
            raise

    def write_picture(self, job_id: str, number: int, content: bytes) -> str:
        """See `Outputs.write_picture`: one PutObject; the same key for every attempt."""
        key = f"{output_prefix(job_id)}{number}.png"
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content,
            ContentType="image/png",
            ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
        )
        return key

    def delete(self, job_id: str, failure_location: str | None = None) -> None:
        """See `Outputs.delete`: one ListObjectsV2, one DeleteObjects for each 1,000 objects, one DeleteObject."""
        failure_key = (failure_location or "").removeprefix(f"s3://{self._bucket}/")
        if failure_key.startswith("failures/"):
            self._client.delete_object(Bucket=self._bucket, Key=failure_key)
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=f"jobs/{job_id}/"):
            keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
            if keys:
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item]
                )
                if answer.get("Errors"):
                    raise RuntimeError(f"S3 kept {len(answer['Errors'])} objects of job {job_id}")

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
