"""The models bucket: files of many gigabytes, sent in parts straight to S3."""

import base64
import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ParamValidationError

from darkroom.checkpoints.model import Part
from darkroom.checkpoints.ports import SourceRefused, UploadGone

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

URL_SECONDS = 900
_GONE = frozenset({"NoSuchUpload", "NoSuchKey", "InvalidPart", "InvalidPartOrder"})
"""The upload, its object or one of its parts is not what it was a moment ago."""


class S3ModelFiles:
    """`darkroom.checkpoints.ports.ModelFiles` on S3. Every part is checked by its SHA-256, and so the whole is."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def begin(self, key: str) -> str:
        """See `ModelFiles.begin`: one CreateMultipartUpload."""
        upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ChecksumAlgorithm="SHA256")
        return upload["UploadId"]

    def urls(
        self, key: str, upload_id: str, parts: dict[int, tuple[str, int]]
    ) -> dict[int, tuple[str, dict[str, str]]]:
        """See `ModelFiles.urls`: signed here, no call."""
        return {number: self._url(key, upload_id, number, *wanted) for number, wanted in parts.items()}

    def _url(self, key: str, upload_id: str, number: int, sha256: str, length: int) -> tuple[str, dict[str, str]]:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        url = self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "UploadId": upload_id,
                "PartNumber": number,
                "ChecksumSHA256": checksum,
                # Signed too, so that S3 refuses other lengths before it has read the bytes.
                "ContentLength": length,
            },
            ExpiresIn=URL_SECONDS,
        )
        return url, {"x-amz-checksum-sha256": checksum}

    def put_part(self, key: str, upload_id: str, number: int, content: bytes) -> None:
        """See `ModelFiles.put_part`: one UploadPart."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        try:
            self._client.upload_part(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=content,
                ChecksumSHA256=checksum,
            )
        except ClientError as error:
            raise _gone_or(error) from error

    def copy_part(self, key: str, upload_id: str, number: int, source: str, first: int, length: int) -> None:
        """See `ModelFiles.copy_part`: one UploadPartCopy."""
        bucket, _, source_key = source.removeprefix("s3://").partition("/")
        try:
            self._client.upload_part_copy(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                CopySource={"Bucket": bucket, "Key": source_key},
                CopySourceRange=f"bytes={first}-{first + length - 1}",
            )
        except ClientError as error:
            raise _refused_or(_gone_or(error)) from error

    def source_size(self, source: str) -> int:
        """See `ModelFiles.source_size`: one HeadObject."""
        bucket, _, key = source.removeprefix("s3://").partition("/")
        try:
            return self._client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except (ClientError, ParamValidationError) as error:
            raise _refused_or(error) from error

    def source_read(self, source: str, first: int, length: int) -> bytes:
        """See `ModelFiles.source_read`: one ranged GetObject."""
        bucket, _, key = source.removeprefix("s3://").partition("/")
        span = f"bytes={first}-{first + length - 1}"
        try:
            return self._client.get_object(Bucket=bucket, Key=key, Range=span)["Body"].read()
        except ClientError as error:
            raise _refused_or(error) from error

    def parts(self, key: str, upload_id: str) -> list[Part]:
        """See `ModelFiles.parts`: one ListParts for each 1,000."""
        pages = self._client.get_paginator("list_parts")
        try:
            return [
                Part(found["PartNumber"], found["Size"], found["ETag"], _hex(found.get("ChecksumSHA256")))
                for page in pages.paginate(Bucket=self._bucket, Key=key, UploadId=upload_id)
                for found in page.get("Parts", [])
            ]
        except ClientError as error:
            raise _gone_or(error) from error

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> str | None:
        """See `ModelFiles.complete`: one CompleteMultipartUpload."""
        named = [
            {
                "PartNumber": part.number,
                "ETag": part.etag,
                **({"ChecksumSHA256": base64.b64encode(bytes.fromhex(part.sha256)).decode()} if part.sha256 else {}),
            }
            for part in parts
        ]
        try:
            completed = self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": named},  # type: ignore[typeddict-item]
            )
        except ClientError as error:
            raise _gone_or(error) from error
        return completed.get("ETag", "").strip('"') or None

    def abort(self, key: str, upload_id: str) -> None:
        """See `ModelFiles.abort`: one AbortMultipartUpload."""
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if not isinstance(_gone_or(error), UploadGone):
                raise

    def size(self, key: str) -> int | None:
        """See `ModelFiles.size`: one HeadObject."""
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise

    def read(self, key: str, first: int, length: int) -> bytes:
        """See `ModelFiles.read`: one ranged GetObject."""
        span = f"bytes={first}-{first + length - 1}"
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key, Range=span)["Body"].read()
        except ClientError as error:
            raise _gone_or(error) from error

    def delete(self, key: str) -> None:
        """See `ModelFiles.delete`: one DeleteObject."""
        self._client.delete_object(Bucket=self._bucket, Key=key)


def _gone_or(error: ClientError) -> Exception:
    return UploadGone() if error.response["Error"]["Code"] in _GONE else error


def _refused_or(error: Exception) -> Exception:
    """What S3 says of a source that is not there or not ours to read."""
    if isinstance(error, ParamValidationError):
        return SourceRefused("the S3 address names no bucket and key")
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("403", "404", "AccessDenied", "NoSuchBucket", "NoSuchKey", "InvalidRange"):
        return SourceRefused(f"S3 refuses the source ({code}): it is not there, or this stage may not read it")
    return error


def _hex(checksum: str | None) -> str | None:
    return base64.b64decode(checksum).hex() if checksum else None
