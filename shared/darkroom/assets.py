"""Puts the files of a deploy's asset, which is a zip, one by one under a prefix of a bucket.

SageMaker reads a folder of S3, and so does a browser; the CDK uploads zips. What is put somewhere stays when the next
release puts its files under another prefix, because endpoints go on using theirs.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

RequestType = Literal["Create", "Update", "Delete"]


class AssetStore(Protocol):
    """Assets and what they are put into."""

    def unpack(self, source_bucket: str, source_key: str, bucket: str, prefix: str, left: Callable[[], float]) -> None:
        """Put every file of a zip under the prefix. Raises Unpackable for what is no zip, or when
        `left` gives no more seconds."""

    def remove(self, bucket: str, prefix: str) -> None:
        """Remove every object under the prefix."""


class Unpackable(Exception):
    """An asset cannot be put where it belongs; the text says why."""


class Unpacking(BaseModel):
    """What a template asks for: an asset (none: nothing is put anywhere), and `prefix` below `root` in a bucket.
    `removable` says whether everything under `root` goes with the stack."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    bucket: Annotated[str, Field(alias="Bucket", min_length=1)]
    root: Annotated[str, Field(alias="Root", pattern=r"^[a-z0-9-]+/$")]
    prefix: Annotated[str, Field(alias="Prefix")] = ""
    source_bucket: Annotated[str, Field(alias="SourceBucket")] = ""
    source_key: Annotated[str, Field(alias="SourceKey")] = ""
    removable: Annotated[bool, Field(alias="Removable")] = False

    @property
    def physical_id(self) -> str:
        """The same for every prefix: CloudFormation would delete a resource whose id changes."""
        return f"{self.bucket}/{self.root}"


class Assets:
    """Carries out what CloudFormation asks."""

    def __init__(self, store: AssetStore) -> None:
        self._store = store

    def carry_out(self, request: RequestType, asked: Unpacking, left: Callable[[], float]) -> dict[str, str]:
        """Create and Update put the asset in its place, and leave all others where they are. Delete, which comes when
        the stack is deleted, removes what is removable. Returns the attributes of the resource: `Uri`, the place.

        Raises Unpackable.
        """
        if request == "Delete":
            if asked.removable:
                self._store.remove(asked.bucket, asked.root)
            return {}
        if not asked.source_key:
            return {"Uri": ""}
        place = f"{asked.root}{asked.prefix}"
        self._store.unpack(asked.source_bucket, asked.source_key, asked.bucket, place, left)
        return {"Uri": f"s3://{asked.bucket}/{place}"}
