"""Uploading pictures, and reading format and size of those that a job names."""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from darkroom.errors import Busy, FieldError, Invalid
from darkroom.images.api import ImageIn, ImageOut, ImageUploadOut
from darkroom.images.formats import CONTENT_TYPES, format_of
from darkroom.images.header import MAX_PIXELS, MAX_SIDE, ImageHeader, look
from darkroom.images.model import HEADER_BYTES, LONG_HEADER_BYTES, MAX_BYTES
from darkroom.images.ports import ImageStore, Part, PictureUses
from darkroom.images.source import InMemory, NotAnImage, Source
from darkroom.times import moment, precise

DAY = 86_400
"""Seconds. A picture may expire so much earlier than the row of a job that starts from it."""


class Images:
    """The picture store. S3 deletes a picture after `retention_days`."""

    def __init__(
        self,
        store: ImageStore,
        uses: PictureUses,
        retention_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._uses = uses
        self._clock = clock
        self._renew_after = retention_days * DAY / 2
        self._old = min(DAY, self._renew_after)

    def register(self, owner: str, request: ImageIn) -> ImageOut:
        """How to upload a picture; no upload when it is stored already.

        A picture that is older than half of the retention time is uploaded again. That sets its age to 0, so that it
        does not expire while a job still needs it.
        """
        stored = self._store.find(owner, request.sha256)
        if stored is not None and stored.age > self._old / 2:
            # What is told to be here must be here a day later, when a job names it.
            self.keep(owner, [request.sha256])
        if stored is not None and stored.bytes == request.bytes and stored.age < self._renew_after:
            return ImageOut(id=request.sha256, upload=None)
        upload = self._store.upload(owner, request.sha256, request.bytes, request.content_type)
        return ImageOut(id=request.sha256, upload=ImageUploadOut(**asdict(upload)))

    def inspect(self, owner: str, ids: Mapping[str, str]) -> dict[str, ImageHeader]:
        """Format and size of stored pictures by name, read in parallel: mostly by one ranged read each.

        `ids` maps names to image ids. The age of a picture that is older than a day is set to 0, for it must be kept as
        long as the job that names it. Raises Invalid `image_not_uploaded`, `image_unreadable` or `image_too_large`,
        naming every picture it is about.
        """
        if not ids:
            return {}
        with ThreadPoolExecutor(max_workers=min(8, len(ids))) as pool:
            starts = dict(zip(ids, pool.map(lambda i: self._start(owner, i), ids.values()), strict=True))
            absent = [name for name, start in starts.items() if start is None]
            if absent:
                raise _absent(absent)
            stored = {name: _Stored(self._store, owner, ids[name], start) for name, start in starts.items() if start}
            headers = dict(zip(stored, pool.map(lambda pair: _header(*pair), stored.items()), strict=True))
        old = {ids[name]: name for name, start in starts.items() if start and start.age > self._old}
        self.keep(owner, old)
        for image_id, name in old.items():
            if not self._store.renew(owner, image_id, CONTENT_TYPES[headers[name].format]):
                raise _absent([name])
        return headers

    def keep(self, owner: str, image_ids: Collection[str]) -> None:
        """Put off for a day that the sweeper checks whether any job names these pictures: one is about to.

        Whatever names a picture that was stored over a day ago, or stores one that may be there, calls this first.
        Raises Busy `image_is_going` when one of them is being removed at this moment.
        """
        if self._uses.keep(owner, image_ids, precise(moment(self._clock() + DAY))):
            raise Busy("image_is_going", "A picture of this request, which no job named any more, is being removed.")

    def _start(self, owner: str, image_id: str) -> Part | None:
        return self._store.read(owner, image_id, 0, HEADER_BYTES)

    def put(self, owner: str, content: bytes) -> str:
        """Store a picture that was part of a request; returns its id. Call `check` and `keep` first."""
        image_id = id_of(content)
        content_type = CONTENT_TYPES[format_of(content) or "png"]
        self._store.put(owner, image_id, content, content_type)
        return image_id

    def missing(self, owner: str, ids: Mapping[str, str]) -> list[str]:
        """The names of those pictures of `owner` that are not stored any more; `ids` maps names to image ids."""
        return [name for name, image in ids.items() if self._store.find(owner, image) is None]

    def copy(self, owner: str, to: str, ids: Mapping[str, str]) -> list[str]:
        """Copy pictures of `owner` for the owner `to`; returns the names of those that are not stored any more. `ids`
        maps names to image ids."""
        self.keep(to, set(ids.values()))
        return [name for name, image in ids.items() if not self._store.copy(image, owner, to)]

    def uri(self, owner: str, image_id: str) -> str:
        """The S3 URI of a picture, for a worker."""
        return self._store.uri(owner, image_id)

    def url(self, owner: str, image_id: str) -> str:
        """A presigned GET of a picture."""
        return self._store.url(owner, image_id)


def id_of(content: bytes) -> str:
    """The id of a picture."""
    return hashlib.sha256(content).hexdigest()


class _Stored:
    """A stored picture as a Source: what lies outside the part read last is read anew, LONG_HEADER_BYTES at a time."""

    def __init__(self, store: ImageStore, owner: str, image_id: str, start: Part) -> None:
        self.total = start.total
        self._store = store
        self._owner = owner
        self._image_id = image_id
        self._begin = 0
        self._part = start.content

    def read(self, offset: int, length: int) -> bytes:
        """See Source; raises NotAnImage when the picture is gone."""
        wanted = max(min(length, self.total - offset), 0)
        if wanted and not self._begin <= offset <= offset + wanted <= self._begin + len(self._part):
            part = self._store.read(self._owner, self._image_id, offset, max(wanted, LONG_HEADER_BYTES))
            if part is None:
                raise NotAnImage("it is gone")
            self._begin, self._part = offset, part.content
        at = offset - self._begin
        return self._part[at : at + wanted]


def check(name: str, content: bytes) -> ImageHeader:
    """Format and size of a picture that is part of a request; raises Invalid as `inspect` does."""
    return _header(name, InMemory(content))


def _header(name: str, source: Source) -> ImageHeader:
    try:
        header = look(source)
    except NotAnImage as error:
        raise _refused("image_unreadable", [name], f"cannot be used: {error}") from error
    if source.total > MAX_BYTES or header.is_too_large:
        raise _refused(
            "image_too_large",
            [name],
            f"is {header.width}x{header.height} pixels and {source.total} bytes; "
            f"at most {MAX_SIDE} pixels a side, {MAX_PIXELS} in all and {MAX_BYTES} bytes are taken",
        )
    return header


def _absent(names: list[str]) -> Invalid:
    return _refused("image_not_uploaded", names, "is not uploaded: POST /images first, then upload its bytes")


def _refused(code: str, names: list[str], why: str) -> Invalid:
    errors = tuple(FieldError(("body", "images", name), why) for name in names)
    return Invalid(code, f"The picture {', '.join(names)} {why}.", errors)
