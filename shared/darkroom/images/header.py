"""One understanding of a picture for the API, which reads parts of a stored file, and the worker, which decodes it.

Which way up a picture is shown, and so how wide and high it is, is decided here alone. The worker decodes the pixels
with everything else taken out of the file, and turns them by what is said here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from darkroom.images import jpeg, png, webp
from darkroom.images.formats import START_BYTES, format_of, why_not
from darkroom.images.orientation import UPRIGHT, orientation_of, swaps_sides
from darkroom.images.source import Facts, InMemory, NotAnImage, Source

MAX_SIDE = 8192
MAX_PIXELS = 50_000_000
"""A large camera's picture. A few kilobytes of file can unfold to any number of pixels, at four bytes each."""

_LOOK: dict[str, Callable[[Source], Facts]] = {"png": png.look, "jpeg": jpeg.look, "webp": webp.look}
_BARE: dict[str, Callable[[bytes], bytes]] = {"png": png.bare, "jpeg": jpeg.bare, "webp": webp.bare}


@dataclass(frozen=True)
class ImageHeader:
    """Format (a key of CONTENT_TYPES), size in pixels as the picture is shown, and the orientation (1 to 8, as in EXIF)
    by which the stored pixels are turned for that."""

    format: str
    width: int
    height: int
    orientation: int = UPRIGHT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def is_too_large(self) -> bool:
        """Whether it has more than MAX_SIDE pixels a side, or MAX_PIXELS in all."""
        return max(self.size) > MAX_SIDE or self.width * self.height > MAX_PIXELS


def look(source: Source) -> ImageHeader:
    """The header of a picture; raises NotAnImage when it is no PNG, JPEG or WebP, or its header is broken."""
    start = source.read(0, START_BYTES)
    if reason := why_not(start):
        raise NotAnImage(reason)
    found = format_of(start) or ""
    facts = _LOOK[found](source)
    width, height = facts.width, facts.height
    if width < 1 or height < 1:
        raise NotAnImage(f"its {found.upper()} header is broken or cut off")
    orientation = orientation_of(facts.exif, facts.xmp)
    if swaps_sides(orientation):
        width, height = height, width
    return ImageHeader(found, width, height, orientation)


def read_header(content: bytes) -> ImageHeader:
    """The header of a picture that is here whole; raises NotAnImage as `look` does."""
    return look(InMemory(content))


def bare(content: bytes, form: str) -> bytes:
    """A picture of the format `form` without all that stands beside its pixels: texts, profiles, thumbnails, EXIF.
    Whatever is wrong with these is no reason not to take the picture."""
    return _BARE[form](content)
