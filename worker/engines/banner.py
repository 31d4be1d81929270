"""The strip on every preview that says that it is one, with the prompt."""

from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw, ImageFont, ImageStat

TITLE = "Darkroom preview"
PAPER, INK, PALE = (16, 18, 24), (255, 255, 255), (205, 210, 220)
MOST_LINES = 5

Box = tuple[int, int, int, int]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in typeface at `size` pixels; kept, as loading it takes longer than using it."""
    return ImageFont.load_default(size)


def stamp(image: Image.Image, note: str, prompt: str, mask: Image.Image | None = None) -> None:
    """Draws the strip onto `image` (RGB, changed in place): the title and `note`, then the prompt, wrapped.

    With a `mask` (L) the strip is put where the mask shows most of it; without one, at the bottom.
    """
    area = mask.getbbox() if mask else (0, 0, *image.size)
    if area is None or area[2] - area[0] < 24 or area[3] - area[1] < 8:
        return
    width, height = area[2] - area[0], area[3] - area[1]
    size = _title_size(width, min(width, height))
    gap = max(2, size // 2)
    line = round(size * 1.3)
    room = max(0, int(height * 0.4) - line - 2 * gap) // line
    lines = wrap(prompt, _font(size), width - 2 * gap, min(room, MOST_LINES))
    box = _place(area, 2 * gap + line * (1 + len(lines)), mask)
    veil = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), PAPER)
    image.paste(Image.blend(image.crop(box), veil, 0.8), box)
    draw = ImageDraw.Draw(image)
    x, y = box[0] + gap, box[1] + gap
    draw.text((x, y), TITLE, fill=INK, font=_font(size))
    end = x + _font(size).getlength(TITLE + "   ")
    if end + _font(size).getlength(note) < box[2] - gap:
        draw.text((end, y), note, fill=PALE, font=_font(size))
    for number, text in enumerate(lines, start=1):
        draw.text((x, y + number * line), text, fill=PALE, font=_font(size))


def wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines no wider than `width` pixels; what is left out shows as an ellipsis.

    A line breaks at its last blank, or within a word that is wider than a line. However long the text is, a line
    measures fewer than 30 pieces of it, none of them longer than `width` characters.
    """
    rest = " ".join(text.split())
    lines: list[str] = []
    while rest and len(lines) < most:
        cut = max(1, _fitting(rest, "", font, width))
        if cut < len(rest) and rest[cut] != " ":
            # A blank is never the first character, so 0 and -1 both mean one word over the whole line.
            cut = max(rest.rfind(" ", 0, cut), 0) or cut
        lines.append(rest[:cut])
        rest = rest[cut:].lstrip()
    if rest and lines:
        last = lines[-1]
        lines[-1] = f"{last[: _fitting(last, '...', font, width)].rstrip()}..."
    return lines


def _fitting(text: str, end: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> int:
    """How many characters of `text`, with `end` behind them, fit into `width` pixels: one a pixel at the most, for
    there are characters without any width."""
    return _longest(min(len(text), width), lambda cut: font.getlength(text[:cut] + end) <= width)


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number from 0 to `most` that `fits`, where everything below one that fits does as well.

    It is looked for from small numbers on: measuring costs by the length, and few characters fit into most lines.
    """
    low, high = 0, min(16, most)
    while high < most and fits(high):
        low, high = high, min(2 * high, most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _title_size(width: int, short: int) -> int:
    """The size of the title in pixels: in proportion to the picture's short side, and small enough to fit into
    `width`."""
    size = max(11, min(28, short // 25))
    while size > 6 and _font(size).getlength(TITLE) > width - size:
        size -= 1
    return size


def _place(area: Box, height: int, mask: Image.Image | None) -> Box:
    left, top, right, bottom = area
    height = min(height, bottom - top)
    spare = bottom - top - height
    boxes = [(left, top + spare * n // 12, right, top + spare * n // 12 + height) for n in range(13)]
    if mask is None:
        return boxes[-1]
    return max(boxes, key=lambda box: ImageStat.Stat(mask.crop(box)).mean[0])
