"""Which way up a picture is, as EXIF or XMP says it: the values 1 to 8 of the EXIF standard's tag 274.

The rules are those of Pillow's `getexif`, which the WebUI turns its pictures by: EXIF first; XMP only where EXIF has no
such tag. But a block that is broken says nothing here, where Pillow would refuse the whole picture.
"""

import re
import struct

UPRIGHT = 1
ORIENTATION_TAG = 274
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_WHOLE_NUMBERS = {3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L"}
"""TIFF's types of whole numbers, as `struct` names them. The standard asks for type 3; Pillow takes all of these."""


def orientation_of(exif: bytes | None, xmp: bytes | None) -> int:
    """The orientation that a picture's EXIF block and XMP packet tell; 1 where they tell none that there is."""
    found = _in_exif(exif) if exif else None
    if found is None and xmp:
        match = _XMP.search(xmp)
        found = int(match[1]) if match else None
    return found if found is not None and 1 <= found <= 8 else UPRIGHT


def swaps_sides(orientation: int) -> bool:
    """Whether a picture of this orientation is as wide as its stored pixels are high."""
    return orientation >= 5


def _in_exif(block: bytes) -> int | None:
    """The tag in the first directory of an EXIF block, which is a small TIFF file; None where it is not there."""
    tiff = re.sub(rb"^(?:Exif\0\0){1,2}", b"", block)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or tiff[2:4] not in (b"*\0", b"\0*"):
        return None
    try:
        return _in_directory(tiff, order)
    except struct.error:
        # It ends too early, or is not where the header says.
        return None


def _in_directory(tiff: bytes, order: str) -> int | None:
    (at,) = struct.unpack_from(f"{order}L", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHL", tiff, entry)
        if tag == ORIENTATION_TAG and kind in _WHOLE_NUMBERS and values:
            number = f"{order}{_WHOLE_NUMBERS[kind]}"
            # Values of up to four bytes in all stand in the entry itself; others where it points to.
            inside = struct.calcsize(number) * values <= 4
            where = entry + 8 if inside else struct.unpack_from(f"{order}L", tiff, entry + 8)[0]
            value: int = struct.unpack_from(number, tiff, where)[0]
            return value
    return None
