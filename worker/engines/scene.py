"""Drawing a landscape from a text: sky, sun, hills and lights. Each text gives another picture."""

import colorsys
import hashlib
import math
import random

from PIL import Image, ImageDraw, ImageFilter

LONGEST = 1024
"""Scenes are drawn with at most so many pixels a side and then enlarged, which is faster."""

Colour = tuple[int, int, int]


def draw_scene(recipe: str, size: tuple[int, int]) -> Image.Image:
    """An RGB picture of `size` (width and height in pixels) that depends on `recipe` and `size` only."""
    dice = random.Random(hashlib.sha256(recipe.encode()).digest())  # noqa: S311 - a picture, not a secret
    scale = min(1.0, LONGEST / max(size))
    width, height = max(8, round(size[0] * scale)), max(8, round(size[1] * scale))
    hue, day = dice.random(), dice.uniform(0.25, 1.0)
    far_hue = hue + dice.choice((-0.12, 0.08, 0.42, 0.5))
    top = _colour(hue, 0.65, 0.2 + 0.55 * day)
    low = _colour(far_hue, 0.4, 0.55 + 0.43 * day)
    image = _sky(top, low, (width, height))
    horizon = dice.uniform(0.45, 0.68)
    _glow(image, dice, _colour(far_hue + 0.05, 0.22, 1.0), horizon)
    _hills(image, dice, low, _colour(hue + dice.uniform(-0.1, 0.1), 0.7, 0.06 + 0.14 * day), horizon)
    _lights(image, dice, _colour(far_hue, 0.25, 1.0))
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _sky(top: Colour, low: Colour, size: tuple[int, int]) -> Image.Image:
    column = Image.new("RGB", (1, 4))
    for row in range(4):
        column.putpixel((0, row), _mix(top, low, row / 3))
    return column.resize(size, Image.Resampling.BICUBIC)


def _glow(image: Image.Image, dice: random.Random, colour: Colour, horizon: float) -> None:
    """A sun or moon above the horizon: a wide halo and a disc."""
    short = min(image.size)
    centre = (image.width * dice.uniform(0.18, 0.82), image.height * dice.uniform(0.16, horizon - 0.05))
    # Pillow's radial gradient is 0 in the middle and 255 in the corners.
    halo = Image.radial_gradient("L").point(lambda value: round(190 * max(0.0, 1 - value / 180) ** 2))
    disc = Image.new("L", (256, 256), 0)
    ImageDraw.Draw(disc).ellipse((8, 8, 248, 248), fill=235)
    for light, radius in ((halo, short * 0.62), (disc, short * dice.uniform(0.05, 0.11))):
        side = max(2, round(radius * 2))
        spot = light.resize((side, side), Image.Resampling.BILINEAR)
        corner = (round(centre[0] - side / 2), round(centre[1] - side / 2))
        image.paste(Image.new("RGB", spot.size, colour), corner, spot)


def _hills(image: Image.Image, dice: random.Random, haze: Colour, near: Colour, horizon: float) -> None:
    """Ridges from the haze at the horizon down to the dark foreground."""
    width, height = image.size
    count = dice.randint(4, 6)
    for layer in range(count):
        depth = (layer + 1) / count
        base = height * (horizon + (0.97 - horizon) * (layer / count))
        waves = [
            (dice.uniform(0.5, 1.4) * 2**octave, dice.uniform(0, math.tau), height * 0.07 / 2**octave)
            for octave in range(5)
        ]
        rough = 0.6 + 0.6 * dice.random()
        ridge = [
            (x, base + rough * sum(a * math.sin(f * math.tau * x / width + p) for f, p, a in waves))
            for x in range(0, width + 8, 4)
        ]
        # Drawn twice as large and reduced, since Pillow's polygons have hard edges.
        outline = [(x * 2, y * 2) for x, y in ridge]
        mask = Image.new("L", (width * 2, height * 2), 0)
        ImageDraw.Draw(mask).polygon([*outline, (width * 2 + 16, height * 2), (0, height * 2)], fill=255)
        image.paste(_mix(haze, near, depth**0.8), (0, 0, width, height), mask.reduce(2))


def _lights(image: Image.Image, dice: random.Random, colour: Colour) -> None:
    """A few soft specks in the air."""
    short = min(image.size)
    veil = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(veil)
    for _ in range(dice.randint(6, 16)):
        x, y = dice.uniform(0, image.width), dice.uniform(0, image.height)
        radius = short * dice.uniform(0.004, 0.02)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=dice.randint(50, 150))
    image.paste(colour, (0, 0, *image.size), veil.filter(ImageFilter.GaussianBlur(short / 200)))
