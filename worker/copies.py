"""Copies of model files of S3: those that are there, and those on their way, each fetched once for all who want it."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from worker.cache import Cache, Copy, keep
from worker.downloads import THREADS, Download
from worker.open_files import OpenFile
from worker.store import Location, Store, Version


class Copies:
    """The copies of one process in a folder that it may share with others."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store = store
        self._cache = cache
        self._downloads: dict[str, Download] = {}
        self._hashing: dict[Path, Download] = {}
        self._changing = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="fetch")

    def find(self, name: str, called: str) -> OpenFile | None:
        """The copy of this name, whole or on its way; None when there is none. `called` is what people call it."""
        with self._changing:
            return self._found(name, called)

    def get(self, name: str, called: str, at: Location, version: Version) -> OpenFile:
        """The same; where there is none, it begins to be fetched. Raises JobError `disk_full`."""
        with self._changing:
            if found := self._found(name, called):
                return found
            part = self._cache.begin(version.size, called)
            download = Download(self._store, at, version, part, called, self._threads)
            self._downloads[name] = self._hashing[self._cache.folder / name] = download
            opened = self._following(name, download)
            download.start(partial(self._done, name, download), partial(self._failed, name, download))
            return opened

    def hashing(self, path: Path) -> Download | None:
        """The download whose digest is being computed for this copy."""
        with self._changing:
            return self._hashing.get(path)

    def _found(self, name: str, called: str) -> OpenFile | None:
        if download := self._downloads.get(name):
            return self._following(name, download)
        copy = self._cache.find(name)
        return _opened(copy) if copy else None

    def _following(self, name: str, download: Download) -> OpenFile:
        download.users += 1
        path = self._cache.folder / name
        return OpenFile(
            path,
            download.version.size,
            (path, download.version.size, download.part.since),
            download.checksums,
            download.wait,
            download.wait_whole,
            lambda: download.bytes_there,
            # The lock on the part goes with each descriptor of it.
            os.dup(download.part.file.fileno()),
            [partial(self._leave, name, download)],
        )

    def _leave(self, name: str, download: Download) -> None:
        with self._changing:
            download.users -= 1
            if not download.users and self._downloads.get(name) is download:
                # Nobody waits for it any more.
                del self._downloads[name]
                download.stop()

    def _done(self, name: str, download: Download) -> None:
        with self._changing:
            self._cache.commit(download.part, name, download.checksums)
            if self._downloads.get(name) is download:
                del self._downloads[name]
        download.digest.add_done_callback(lambda _: self._hashed(name, download))

    def _hashed(self, name: str, download: Download) -> None:
        path = self._cache.folder / name
        if download.digest.exception() is None:
            keep(path.with_suffix(".digest"), download.digest.result().encode())
        with self._changing:
            self._forget(name, download)
        # Until here the copy is in use.
        download.part.file.close()

    def _failed(self, name: str, download: Download) -> None:
        with self._changing:
            self._forget(name, download)
        self._cache.abandon(download.part)

    def _forget(self, name: str, download: Download) -> None:
        path = self._cache.folder / name
        if self._downloads.get(name) is download:
            del self._downloads[name]
        if self._hashing.get(path) is download:
            del self._hashing[path]


def _opened(copy: Copy) -> OpenFile:
    about = os.fstat(copy.file.fileno())
    identity = (copy.path, about.st_size, about.st_mtime_ns)
    descriptor = os.dup(copy.file.fileno())
    copy.close()
    return OpenFile(copy.path, about.st_size, identity, copy.checksums, descriptor=descriptor)
