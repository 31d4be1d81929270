"""Zips in S3, and the objects that are made of them."""

import mimetypes
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, ZipInfo

from boto3.s3.transfer import TransferConfig, create_transfer_manager

from darkroom.assets import Unpackable

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

    def unpack(self, source_bucket: str, source_key: str, bucket: str, prefix: str, left: Callable[[], float]) -> None:
        """See `AssetStore.unpack`: a GetObject for each 8 MB of the zip, and a PutObject for each file."""
        with tempfile.TemporaryFile() as content:
            with create_transfer_manager(self._client, _OWN_THREAD) as transfer:
                transfer.download(source_bucket, source_key, content).result()
            try:
                with ZipFile(content) as archive:
                    files = [entry for entry in archive.infolist() if not entry.is_dir()]
                    self._put(archive, files, bucket, prefix, left)
            except BadZipFile as error:
                raise Unpackable(f"{source_key} is no zip: {error}") from error

    def _put(self, archive: ZipFile, files: list[ZipInfo], bucket: str, prefix: str, left: Callable[[], float]) -> None:
        def put(entry: ZipInfo) -> None:
            if left() <= 0:
                raise Unpackable(f"there was no time for all of {len(files)} files")
            with archive.open(entry) as content:
                typed = {"ContentType": content_type_of(entry.filename)}
                transfer.upload(content, bucket, prefix + entry.filename, extra_args=typed).result()

        with create_transfer_manager(self._client, _OWN_THREAD) as transfer, ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(put, entry) for entry in files]:
                done.result()

    def remove(self, bucket: str, prefix: str) -> None:
        """See `AssetStore.remove`: two calls for each 1,000."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            if found := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                self._client.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})  # type: ignore[typeddict-item]


def content_type_of(name: str) -> str:
    """The content type of a file, by the end of its name."""
    ending = "." + name.rpartition(".")[2].lower()
    return _TYPES.get(ending) or mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"
