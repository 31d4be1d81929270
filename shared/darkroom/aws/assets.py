"""Zips in S3, and the objects that are made of them."""

import mimetypes
import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, ZipInfo

from boto3.s3.transfer import TransferConfig, create_transfer_manager

from darkroom.assets import Placement, Unpackable
from darkroom.aws import objects

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

AT_ONCE = 8
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2", ".whl": "application/zip"}
"""Content types that Python does not know, or that a file of the system may change."""
_OWN_THREAD = TransferConfig(use_threads=False)


class S3Assets:
    """`darkroom.assets.AssetStore`. A zip lies on the disk while it is unpacked, and no file of it in memory."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def unpack(
        self, source_bucket: str, source_key: str, placement: Placement, left: Callable[[], float]
    ) -> Collection[str]:
        """See `AssetStore.unpack`: a GetObject for each 8 MB of the zip, and a PutObject for each file."""
        with tempfile.TemporaryFile() as content:
            with create_transfer_manager(self._client, _OWN_THREAD) as transfer:
                transfer.download(source_bucket, source_key, content).result()
            try:
                with ZipFile(content) as archive:
                    files = [entry for entry in archive.infolist() if not entry.is_dir()]
                    others = [entry for entry in files if entry.filename != placement.last]
                    self._put(archive, others, placement, left)
                    self._put(archive, [entry for entry in files if entry.filename == placement.last], placement, left)
            except BadZipFile as error:
                raise Unpackable(f"{source_key} is no zip: {error}") from error
        return {placement.prefix + entry.filename for entry in files}

    def _put(self, archive: ZipFile, files: list[ZipInfo], placement: Placement, left: Callable[[], float]) -> None:
        def put(entry: ZipInfo) -> None:
            if left() <= 0:
                raise Unpackable(f"there was no time for all of {len(files)} files")
            described = {"ContentType": content_type_of(entry.filename)}
            if caching := placement.header(entry.filename):
                described["CacheControl"] = caching
            with archive.open(entry) as content:
                at = placement.prefix + entry.filename
                transfer.upload(content, placement.bucket, at, extra_args=described).result()

        with create_transfer_manager(self._client, _OWN_THREAD) as transfer, ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(put, entry) for entry in files]:
                done.result()

    def listed(self, bucket: str, prefix: str) -> dict[str, datetime]:
        """See `AssetStore.listed`: a call for each 1,000."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {entry["Key"]: entry["LastModified"] for page in pages for entry in page.get("Contents", [])}

    def remove(self, bucket: str, keys: Collection[str]) -> None:
        """See `AssetStore.remove`: a call for each 1,000."""
        objects.delete(self._client, bucket, keys)


def content_type_of(name: str) -> str:
    """The content type of a file, by the end of its name."""
    ending = "." + name.rpartition(".")[2].lower()
    return _TYPES.get(ending) or mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"
