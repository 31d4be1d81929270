"""What format of picture some bytes are: the three that are taken, and those that are refused by their name."""

import re

CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
"""The formats that are taken, and the content type of each."""

START_BYTES = 3 * 1024
"""How many of a picture's first bytes `format_of` and `foreign_format` want to see; fewer may do."""

_ISO_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
}
"""The major brands of pictures among the files of the ISO base media family; videos are of that family, too."""

_SIGNATURES: tuple[tuple[str, bytes], ...] = (
    ("GIF", rb"GIF8[79]a"),
    # Two letters alone begin too many texts: the reserved bytes and the size of the next header have to fit, too.
    ("BMP", rb"BM....\0\0\0\0....[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("JPEG XL", rb"\0\0\0\x0cJXL \r\n\x87\n"),
    # The bare code stream begins with two bytes only, as some paths do in base64; no path is that long.
    ("JPEG XL", rb"\xff\x0a.{190}"),
    ("JPEG 2000", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    ("JPEG XR", rb"II\xbc\x01"),
    ("PSD", rb"8BPS\0[\x01\x02]"),
    ("XCF", rb"gimp xcf "),
    # Kind, one or more pictures, and a first entry whose reserved byte is 0 and whose bits per pixel can be.
    ("ICO", rb"\0\0[\x01\x02]\0[\x01-\x40]\0...\0..[\0\x01\x04\x08\x10\x18\x20]\0"),
    ("ICNS", rb"icns\0"),
    ("QOI", rb"qoif.{8}[\x03\x04][\0\x01]"),
    ("DDS", rb"DDS \x7c\0\0\0"),
    ("OpenEXR", rb"\x76\x2f\x31\x01"),
    ("Radiance HDR", rb"#\?(?:RADIANCE|RGBE)"),
    ("PCX", rb"\x0a[\0\x02-\x05]\x01[\x01\x02\x04\x08]"),
    ("SGI", rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]"),
    ("MNG", rb"\x8aMNG\r\n\x1a\n"),
    ("JNG", rb"\x8bJNG\r\n\x1a\n"),
    ("FLIF", rb"FLIF[\x31-\x64][012]"),
    ("BPG", rb"BPG\xfb"),
    ("WMF", rb"\xd7\xcd\xc6\x9a\0\0"),
    ("EMF", rb"\x01\0\0\0.{36} EMF"),
    ("Netpbm", rb"P[1-6]\s+(?:#[^\n]*\n\s*)?\d+\s+\d+\s"),
    ("SVG", rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*|<!--.*|<!DOCTYPE.*)?<svg[\s>]"),
)
_FOREIGN = tuple((name, re.compile(pattern, re.DOTALL)) for name, pattern in _SIGNATURES)


def format_of(start: bytes) -> str | None:
    """The format that the first bytes tell, a key of CONTENT_TYPES; None for any other."""
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    return None


def foreign_format(start: bytes) -> str | None:
    """The name of the picture format that is known and not taken, as the first bytes tell it; else None."""
    if start[4:8] == b"ftyp":
        return _ISO_BRANDS.get(start[8:12])
    return next((name for name, pattern in _FOREIGN if pattern.match(start[:START_BYTES])), None)


def why_not(start: bytes) -> str | None:
    """Why a file with these first bytes is not taken, in words; None for one that is."""
    if format_of(start):
        return None
    name = foreign_format(start)
    what = f"a file of the format {name}, which is not taken" if name else "no picture"
    return f"it is {what}; send a PNG, JPEG or WebP file"
