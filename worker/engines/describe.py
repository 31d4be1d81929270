"""Describing a picture by what can be measured without a model: colours, light, shape."""

import colorsys
from collections import Counter
from dataclasses import dataclass

from PIL import Image, ImageStat

HUES = (
    (0.04, "red"),
    (0.11, "orange"),
    (0.19, "yellow"),
    (0.45, "green"),
    (0.54, "cyan"),
    (0.70, "blue"),
    (0.80, "purple"),
    (0.94, "pink"),
    (1.01, "red"),
)
SAMPLE = (64, 64)


@dataclass(frozen=True)
class Look:
    """A picture's most common colours, the most common first, and a word each for its light, contrast and shape."""

    colours: tuple[str, ...]
    light: str
    contrast: str
    shape: str


def look_at(picture: Image.Image) -> Look:
    """Measures the look of an RGB picture."""
    small = picture.resize(SAMPLE, Image.Resampling.BOX)
    counted = Counter(_name(pixel) for pixel in _pixels(small))
    least = SAMPLE[0] * SAMPLE[1] // 10
    common = [colour for colour, count in counted.most_common(3) if count >= least]
    grey = ImageStat.Stat(small.convert("L"))
    ratio = picture.width / picture.height
    return Look(
        colours=tuple(common or [counted.most_common(1)[0][0]]),
        light="dark" if grey.mean[0] < 80 else "bright" if grey.mean[0] > 170 else "evenly lit",
        contrast="flat" if grey.stddev[0] < 18 else "high-contrast" if grey.stddev[0] > 62 else "soft",
        shape="square" if 0.95 < ratio < 1.05 else "landscape" if ratio > 1 else "portrait",
    )


def sentence(picture: Image.Image) -> str:
    """One line of prose about an RGB picture."""
    look = look_at(picture)
    colours = look.colours[0]
    if len(look.colours) > 1:
        colours = f"{', '.join(look.colours[:-1])} and {look.colours[-1]}"
    kind = f"{look.contrast}, {look.light} {look.shape} picture"
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind} in {colours}, {picture.width} by {picture.height} pixels"


def tags(picture: Image.Image) -> str:
    """Tags for an RGB picture, with commas between them."""
    look = look_at(picture)
    words = [
        *(f"{colour} theme" for colour in look.colours),
        look.light,
        look.contrast,
        f"{look.shape} format",
    ]
    if picture.width * picture.height >= 1600 * 1200:
        words.append("highres")
    return ", ".join(words)


def _pixels(image: Image.Image) -> list[tuple[int, int, int]]:
    raw = image.tobytes()
    return list(zip(raw[0::3], raw[1::3], raw[2::3], strict=True))


def _name(pixel: tuple[int, int, int]) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in pixel))
    if value < 0.16:
        return "black"
    if saturation < 0.14:
        return "white" if value > 0.87 else "grey"
    name = next(name for upto, name in HUES if hue < upto)
    return "brown" if name == "orange" and value < 0.6 else name
