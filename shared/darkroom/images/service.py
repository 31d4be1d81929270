"""Taking pictures in, and looking at the ones a job names."""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from darkroom.errors import Busy, FieldError, Invalid
from darkroom.images.api import ImageIn, ImageOut, ImageUploadOut
from darkroom.images.model import (
    CONTENT_TYPES,
    HEADER_BYTES,
    LONG_HEADER_BYTES,
    MAX_BYTES,
    MAX_PIXELS,
    MAX_SIDE,
    ImageHeader,
    NotAnImage,
    format_of,
    read_header,
)
from darkroom.images.ports import ImageStore, PictureUses, Start
from darkroom.times import moment, precise

DAY = 86_400
"""Seconds by which a picture that a job starts from may go before the job's row does."""


class Images:
    """The picture store. `retention_days` is when S3 forgets a picture."""

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
        """Say where to upload a picture, or that it is here already.

        A picture past half of its life is asked for again: the new upload starts its life anew, so that
        it does not expire under a job that still needs it.
        """
        stored = self._store.find(owner, request.sha256)
        if stored is not None and stored.age > self._old / 2:
            # What is told to be here must be here a day later, when a job names it.
            self.keep(owner, [request.sha256])
        if stored is not None and stored.bytes == request.bytes and stored.age < self._renew_after:
            return ImageOut(id=request.sha256, upload=None)
        upload = self._store.upload(owner, request.sha256, request.bytes, request.content_type)
        return ImageOut(id=request.sha256, upload=ImageUploadOut(**asdict(upload)))

    def inspect(self, owner: str, wanted: Mapping[str, str]) -> dict[str, ImageHeader]:
        """Format and size of stored pictures by name: one ranged read each, side by side.

        `wanted` maps names to image ids. One that is older than a day begins its life anew: it must last as long as
        the job that names it. Raises Invalid `image_not_uploaded`, `image_unreadable` or `image_too_large`, naming
        every picture it is about.
        """
        if not wanted:
            return {}
        with ThreadPoolExecutor(max_workers=min(8, len(wanted))) as pool:
            starts = dict(zip(wanted, pool.map(lambda i: self._read(owner, i), wanted.values()), strict=True))
        absent = [name for name, start in starts.items() if start is None]
        if absent:
            raise _absent(absent)
        headers = {name: _header(name, start.content, start.total) for name, start in starts.items() if start}
        old = {wanted[name]: name for name, start in starts.items() if start and start.age > self._old}
        self.keep(owner, old)
        for image_id, name in old.items():
            if not self._store.renew(owner, image_id, CONTENT_TYPES[headers[name].format]):
                raise _absent([name])
        return headers

    def keep(self, owner: str, image_ids: Collection[str]) -> None:
        """Put off for a day that the sweeper looks whether these pictures are named by any job: one is about to be.

        Everything that names a picture which is there for over a day, or stores one that may be, asks this first.
        Raises Busy `image_is_going` when one is being removed this moment.
        """
        if self._uses.keep(owner, image_ids, precise(moment(self._clock() + DAY))):
            raise Busy("image_is_going", "A picture of this request, which no job named any more, is being removed.")

    def _read(self, owner: str, image_id: str) -> Start | None:
        start = self._store.start(owner, image_id, HEADER_BYTES)
        if start and format_of(start.content) == "jpeg" and start.total > len(start.content):
            try:
                read_header(start.content)
            except NotAnImage:
                return self._store.start(owner, image_id, LONG_HEADER_BYTES)
        return start

    def put(self, owner: str, content: bytes) -> str:
        """Store a picture that came inside a request; returns its id. Check it with `check` before, and `keep` it."""
        image_id = id_of(content)
        content_type = CONTENT_TYPES[format_of(content) or "png"]
        self._store.put(owner, image_id, content, content_type)
        return image_id

    def lost(self, owner: str, wanted: Mapping[str, str]) -> list[str]:
        """The names of those pictures of `owner` that are not there any more; `wanted` maps names to image ids."""
        return [name for name, image in wanted.items() if self._store.find(owner, image) is None]

    def take_over(self, owner: str, to: str, wanted: Mapping[str, str]) -> list[str]:
        """Copy pictures of `owner` for `to`; returns the names of those that are not there any more."""
        self.keep(to, set(wanted.values()))
        return [name for name, image in wanted.items() if not self._store.copy(image, owner, to)]

    def uri(self, owner: str, image_id: str) -> str:
        """The S3 URI of a picture, for a worker."""
        return self._store.uri(owner, image_id)

    def url(self, owner: str, image_id: str) -> str:
        """A presigned GET of a picture."""
        return self._store.url(owner, image_id)


def id_of(content: bytes) -> str:
    """The id of a picture."""
    return hashlib.sha256(content).hexdigest()


def check(name: str, content: bytes) -> ImageHeader:
    """Format and size of a picture that came inside a request; raises Invalid as `inspect` does."""
    return _header(name, content, len(content))


def _header(name: str, start: bytes, total: int) -> ImageHeader:
    try:
        header = read_header(start)
    except NotAnImage as error:
        raise _refused("image_unreadable", [name], f"is no picture: {error}") from error
    if total > MAX_BYTES or max(header.size) > MAX_SIDE or header.width * header.height > MAX_PIXELS:
        raise _refused(
            "image_too_large",
            [name],
            f"is {header.width}x{header.height} pixels and {total} bytes; "
            f"at most {MAX_SIDE} pixels a side, {MAX_PIXELS} in all and {MAX_BYTES} bytes are taken",
        )
    return header


def _absent(names: list[str]) -> Invalid:
    return _refused("image_not_uploaded", names, "is not uploaded: POST /images first, then upload its bytes")


def _refused(code: str, names: list[str], why: str) -> Invalid:
    errors = tuple(FieldError(("body", "images", name), why) for name in names)
    return Invalid(code, f"The picture {', '.join(names)} {why}.", errors)
