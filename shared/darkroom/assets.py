"""Puts the files of a deploy's asset, which is a zip, one by one under a prefix of a bucket.

SageMaker reads a folder of S3, and so does a browser; the CDK uploads zips. The worker's package of each release has a
prefix of its own and stays, because endpoints go on using theirs. The builds of the page share one, and files of
earlier builds go when nobody can have them open any more.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

RequestType = Literal["Create", "Update", "Delete"]
TOGETHER = timedelta(hours=1)
"""Files that were put within this time may belong to one build. A function runs for minutes."""


class Caching(BaseModel):
    """The header Cache-Control of files whose path in the asset begins with `under`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    under: Annotated[str, Field(alias="Under")]
    header: Annotated[str, Field(alias="Header", min_length=1)]


@dataclass(frozen=True)
class Placement:
    """Where the files of an asset are put, and how: `caching` has their header, the longest beginning counts, and a
    file that none fits gets none. The file `last` names the others, so it is put when they are there."""

    bucket: str
    prefix: str
    caching: Sequence[Caching] = ()
    last: str = ""

    def header(self, name: str) -> str | None:
        """The header Cache-Control of a file, by its path in the asset."""
        fitting = [one for one in self.caching if name.startswith(one.under)]
        return max(fitting, key=lambda one: len(one.under)).header if fitting else None


class AssetStore(Protocol):
    """Assets and what they are put into."""

    def unpack(
        self, source_bucket: str, source_key: str, placement: Placement, left: Callable[[], float]
    ) -> Collection[str]:
        """Put every file of a zip in its place; returns their keys. Raises Unpackable for what is no zip, or when
        `left` gives no more seconds."""

    def listed(self, bucket: str, prefix: str) -> dict[str, datetime]:
        """The keys of all objects under the prefix, and when each was put there."""

    def remove(self, bucket: str, keys: Collection[str]) -> None:
        """Remove objects."""


class Unpackable(Exception):
    """An asset cannot be put where it belongs; the text says why."""


class Unpacking(BaseModel):
    """What a template asks for: an asset (none: nothing is put anywhere), and `prefix` below `root` in a bucket.
    `removable` says whether everything under `root` goes with the stack. With `kept_days` files of earlier assets go so
    many days after they were replaced; without it they stay."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    bucket: Annotated[str, Field(alias="Bucket", min_length=1)]
    root: Annotated[str, Field(alias="Root", pattern=r"^[a-z0-9-]+/$")]
    prefix: Annotated[str, Field(alias="Prefix")] = ""
    source_bucket: Annotated[str, Field(alias="SourceBucket")] = ""
    source_key: Annotated[str, Field(alias="SourceKey")] = ""
    removable: Annotated[bool, Field(alias="Removable")] = False
    caching: Annotated[tuple[Caching, ...], Field(alias="Caching")] = ()
    last: Annotated[str, Field(alias="Last")] = ""
    kept_days: Annotated[int | None, Field(alias="KeptDays", ge=0)] = None

    @property
    def physical_id(self) -> str:
        """The same for every prefix: CloudFormation would delete a resource whose id changes."""
        return f"{self.bucket}/{self.root}"


class Assets:
    """Carries out what CloudFormation asks."""

    def __init__(self, store: AssetStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now

    def carry_out(self, request: RequestType, asked: Unpacking, left: Callable[[], float]) -> dict[str, str]:
        """Create and Update put the asset in its place. Delete, which comes when the stack is deleted, removes what is
        removable. Returns the attributes of the resource: `Uri`, the place.

        Raises Unpackable.
        """
        if request == "Delete":
            if asked.removable:
                self._store.remove(asked.bucket, self._store.listed(asked.bucket, asked.root))
            return {}
        if not asked.source_key:
            return {"Uri": ""}
        place = Placement(asked.bucket, f"{asked.root}{asked.prefix}", asked.caching, asked.last)
        put = self._store.unpack(asked.source_bucket, asked.source_key, place, left)
        if asked.kept_days is not None:
            there = self._store.listed(asked.bucket, asked.root)
            since = self._now() - timedelta(days=asked.kept_days)
            self._store.remove(asked.bucket, replaced_before(since, there, put))
        return {"Uri": f"s3://{asked.bucket}/{place.prefix}"}


def replaced_before(moment: datetime, there: dict[str, datetime], current: Collection[str]) -> list[str]:
    """Those of the objects `there` that are not `current` and were replaced before that moment. An object was replaced
    when the next build came, so when the next objects were put: each build puts all of its files."""
    times = sorted(there.values())
    return [
        key
        for key, put in there.items()
        if key not in current and next((time for time in times if time > put + TOGETHER), moment) < moment
    ]
