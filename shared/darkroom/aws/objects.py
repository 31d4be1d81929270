"""What all adapters of buckets do in the same way."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MOST = 1_000
"""Keys in a call of DeleteObjects."""


def delete(client: "S3Client", bucket: str, keys: Collection[str]) -> None:
    """Delete objects: one DeleteObjects for each 1,000. Raises RuntimeError when S3 keeps one of them, which it says in
    an answer of status 200."""
    waiting = list(keys)
    for start in range(0, len(waiting), _MOST):
        some = waiting[start : start + _MOST]
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True})
        if answer.get("Errors"):
            raise RuntimeError(f"S3 kept {len(answer['Errors'])} of {len(some)} objects")
