"""Copies of model files of S3: those that are there, and those on their way, each fetched once for all who want it."""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from worker.cache import Cache, Copy, keep
from worker.downloads import THREADS, Download
from worker.errors import JobError
from worker.open_files import OpenFile
from worker.store import Location, Store, Version


class Copies:
    """The copies of one process in a folder that it may share with others."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store = store
        self._cache = cache
        self._downloads: dict[str, Download] = {}
        self._hashing: dict[Path, Future[str]] = {}
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
            self._downloads[name] = download
            noted = self._hashing[self._cache.folder / name] = Future()
            opened = self._following(name, download)
            download.start(partial(self._done, name, download, noted), partial(self._failed, name, download, noted))
            return opened

    def hashing(self, path: Path) -> Future[str] | None:
        """The digest of this copy, which is still being computed; once it is there, nothing holds the copy for it."""
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

    def _done(self, name: str, download: Download, noted: Future[str]) -> None:
        with self._changing:
            self._cache.commit(download.part, name, download.checksums)
            if self._downloads.get(name) is download:
                del self._downloads[name]
        download.digest.add_done_callback(lambda _: self._hashed(name, download, noted))

    def _hashed(self, name: str, download: Download, noted: Future[str]) -> None:
        path = self._cache.folder / name
        try:
            digest = download.digest.result()
            keep(path.with_suffix(".digest"), digest.encode())
        except (JobError, OSError) as error:
            told = partial(noted.set_exception, error)
        else:
            told = partial(noted.set_result, digest)
        # Until here the copy is in use.
        download.part.file.close()
        self._forget(name, download, noted)
        told()

    def _failed(self, name: str, download: Download, noted: Future[str]) -> None:
        self._forget(name, download, noted)
        self._cache.abandon(download.part)

    def _forget(self, name: str, download: Download, noted: Future[str]) -> None:
        path = self._cache.folder / name
        with self._changing:
            if self._downloads.get(name) is download:
                del self._downloads[name]
            if self._hashing.get(path) is noted:
                del self._hashing[path]


def _opened(copy: Copy) -> OpenFile:
    about = os.fstat(copy.file.fileno())
    identity = (copy.path, about.st_size, about.st_mtime_ns)
    descriptor = os.dup(copy.file.fileno())
    copy.close()
    return OpenFile(copy.path, about.st_size, identity, copy.checksums, descriptor=descriptor)
