"""Pictures as files: PNG, JPEG and WebP, each with the text under the picture where the WebUI puts it.

As the WebUI's API does (modules/api/api.py, `encode_pil_to_base64`): text chunks in a PNG; in the others the EXIF field
UserComment, in UTF-16 behind the word UNICODE. The job's id stands apart: in a text chunk, or as the document's name.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Annotated, Any, Literal, cast

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from worker.errors import JobError

PARAMETERS = "parameters"
"""The chunk with the infotext."""
POSTPROCESSING = "postprocessing"
"""The chunk that says how a picture was enlarged."""
JOB = "darkroom-job"
"""The chunk with the job's id."""
EXIF_IFD, USER_COMMENT, DOCUMENT_NAME = 0x8769, 0x9286, 0x010D
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
    values = {name: value for name, value in settings.items() if value is not None}
    try:
        return FileOptions.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise JobError("parameter_invalid", f"The worker cannot use these options: {wrong}.") from error


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
        image.save(file, "PNG", pnginfo=notes, compress_level=4)
    else:
        exif, told = _exif(texts.get(PARAMETERS), job_id)
        flat = image if image.mode == "RGB" else image.convert("RGB")
        if options.extension == "jpg":
            flat.save(file, "JPEG", exif=exif, quality=options.jpeg_quality)
        else:
            flat.save(file, "WEBP", exif=exif, quality=options.jpeg_quality, lossless=options.webp_lossless)
    return PictureFile(out.content.getvalue(), options.extension, options.media_type, told)


def _exif(text: str | None, job_id: str | None) -> tuple[bytes, bool]:
    """The EXIF block, and whether the text fitted into it."""
    exif = Image.Exif()
    # As the WebUI's own library writes it; readers take the text for big-endian, whatever the block says.
    exif.endian = ">"
    if job_id:
        exif[DOCUMENT_NAME] = f"{JOB}: {job_id}"
    if text is not None:
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + text.encode("utf-16-be", "surrogatepass")
    if len(exif.tobytes()) <= MAX_EXIF:
        return exif.tobytes(), True
    return _exif(None, job_id)[0], False


class _Looking:
    """A file in memory that calls `look` before each write: a picture of 8192 by 8192 pixels is some seconds' work."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.content = io.BytesIO()
        self._look = look

    def write(self, data: bytes) -> int:
        self._look()
        return self.content.write(data)
