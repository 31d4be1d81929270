"""Pictures as files: PNG, JPEG and WebP, each with the text under the picture where the WebUI puts it.

As the WebUI's API does (modules/api/api.py, `encode_pil_to_base64`): text chunks in a PNG; in the others the EXIF field
UserComment, in UTF-16 behind the word UNICODE. The job's id stands apart: in a text chunk, or as the document's name.
"""

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Annotated, Any, Literal, cast

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from worker.checked import checked, without_nulls

PARAMETERS = "parameters"
"""The chunk with the infotext."""
POSTPROCESSING = "postprocessing"
"""The chunk that says how a picture was enlarged."""
JOB = "darkroom-job"
"""The chunk with the job's id."""
EXIF_IFD, USER_COMMENT, DOCUMENT_NAME = 0x8769, 0x9286, 0x010D
ASCII, LONG, UNDEFINED = 2, 4, 7
"""Types of values in EXIF."""
TIFF_HEADER = 8
FAST = 1
"""The level of a PNG's compression. At 6, Pillow's own, encoding takes longer by two thirds."""
MAX_EXIF = 65_000
"""Bytes of EXIF; a JPEG's segment ends at 65,533."""


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class FileOptions(BaseModel):
    """The options of the WebUI that decide which file a picture becomes, with its defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    samples_format: Annotated[Literal["png", "jpg", "jpeg", "webp"], BeforeValidator(_lower)] = "png"
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 80
    webp_lossless: bool = False
    enable_pnginfo: bool = True

    @property
    def extension(self) -> str:
        """What the file's name ends with."""
        return "jpg" if self.samples_format == "jpeg" else self.samples_format

    @property
    def media_type(self) -> str:
        """What the file is called in HTTP."""
        return MEDIA_TYPES[self.extension]


MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
"""The formats of pictures by their extensions."""


def file_options(settings: Mapping[str, Any]) -> FileOptions:
    """The options in a body's `override_settings`. Raises JobError `parameter_invalid`, which names each wrong one."""
    return checked(FileOptions, without_nulls(settings), "these options")


@dataclass(frozen=True)
class PictureFile:
    """A picture as a file. `told` is False when its text did not fit into it."""

    content: bytes
    extension: str
    media_type: str
    told: bool = True


def encode(
    image: Image.Image,
    texts: Mapping[str, str],
    options: FileOptions,
    job_id: str | None = None,
    look: Callable[[], object] = lambda: None,
) -> PictureFile:
    """The picture as a file of the format that the options name.

    `texts` are by the names of a PNG's chunks; a JPEG or a WebP holds the one called `parameters` alone, as in the
    WebUI. `look` is called before each piece of the file, and what it raises ends the encoding.
    """
    texts = {name: text for name, text in texts.items() if text} if options.enable_pnginfo else {}
    out = _Looking(look)
    file = cast("IO[bytes]", out)
    told = True
    if options.extension == "png":
        notes = PngInfo()
        for name, text in {**texts, **({JOB: job_id} if job_id else {})}.items():
            notes.add_text(name, text)
        image.save(file, "PNG", pnginfo=notes, compress_level=FAST)
    else:
        exif, told = _exif(texts.get(PARAMETERS), job_id)
        flat = image if image.mode == "RGB" else image.convert("RGB")
        if options.extension == "jpg":
            flat.save(file, "JPEG", exif=exif, quality=options.jpeg_quality)
        else:
            flat.save(file, "WEBP", exif=exif, quality=options.jpeg_quality, lossless=options.webp_lossless)
    return PictureFile(out.content.getvalue(), options.extension, options.media_type, told)


def _exif(text: str | None, job_id: str | None) -> tuple[bytes, bool]:
    """The EXIF block, and whether the text fitted into it. It is written here, for Pillow writes UserComment as a list
    of numbers, which the WebUI's own library does not take for a text."""
    name = f"{JOB}: {job_id}".encode("ascii", "replace") + b"\0" if job_id else b""
    comment = b"" if text is None else b"UNICODE\0" + text.encode("utf-16-be", "surrogatepass")
    names = [(DOCUMENT_NAME, ASCII, name)] if name else []
    pointer = (EXIF_IFD, LONG, bytes(4))
    begin = TIFF_HEADER + len(_directory([*names, pointer], TIFF_HEADER))
    first = _directory([*names, (EXIF_IFD, LONG, struct.pack(">I", begin))], TIFF_HEADER)
    second = _directory([(USER_COMMENT, UNDEFINED, comment)] if comment else [], begin)
    block = b"Exif\0\0" + struct.pack(">2sHI", b"MM", 42, TIFF_HEADER) + first + second
    return (block, True) if len(block) <= MAX_EXIF else (_exif(None, job_id)[0], False)


def _directory(entries: Sequence[tuple[int, int, bytes]], begin: int) -> bytes:
    """A directory of a big-endian TIFF that stands at the byte `begin`: tag, type and value of each entry."""
    after = begin + 2 + 12 * len(entries) + 4
    table, values = struct.pack(">H", len(entries)), b""
    for tag, kind, value in entries:
        count = 1 if kind == LONG else len(value)
        # A value of four bytes or less stands in the table itself.
        inside = value if len(value) <= 4 else struct.pack(">I", after + len(values))
        table += struct.pack(">HHI", tag, kind, count) + inside.ljust(4, b"\0")
        values += value + bytes(len(value) % 2) if len(value) > 4 else b""
    return table + bytes(4) + values


class _Looking:
    """A file in memory that calls `look` before each write: a picture of 8192 by 8192 pixels is some seconds' work."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.content = io.BytesIO()
        self._look = look

    def write(self, data: bytes) -> int:
        self._look()
        return self.content.write(data)
